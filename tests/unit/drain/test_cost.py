"""What a drain asks for does not grow with the cloud that its host is in."""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from skipstone.drain.dock import Dock
from skipstone.drain.drain import check_drained
from skipstone.drain.model import Compute
from skipstone.drain.places import open_places
from skipstone.drain.targets import Rules, least
from tests.unit.drain.conftest import make_bench
from tests.unit.drain.fake_cloud import DrainCloud
from tests.unit.drain.test_dock import cargo
from tests.unit.impact.fake_cloud import served


def asked(directory: Path, count: int) -> tuple[Counter[str], Counter[str]]:
    """Return how much of each service a drain, and a look at it, asks in a cloud of so many hosts."""
    directory.mkdir()
    with served(DrainCloud(f"cmp{number}" for number in range(1, count + 1))) as cloud:
        assert isinstance(cloud, DrainCloud)
        bench = make_bench(cloud, directory)
        for number in range(3):
            cloud.add(f"vm{number}", ram=512 * (number + 1))
        bench.drain()
        drained = Counter(service for service, _, path in cloud.seen if "servers/" not in path)
        cloud.seen.clear()
        bench.run(lambda gear: check_drained(gear, "cmp1", bench.options()))
        return drained, Counter(service for service, *_ in cloud.seen)


def test_a_large_cloud_is_asked_no_more_than_a_small_one(tmp_path: Path) -> None:
    few, few_of_check = asked(tmp_path / "few", 4)
    many, many_of_check = asked(tmp_path / "many", 60)
    assert many["placement"] == few["placement"]
    assert many_of_check == few_of_check
    assert many_of_check["placement"] == 0, "a look needs no room"


def test_the_room_for_all_is_asked_with_what_the_least_of_them_needs() -> None:
    one, two, three = {"VCPU": 4, "MEMORY_MB": 512}, {"VCPU": 1, "MEMORY_MB": 1024}, {"PCPU": 2}
    assert least([one, two, three]) == [{"VCPU": 1, "MEMORY_MB": 512}, {"PCPU": 2}]
    assert least([]) == []


@contextmanager
def locks_counted() -> Iterator[Counter[str]]:
    """Count the files of places that are opened, by name."""
    opened, really = Counter[str](), os.open

    def counting(path: str | Path, flags: int, mode: int = 0o777) -> int:
        opened[Path(path).name.rpartition(".")[0]] += 1
        return really(path, flags, mode)

    with patch("skipstone.drain.places.os.open", counting):
        yield opened


@pytest.mark.parametrize("busy", ["all", "from cmp1"])
def test_who_waits_for_a_lane_of_all_looks_at_no_target_s(tmp_path: Path, busy: str) -> None:
    hosts = [f"cmp{number}" for number in range(1, 401)]
    room = {"VCPU": 10, "MEMORY_MB": 1000, "DISK_GB": 10}
    computes = tuple(Compute(host, host, host, enabled=True, up=True, room=room) for host in hosts)
    rules = Rules(known=frozenset(hosts), at_once=4, per_source=2)
    said: list[str] = []

    async def waiting(dock: Dock) -> None:
        async with asyncio.timeout(1):
            await dock.take(cargo(1, "cmp1"), said.append)

    with open_places(tmp_path) as places, open_places(tmp_path) as others:
        while others.take({busy: 4 if busy == "all" else 2}):
            pass
        with locks_counted() as opened, pytest.raises(TimeoutError):
            asyncio.run(waiting(Dock(computes, rules, places)))
    assert said == [f"as many migrations as may be are on their way: {busy}"]
    assert sum(opened.values()) <= 14, opened


def test_who_waits_for_a_target_s_lane_is_told_of_few(tmp_path: Path) -> None:
    hosts = [f"cmp{number}" for number in range(1, 41)]
    room = {"VCPU": 10, "MEMORY_MB": 1000, "DISK_GB": 10}
    computes = tuple(Compute(host, host, host, enabled=True, up=True, room=room) for host in hosts)
    said: list[str] = []

    async def waiting(dock: Dock) -> None:
        async with asyncio.timeout(1):
            await dock.take(cargo(1, "cmp1"), said.append)

    with open_places(tmp_path) as places, open_places(tmp_path) as others:
        for host in hosts:
            assert others.take({f"to {host}": 1})
        with pytest.raises(TimeoutError):
            asyncio.run(waiting(Dock(computes, Rules(known=frozenset(hosts)), places)))
        assert others.take({"all": 4, "from cmp1": 2}), "none is held while it waits"
    assert said[0].endswith(": to cmp10, to cmp11, to cmp12 and 36 more")
