"""Computes emptied on a real cloud: what is said to have moved has moved, whatever happens meanwhile.

The cloud is Zed on every host; each test leaves it as it found it, but for which compute an instance is on.
"""

import json
import re
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.lab.conftest import lab_verb
from tests.lab.labcloud import LabCloud
from tests.repeating import repeating
from tests.wide.conftest import power_off

pytestmark = [pytest.mark.lab, pytest.mark.timeout(2400)]

OTHERS = ("cmp1", "cmp2", "cmp3")
VICTIM = "cmp4"
SLOW = """
tc qdisc add dev eth0 root handle 1: htb default 20
tc class add dev eth0 parent 1: classid 1:20 htb rate 10gbit
tc class add dev eth0 parent 1: classid 1:10 htb rate {rate}
tc filter add dev eth0 parent 1: protocol ip u32 match ip dport 49152 0xffc0 flowid 1:10
"""
"""Lets less cross of what libvirt sends to where it migrates (ports from 49152 on), and of nothing else."""


def running(lab: LabCloud, host: str) -> set[str]:
    """Return what libvirt runs on a host: the truth, whatever nova says."""
    return set(
        lab.on(host, "virsh -q list --uuid --state-running; virsh -q list --uuid --state-paused").split()
    )


def everywhere(lab: LabCloud) -> dict[str, set[str]]:
    return {host: running(lab, host) for host in (*OTHERS, VICTIM)}


def servers(lab: LabCloud) -> dict[str, dict[str, Any]]:
    listed = json.loads(lab.openstack("server", "list", "--all-projects", "--long", "-f", "json"))
    return {one["ID"]: one for one in listed}


def migrations(lab: LabCloud) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(lab.openstack("server", "migration", "list", "-f", "json"))
    return found


@contextmanager
def as_it_was(lab: LabCloud, home: Path) -> Iterator[None]:
    """No instance is rebooted, lost, doubled or in ERROR, and placement's allocations are exact."""
    before, boots, all_of = home / "before.json", lab.boot_ids(), set().union(*everywhere(lab).values())
    lab.skipstone("verify", "-i", lab.inventory, "--save", before)
    yield
    found = [uuid for host in everywhere(lab).values() for uuid in host]
    assert sorted(found) == sorted(all_of), "each runs on one host and on no other"
    lab.expect_not_rebooted(boots)
    assert {one["Status"] for one in servers(lab).values()} == {"ACTIVE"}
    # where an instance is may differ, and nothing else: allocations, ports, quotas
    lab.skipstone("verify", "-i", lab.inventory, "--against", before, codes={0, 1})


@contextmanager
def slowed(lab: LabCloud, rate: str) -> Iterator[None]:
    """Let less cross from the victim: a migration takes long enough for something to happen meanwhile."""
    lab.on(VICTIM, SLOW.format(rate=rate))
    try:
        yield
    finally:
        lab.on(VICTIM, "tc qdisc del dev eth0 root 2>/dev/null || true")


@contextmanager
def closed(lab: LabCloud, *hosts: str) -> Iterator[None]:
    """Let hosts take no instances."""
    for host in hosts:
        lab.openstack("compute", "service", "set", "--disable", host, "nova-compute")
    try:
        yield
    finally:
        for host in hosts:
            lab.openstack("compute", "service", "set", "--enable", host, "nova-compute")


def begun(lab: LabCloud, before: int) -> None:
    """Wait until a migration was begun, and some of its bytes have crossed."""
    deadline = time.monotonic() + 180
    while len(migrations(lab)) == before:
        assert time.monotonic() < deadline, "no migration was begun"
        time.sleep(1)
    time.sleep(8)


@pytest.fixture
def drained(wide: LabCloud, tmp_path: Path) -> Iterator[Path]:
    """Give a drain's record; afterwards the host is open again, its instances back, all as it was."""
    record = tmp_path / "record.jsonl"
    with as_it_was(wide, tmp_path):
        yield record
        wide.skipstone("return", VICTIM, "-i", wide.inventory, "--record", record, codes={0, 1})
        services = json.loads(wide.openstack("compute", "service", "list", "-f", "json"))
        assert {one["Status"] for one in services} == {"enabled"}


def drain(lab: LabCloud, record: Path, *options: str, code: int = 0) -> str:
    """Drain the victim and return what was said, on one line."""
    done = lab.skipstone("drain", VICTIM, "-i", lab.inventory, "--record", record, *options, codes={code})
    return re.sub(r"\s+", " ", done.stdout + done.stderr)


