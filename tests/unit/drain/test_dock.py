"""Limits on migrations hold for all drains of a machine together, whatever becomes of their processes."""

import asyncio
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skipstone.drain.dock import Berth, Dock
from skipstone.drain.model import Compute, Flavor, Instance
from skipstone.drain.places import open_places
from skipstone.drain.targets import Cargo, Rules

HOSTS = ("cmp1", "cmp2", "cmp3", "cmp4")
HOLDER = """
import sys
from pathlib import Path
from skipstone.drain.places import open_places
with open_places(Path(sys.argv[1])) as places:
    held = places.take({"all": 1})
    print(held is not None, flush=True)
    sys.stdin.read()
"""


def computes() -> tuple[Compute, ...]:
    room = {"VCPU": 1000, "MEMORY_MB": 1_000_000, "DISK_GB": 1000}
    return tuple(Compute(host, host, host, enabled=True, up=True, room=room) for host in HOSTS)


def cargo(number: int, source: str) -> Cargo:
    (here,) = (one for one in computes() if one.host == source)
    flavor = Flavor(vcpus=1, ram=64, disk=1)
    instance = Instance(id=f"{source}-{number}", name="vm", status="ACTIVE", host=source, flavor=flavor)
    return Cargo(instance, {"VCPU": 1}, {"VCPU": 1}, here)


class Counted:
    """Counts what is on its way, in every drain."""

    def __init__(self) -> None:
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    def begun(self, berth: Berth) -> None:
        for name in ("all", f"from {berth.source}", f"to {berth.target}"):
            self.now[name] += 1
            self.most[name] = max(self.most[name], self.now[name])

    def over(self, berth: Berth) -> None:
        self.now.subtract(("all", f"from {berth.source}", f"to {berth.target}"))


async def drained(dock: Dock, source: str, count: int, counted: Counted) -> None:
    async def one(number: int) -> None:
        berth = await dock.take(cargo(number, source), lambda _: None)
        counted.begun(berth)
        await asyncio.sleep(0.001)
        counted.over(berth)
        await dock.leave(berth, arrived=True)

    await asyncio.gather(*map(one, range(count)))


@given(
    counts=st.lists(st.integers(1, 5), min_size=2, max_size=3),
    at_once=st.integers(1, 4),
    per_source=st.integers(1, 2),
    per_target=st.integers(1, 2),
)
def test_several_drains_keep_the_limits_together(
    counts: list[int],
    at_once: int,
    per_source: int,
    per_target: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    directory, counted = tmp_path_factory.mktemp("places"), Counted()
    rules = Rules(known=frozenset(HOSTS), at_once=at_once, per_source=per_source, per_target=per_target)

    async def all_of_them(docks: list[Dock]) -> None:
        tasks = (
            drained(dock, source, count, counted)
            for dock, source, count in zip(docks, HOSTS, counts, strict=False)
        )
        await asyncio.gather(*tasks)

    with ExitStack() as stack, pytest.MonkeyPatch.context() as patched:
        patched.setattr("skipstone.drain.dock.AGAIN", 0.001)
        each = [stack.enter_context(open_places(directory)) for _ in counts]
        asyncio.run(all_of_them([Dock(computes(), rules, places) for places in each]))
    assert counted.most["all"] <= at_once
    assert all(most <= per_source for name, most in counted.most.items() if name.startswith("from"))
    assert all(most <= per_target for name, most in counted.most.items() if name.startswith("to"))
    assert not +counted.now


def test_a_killed_process_gives_its_places_back(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "True\n"
        with open_places(tmp_path) as places:
            assert places.take({"all": 1}) is None
            assert places.taken({"all": 1, "to cmp2": 1}) == ("all",)
            holder.kill()
            holder.wait()
            assert places.take({"all": 1}) is not None
    with open_places(tmp_path) as places:
        assert places.take({"all": 1}), "what is held at the end is given back"


def test_what_another_drain_empties_is_taken_only_where_nothing_else_could(tmp_path: Path) -> None:
    async def target(dock: Dock) -> str:
        async with asyncio.timeout(1):
            return (await dock.take(cargo(1, "cmp1"), lambda _: None)).target

    def rules(*known: str) -> Rules:
        return Rules(known=frozenset(known), at_once=9, per_source=9, per_target=9)

    with open_places(tmp_path) as places, open_places(tmp_path) as others:
        assert asyncio.run(target(Dock(computes(), rules(*HOSTS), places))) == "cmp2"
        others.claim("cmp2")
        assert asyncio.run(target(Dock(computes(), rules(*HOSTS), places))) == "cmp3"
        assert asyncio.run(target(Dock(computes(), rules("cmp1", "cmp2"), places))) == "cmp2"


def test_who_waits_for_another_drain_is_told_for_what(tmp_path: Path) -> None:
    rules, said = Rules(known=frozenset(HOSTS), at_once=1), list[str]()

    async def second(dock: Dock) -> None:
        async with asyncio.timeout(0.2):
            await dock.take(cargo(1, "cmp1"), said.append)

    with open_places(tmp_path) as places, open_places(tmp_path) as others:
        assert others.take({"all": 1, "from cmp2": 1})
        with pytest.raises(TimeoutError):
            asyncio.run(second(Dock(computes(), rules, places)))
    assert said
    assert said[0].endswith(": all")
