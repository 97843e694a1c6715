from ipaddress import IPv4Network
from pathlib import Path

import pytest

from skipstone.errors import ExitCode, InputError
from skipstone.lab import machine
from skipstone.lab.place import Place
from skipstone.lab.topology import load_topology


def test_only_root_can_carry_the_lab() -> None:
    assert not list(machine.missing_rights(user=0))
    (obstacle,) = machine.missing_rights(user=1000)
    assert "root" in obstacle.what


def test_missing_programs_are_named_with_their_packages() -> None:
    assert not list(machine.missing_tools({"sh": "dash"}))
    (obstacle,) = machine.missing_tools({"no-such-program": "its-package", "sh": "dash"})
    assert "no-such-program" in obstacle.what
    assert "its-package" in obstacle.remedy


def test_missing_devices_are_named(tmp_path: Path) -> None:
    there = tmp_path / "tun"
    there.touch()
    (obstacle,) = machine.missing_devices({str(there): "", str(tmp_path / "loop"): "modprobe loop"})
    assert obstacle.remedy == "modprobe loop"


def test_a_full_disk_is_told_with_figures(tmp_path: Path) -> None:
    place = Place(tmp_path / "not" / "yet")
    assert not list(machine.lack_of_disk(place, needed=1))
    (obstacle,) = machine.lack_of_disk(place, needed=10**18)
    assert str(tmp_path) in obstacle.what
    assert "SKIPSTONE_LAB_DIR" in obstacle.remedy


def test_too_little_memory_is_told(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 4194304 kB\nMemAvailable: 2097152 kB\n")
    (obstacle,) = machine.lack_of_memory(8 * machine.GIB, meminfo)
    assert obstacle.what == "2.0 GiB of memory available, 8 GiB needed"
    assert not list(machine.lack_of_memory(machine.GIB, meminfo))


@pytest.mark.parametrize(
    ("network", "taken"),
    [("10.77.0.0/24", True), ("10.0.0.0/8", True), ("10.88.0.128/25", True), ("10.78.0.0/24", False)],
)
def test_an_address_range_in_use_is_told(network: str, *, taken: bool) -> None:
    used = [("eth7", IPv4Network(network))]
    assert bool(list(machine.overlaps(load_topology("small"), used))) is taken


def test_every_obstacle_is_told_at_once_and_nothing_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "missing_rights", lambda: [machine.Obstacle("not root", "be root")])
    monkeypatch.setattr(machine, "missing_tools", lambda: [machine.Obstacle("no nft", "install it")])
    monkeypatch.setattr(machine, "missing_devices", list)
    with pytest.raises(InputError) as caught:
        machine.refuse_obstacles(Place(tmp_path / "lab"), load_topology("small"), running=True)
    assert caught.value.exit_code is ExitCode.REFUSED
    assert caught.value.evidence == "not root\nno nft"
    assert caught.value.remedy == "be root\ninstall it"
    assert not (tmp_path / "lab").exists()
