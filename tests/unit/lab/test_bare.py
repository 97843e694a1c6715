"""A fresh Debian on a host of the lab: what an installer leaves, and nothing of a cloud."""

from pathlib import Path

import pytest

from skipstone.errors import InputError
from skipstone.lab import bare
from skipstone.lab.bare import BareSystem
from skipstone.lab.configuration import Configuration
from skipstone.lab.image import Recipe
from skipstone.lab.place import Place
from skipstone.lab.release import Project, load_release
from skipstone.lab.storage import OverlayDisk
from skipstone.lab.topology import load_topology


def test_only_name_and_network_are_left_and_its_keys_are_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, disk = Place(tmp_path), OverlayDisk(Place(tmp_path))
    monkeypatch.setattr(disk, "copy", lambda _, volume: _made(disk, volume))
    monkeypatch.setattr(bare, "personalize", lambda *_: None)
    topology = load_topology("wide")
    wanted = Configuration(load_release("zed"), frozenset(Project), topology, 1500)
    monkeypatch.setattr(
        bare, "make_host_identity", lambda tree: (tree / "etc/ssh/ssh_host_x_key.pub").write_text("x\n")
    )
    BareSystem(place, disk, "trixie").install("images/bare", topology.node("cmp4"), wanted)
    tree = disk.path("hosts/cmp4")
    found = {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}
    assert found == {
        *("etc/hostname", "etc/ssh/ssh_host_x_key.pub"),
        *("etc/systemd/network/10-eth0.network", "etc/systemd/network/10-eth1.network"),
    }
    assert "10.77.0.24" in (tree / "etc/systemd/network/10-eth0.network").read_text()
    assert bare.keys_of(tree) == "x\n"


def _made(disk: OverlayDisk, volume: str) -> Path:
    (disk.path(volume) / "etc/ssh").mkdir(parents=True)
    return disk.path(volume)


def test_it_has_nothing_of_openstack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def made(name: str, suite: str, packages: tuple[str, ...], **_: object) -> Recipe:
        return Recipe(name=name, suite=suite, packages=packages, archives=(), apt_settings="")

    monkeypatch.setattr(bare, "recipe", made)
    place = Place(tmp_path)
    found = BareSystem(place, OverlayDisk(place), "trixie")._recipe()
    assert found.name == "bare-trixie"
    assert {"openssh-server", "python3", "passwd"} <= set(found.packages)
    assert not [name for name in found.packages if "nova" in name or "neutron" in name]


def test_a_debian_that_the_lab_has_no_release_for(tmp_path: Path) -> None:
    place = Place(tmp_path)
    with pytest.raises(InputError, match="cannot install 'sid'"):
        BareSystem(place, OverlayDisk(place), "sid").build()