def test_a_host_is_emptied_and_its_instances_come_back(wide: LabCloud, drained: Path) -> None:
    here = running(wide, VICTIM)
    assert len(here) >= 2
    drain(wide, drained)
    assert running(wide, VICTIM) == set()
    (service,) = (
        one
        for one in json.loads(wide.openstack("compute", "service", "list", "--long", "-f", "json"))
        if one["Host"] == VICTIM and one["Binary"] == "nova-compute"
    )
    assert service["Status"] == "disabled"
    assert "skipstone" in service["Disabled Reason"].lower()
    before = len(migrations(wide))
    drain(wide, drained)
    assert len(migrations(wide)) == before, "an empty host is not drained again"
    wide.skipstone("return", VICTIM, "-i", wide.inventory, "--record", drained)
    assert running(wide, VICTIM) == here


def test_one_that_is_killed_goes_on_and_begins_no_migration_twice(wide: LabCloud, drained: Path) -> None:
    before = len(migrations(wide))
    count = len(running(wide, VICTIM))
    with wide.started("drain", VICTIM, "-i", wide.inventory, "--record", drained) as process:
        deadline = time.monotonic() + 120
        while len(migrations(wide)) == before:
            assert time.monotonic() < deadline, process.communicate()
            time.sleep(0.5)
        process.kill()
    drain(wide, drained)
    assert running(wide, VICTIM) == set()
    assert len(migrations(wide)) == before + count


def test_without_room_nothing_is_moved_and_the_reason_is_told(wide: LabCloud, drained: Path) -> None:
    before, here = len(migrations(wide)), running(wide, VICTIM)
    with closed(wide, *OTHERS):
        said = drain(wide, drained, code=2)
    assert "nothing was changed" in said
    assert "disabled" in said
    assert all(host in said for host in OTHERS)
    assert running(wide, VICTIM) == here
    assert len(migrations(wide)) == before


def ask(address: str) -> None:
    """Let an instance answer: that starts a program in it, which writes some hundred pages."""
    with suppress(OSError), urllib.request.urlopen(f"http://{address}/", timeout=5) as answer:
        answer.read()


def test_a_migration_that_never_ends_is_ended_and_the_instance_stays(wide: LabCloud, drained: Path) -> None:
    """It writes more than crosses meanwhile: ended once all has crossed four times, here and elsewhere."""
    busy, *others = sorted(running(wide, VICTIM))
    for other in others:
        wide.openstack("server", "migrate", "--live-migration", "--wait", other)
    (address,) = (one for one in wide.instance_addresses() if one in str(servers(wide)[busy]["Networks"]))
    with slowed(wide, "12mbit"), repeating(lambda: ask(address), 0.02):
        said = drain(wide, drained, code=4)
    assert "its memory has crossed" in said
    assert running(wide, VICTIM) == {busy}
    wide.skipstone("return", VICTIM, "-i", wide.inventory, "--record", drained)
    for other in others:
        wide.openstack("server", "migrate", "--live-migration", "--host", VICTIM, "--wait", other)


def test_a_target_that_dies_is_left_for_another(wide: LabCloud, drained: Path, tmp_path: Path) -> None:
    target, record = "cmp3", tmp_path / "target.jsonl"
    wide.skipstone("drain", target, "-i", wide.inventory, "--record", record)
    wide.skipstone("return", target, "-i", wide.inventory, "--record", record, "--enable-only")
    before = len(migrations(wide))
    with (
        slowed(wide, "8mbit"),
        closed(wide, "cmp1", "cmp2"),
        wide.started("drain", VICTIM, "-i", wide.inventory, "--record", drained) as process,
    ):
        begun(wide, before)
        power_off(target)
        time.sleep(5)
        for host in ("cmp1", "cmp2"):
            wide.openstack("compute", "service", "set", "--enable", host, "nova-compute")
        output, errors = process.communicate(timeout=1200)
    assert "Traceback" not in output + errors
    assert process.returncode in {0, 4}, output + errors
    lab_verb("up", "--release", "zed", "--topology", "wide")
    if process.returncode == 4:
        drain(wide, drained)
    assert running(wide, VICTIM) == set()
    # the last one drained first: it may have moved on what the other had brought there
    for host, of in ((VICTIM, drained), (target, record)):
        wide.skipstone("return", host, "-i", wide.inventory, "--record", of)


def test_libvirt_that_is_killed_at_the_source_loses_nothing(wide: LabCloud, drained: Path) -> None:
    before = len(migrations(wide))
    with (
        slowed(wide, "8mbit"),
        wide.started("drain", VICTIM, "-i", wide.inventory, "--record", drained) as process,
    ):
        begun(wide, before)
        wide.on(VICTIM, "systemctl kill --kill-whom=main -s KILL libvirtd; sleep 3; systemctl start libvirtd")
        wide.on(VICTIM, "tc qdisc del dev eth0 root")
        output, errors = process.communicate(timeout=1200)
    assert process.returncode in {0, 4}, output + errors
    if process.returncode == 4:
        drain(wide, drained)
    assert running(wide, VICTIM) == set()
