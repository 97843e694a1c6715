"""Skipstone's own inventory: what is read, and what every mistake is answered with."""

from pathlib import Path

import pytest

from skipstone.cloud.inventory import Group, expect_hooks, load_inventory
from skipstone.errors import InventoryError

GOOD = """\
name: lab
ssh_config: ssh_config
cloud: lab
clouds_file: clouds.yaml
hosts:
  ctl1: {address: 10.0.0.11, groups: [network, control], user: debian, sudo: true, port: 2222}
  cmp1: {address: 10.0.0.21, groups: [compute], proxy_jump: "me@bastion:22", key_file: keys/cmp}
  cmp2:
groups:
  compute: [cmp2]
  database: [ctl1]
defaults: {user: root, port: 22}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "ssh_config").touch()
    (tmp_path / "clouds.yaml").touch()
    return tmp_path / "inventory.yaml"


def refused(place: Path, text: str) -> InventoryError:
    place.write_text(text)
    with pytest.raises(InventoryError) as caught:
        load_inventory(place)
    assert caught.value.remedy
    return caught.value


def test_what_is_written_is_read(place: Path) -> None:
    place.write_text(GOOD)
    found = load_inventory(place)
    ctl1, cmp1, cmp2 = found.hosts
    assert (ctl1.name, ctl1.address, ctl1.user, ctl1.port, ctl1.sudo) == (
        "ctl1",
        "10.0.0.11",
        "debian",
        2222,
        True,
    )
    assert ctl1.groups == (Group.CONTROL, Group.NETWORK, Group.DATABASE)
    assert (cmp1.user, cmp1.port, cmp1.proxy_jump) == ("root", 22, "me@bastion:22")
    assert cmp1.key_file == place.parent / "keys/cmp"
    assert (cmp2.address, cmp2.groups) == ("cmp2", (Group.COMPUTE,))
    assert found.ssh_config == place.parent / "ssh_config"
    assert found.clouds_file == place.parent / "clouds.yaml"
    assert [host.name for host in found.hosts_in(Group.COMPUTE)] == ["cmp1", "cmp2"]


def test_an_unknown_host_is_answered_with_the_nearest_name(place: Path) -> None:
    place.write_text(GOOD)
    with pytest.raises(InventoryError) as caught:
        load_inventory(place).host("cmp11")
    assert "did you mean 'cmp1'?" in caught.value.remedy


@pytest.mark.parametrize(
    ("old", "new", "at", "what"),
    [
        ("name: lab\n", "", "1: name", "this key is missing"),
        ("cloud: lab", "cluod: lab", "3: cluod", "no key of this name"),
        ("port: 2222", "port: 99999", "6: hosts.ctl1.port", "less than or equal to 65535"),
        ("[network, control]", "[netwrok]", "6: hosts.ctl1.groups.0", "should be 'control', 'network'"),
        ("[cmp2]", "[cmp3]", "10: groups.compute.0", "there is no host 'cmp3'"),
        ("  compute: [cmp2]\n", "", "8: hosts.cmp2", "in no group"),
        ("10.0.0.21", "10.0.0.11, port: 2222", "7: hosts.cmp1.address", "ctl1 has the same address"),
        ("ssh_config: ssh_config", "ssh_config: other", "2: ssh_config", "no such file"),
        ("  cmp2:\n", "  cmp2: 5\n", "8: hosts.cmp2", "valid dictionary"),
        ("name: lab", "name: lab/../etc", "1: name", "match pattern"),
    ],
)
def test_mistakes_are_placed(place: Path, old: str, new: str, at: str, what: str) -> None:
    assert old in GOOD
    error = refused(place, GOOD.replace(old, new, 1))
    assert error.where == f"{place}:{at}"
    assert what in error.what


def test_a_hook_is_a_program_beside_the_inventory(place: Path) -> None:
    hook = place.with_name("vm-snapshot")
    hook.touch(mode=0o755)
    place.write_text(
        GOOD.replace("port: 2222}", "port: 2222, snapshots: hook}").replace(
            "defaults: {", "defaults: {snapshot_hook: vm-snapshot, "
        )
    )
    ctl1, cmp1, _ = load_inventory(place).hosts
    assert (ctl1.snapshots, ctl1.snapshot_hook) == ("hook", hook)
    assert (cmp1.snapshots, cmp1.snapshot_hook) == (None, None), "asked only where it keeps the machine"


def test_a_hook_that_installs_is_a_compute_s_only(place: Path) -> None:
    place.write_text(GOOD.replace("defaults: {", "defaults: {reinstall_hook: install-compute, "))
    inventory = load_inventory(place)
    found = {host.name: host.reinstall_hook for host in inventory.hosts if Group.COMPUTE in host.groups}
    assert set(found.values()) == {place.with_name("install-compute")}
    others = [host for host in inventory.hosts if Group.COMPUTE not in host.groups]
    assert others
    assert not [host for host in others if host.reinstall_hook]
    with pytest.raises(InventoryError, match="reinstall_hook: there is no such program"):
        expect_hooks(inventory)


def test_a_hook_that_is_not_named(place: Path) -> None:
    error = refused(place, GOOD.replace("port: 2222}", "port: 2222, snapshots: hook}"))
    assert error.where == f"{place}:6: hosts.ctl1.snapshots"
    assert "needs snapshot_hook" in error.what


@pytest.mark.parametrize("hook", ["nowhere", "ssh_config"])
def test_a_hook_that_cannot_be_called_hinders_only_who_would_call_it(place: Path, hook: str) -> None:
    place.write_text(GOOD.replace("port: 2222}", f"snapshots: hook, snapshot_hook: {hook}}}"))
    inventory = load_inventory(place)
    with pytest.raises(InventoryError, match="no such program, or it may not be executed") as caught:
        expect_hooks(inventory)
    assert caught.value.where == f"{place}: ctl1"
    assert caught.value.evidence == str(place.with_name(hook))


def test_bad_yaml_has_its_line(place: Path) -> None:
    error = refused(place, GOOD.replace("[network, control]", "[network, control"))
    assert error.what == "this is not valid YAML"
    assert error.where.startswith(f"{place}:6")


def test_a_host_written_twice_is_not_lost(place: Path) -> None:
    error = refused(place, GOOD.replace("  cmp2:\n", "  cmp1: {groups: [compute]}\n"))
    assert error.where == f"{place}:8"
    assert "written twice, first in line 7" in error.evidence


def test_no_hosts(place: Path) -> None:
    assert "no hosts are named" in refused(place, "name: lab\n").what


@pytest.mark.parametrize("text", ["", "just words\n", "- a\n- b\n"])
def test_what_is_no_inventory_at_all(place: Path, text: str) -> None:
    assert "keys with values are expected" in refused(place, text).what


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="cannot be read"):
        load_inventory(tmp_path / "none.yaml")
