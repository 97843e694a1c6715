import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest

from skipstone.cloud.inventory import Inventory
from skipstone.drain.drain import Result, drain
from skipstone.drain.gear import Gear, News, Options
from skipstone.drain.nova import Nova
from skipstone.drain.pace import Patience
from skipstone.drain.paperwork import Neutron, Placement
from skipstone.drain.places import open_places
from skipstone.drain.record import open_record
from skipstone.drain.returning import bring_back
from skipstone.drain.targets import Rules
from skipstone.drain.wire import open_wire
from tests.unit.drain.fake_cloud import DrainCloud
from tests.unit.drain.fake_hosts import FakeHosts
from tests.unit.impact.fake_cloud import clouds_file, served

T = TypeVar("T")

CALM = Patience(poll=0, begin=60, silent=60, settle=60, busy=60, api=60, appear=60)
"""For what comes to its end by itself, on a busy machine too."""

QUICK = Patience(poll=0, begin=2, silent=0.3, settle=0.3, busy=0.3, api=0.3, appear=0.2, grace=0.3)
"""For what is waited out."""


@dataclass
class Bench:
    """A fake cloud, its hosts, and a drain of them, as often as wanted, on one record."""

    cloud: DrainCloud
    inventory: Inventory
    record: Path
    patience: Patience = CALM
    news: list[News] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hosts = FakeHosts(self.cloud)

    def run(self, work: Callable[[Gear], Awaitable[T]]) -> T:
        async def inner() -> T:
            wire = open_wire(self.inventory)
            shared = self.record.parent / "places"
            with open_record(self.record, "cmp1") as record, open_places(shared) as places:
                gear = Gear(
                    Nova(wire),
                    Placement(wire),
                    Neutron(wire),
                    self.hosts,
                    {host: host for host in self.cloud.hosts},
                    record,
                    places,
                    self.patience,
                    self.news.append,
                    asyncio.Event(),
                )
                return await work(gear)

        return asyncio.run(inner())

    def options(self, **more: object) -> Options:
        known = {"rules": Rules(known=frozenset(self.cloud.hosts))}
        return Options(**(known | more))  # type: ignore[arg-type]

    def drain(self, **more: object) -> Result:
        return self.run(lambda gear: drain(gear, "cmp1", self.options(**more)))

    def bring_back(self, *, instances: bool = True) -> Result:
        return self.run(lambda gear: bring_back(gear, "cmp1", self.options(), instances=instances))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with served(DrainCloud()) as cloud:
        assert isinstance(cloud, DrainCloud)
        yield make_bench(cloud, tmp_path)


def make_bench(cloud: DrainCloud, directory: Path) -> Bench:
    file = clouds_file(cloud, directory)
    inventory = Inventory(
        name="fake", path=directory / "inventory.yaml", hosts=(), cloud="fake", clouds_file=file
    )
    return Bench(cloud, inventory, directory / "cmp1.jsonl")


@pytest.fixture
def hurried(bench: Bench) -> None:
    """Let a drain wait for nothing long: the test is about what it gives up."""
    bench.patience = QUICK
