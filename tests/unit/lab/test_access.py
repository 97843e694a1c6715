import stat
import subprocess
from pathlib import Path

import yaml

from skipstone.lab.access import make_key, reachable_resolver, ssh_config, write_access
from skipstone.lab.place import DEFAULT, Place
from skipstone.lab.topology import load_topology

TOPOLOGY = load_topology("small")


def trees(root: Path) -> dict[str, Path]:
    made = {}
    for node in TOPOLOGY.nodes:
        folder = root / node.name / "etc/ssh"
        folder.mkdir(parents=True)
        (folder / "ssh_host_ed25519_key.pub").write_text(f"ssh-ed25519 KEY-OF-{node.name} root@image\n")
        made[node.name] = root / node.name
    return made


def test_known_hosts_hold_the_real_keys_by_name_and_address(tmp_path: Path) -> None:
    place = Place(tmp_path)
    write_access(place, TOPOLOGY, trees(tmp_path / "trees"))
    assert "cmp1,10.77.0.21 ssh-ed25519 KEY-OF-cmp1" in place.known_hosts.read_text().splitlines()


def test_the_inventory_is_what_discovery_reads(tmp_path: Path) -> None:
    place = Place(tmp_path)
    write_access(place, TOPOLOGY, trees(tmp_path / "trees"))
    inventory = yaml.safe_load(place.inventory.read_text())
    assert inventory["hosts"]["ctl1"] == {
        "address": "10.77.0.11",
        "groups": ["control", "network", "database", "broker"],
    }
    for key in ("ssh_config", "clouds_file"):
        assert (tmp_path / inventory[key]).exists()


def test_only_the_operator_reads_the_password(tmp_path: Path) -> None:
    place = Place(tmp_path)
    write_access(place, TOPOLOGY, trees(tmp_path / "trees"))
    assert stat.S_IMODE(place.clouds.stat().st_mode) == 0o600
    assert "lab" in yaml.safe_load(place.clouds.read_text())["clouds"]


def test_ssh_itself_understands_the_configuration(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.ssh_config.write_text(ssh_config(place, TOPOLOGY))
    done = subprocess.run(
        ["ssh", "-F", str(place.ssh_config), "-G", "cmp2"], capture_output=True, text=True, check=True
    )
    options = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    assert options["hostname"] == "10.77.0.22"
    assert options["user"] == "root"
    assert options["stricthostkeychecking"] in {"true", "yes"}
    assert options["userknownhostsfile"] == str(place.known_hosts)


def test_the_key_is_made_once(tmp_path: Path) -> None:
    place = Place(tmp_path)
    make_key(place)
    first = place.key.read_text()
    make_key(place)
    assert place.key.read_text() == first
    assert stat.S_IMODE(place.key.stat().st_mode) == 0o600


def test_two_places_share_no_names() -> None:
    assert Place(DEFAULT).tag == "sklab"
    assert Place(Path("/srv/a")).tag != Place(Path("/srv/b")).tag


def test_hosts_get_a_resolver_that_they_can_reach(tmp_path: Path) -> None:
    stub, real = tmp_path / "stub", tmp_path / "real"
    stub.write_text("# stub\nnameserver 127.0.0.53\n")
    real.write_text("nameserver 192.0.2.53\n")
    assert reachable_resolver((stub, real)) == real.read_text()
    assert reachable_resolver((real, stub)) == real.read_text()
    assert reachable_resolver((stub,)) == stub.read_text()
    assert reachable_resolver((tmp_path / "none",)) == ""
