"""Most hosts of a large cloud are in other aggregates than the host that is drained."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from skipstone.drain.gear import DrainStopped
from skipstone.drain.targets import Rules
from skipstone.drain.tries import REFUSALS, SEARCH
from tests.unit.drain.conftest import Bench, make_bench
from tests.unit.drain.courses import Course
from tests.unit.drain.fake_cloud import DrainCloud
from tests.unit.drain.test_drain import phases
from tests.unit.impact.fake_cloud import served

HOSTS = tuple(f"cmp{number}" for number in range(1, 41))
FAST = ("cmp1", "cmp37", "cmp38", "cmp39")
LIKE_FAST = {"aggregate_instance_extra_specs:disk": "fast"}


@pytest.fixture
def large(tmp_path: Path) -> Iterator[Bench]:
    """Forty hosts of one zone, four of them with fast disks."""
    with served(DrainCloud(HOSTS)) as cloud:
        assert isinstance(cloud, DrainCloud)
        cloud.aggregates = [
            {"name": "zone", "hosts": HOSTS, "metadata": {"availability_zone": "nova"}},
            {"name": "rack", "hosts": ("cmp1", "cmp2", "cmp3"), "metadata": {}},
            {"name": "fast", "hosts": FAST, "metadata": {"disk": "fast"}},
            {"name": "tenant", "hosts": ("cmp39",), "metadata": {"filter_tenant_id": "other"}},
        ]
        yield make_bench(cloud, tmp_path)


def add(bench: Bench, **extra: str) -> str:
    id_ = bench.cloud.add("vm")
    bench.cloud.servers[id_]["flavor"]["extra_specs"] = extra
    return id_


def tried(bench: Bench) -> list[str]:
    return [target for _, target in bench.cloud.requests]


def test_an_instance_goes_to_a_host_in_the_same_aggregates(large: Bench) -> None:
    add(large, **LIKE_FAST)
    assert phases(large.drain()) == {"vm": "moved"}
    assert tried(large) == ["cmp37"]


def test_what_differs_least_is_next(large: Bench) -> None:
    add(large, **LIKE_FAST)
    known = frozenset(HOSTS) - {"cmp37", "cmp38"}
    assert phases(large.drain(rules=Rules(known=known))) == {"vm": "moved"}
    assert tried(large) == ["cmp39"], "it is in one aggregate more, the others in one less"


def test_once_the_scheduler_has_refused_a_host_that_is_drained_next_will_do(large: Bench) -> None:
    add(large, **LIKE_FAST)
    rules = Rules(known=frozenset(HOSTS), avoided=frozenset(FAST))
    assert phases(large.drain(rules=rules)) == {"vm": "moved"}
    first, second = tried(large)
    assert first not in FAST
    assert second == "cmp37"


def test_a_host_with_the_traits_that_its_flavor_wants_is_first(large: Bench) -> None:
    add(large, **{"trait:CUSTOM_GOLD": "required"})
    large.cloud.hosts["cmp20"].traits = {"CUSTOM_GOLD"}
    assert phases(large.drain()) == {"vm": "moved"}
    assert tried(large) == ["cmp20"]


def test_the_search_goes_on_while_there_are_hosts_like_it_and_has_an_end(large: Bench) -> None:
    large.cloud.aggregates = []
    id_ = add(large)
    large.cloud.courses[id_] = [Course.NO_VALID_HOST] * (SEARCH - 1)
    assert phases(large.drain()) == {"vm": "moved"}
    assert len(set(tried(large))) == SEARCH


def test_nova_is_not_asked_about_every_host_of_the_cloud(large: Bench) -> None:
    large.cloud.aggregates = []
    add(large, **LIKE_FAST)
    with pytest.raises(DrainStopped):
        large.drain()
    assert len(tried(large)) == SEARCH


def test_without_hosts_like_it_few_refusals_are_enough(large: Bench) -> None:
    add(large, **LIKE_FAST)
    with pytest.raises(DrainStopped):
        large.drain(rules=Rules(known=frozenset(HOSTS) - set(FAST) | {"cmp1"}))
    assert len(tried(large)) == REFUSALS


def test_what_is_no_word_of_the_scheduler_counts(large: Bench) -> None:
    id_ = add(large)
    large.cloud.courses[id_] = [Course.REFUSED] * 10
    with pytest.raises(DrainStopped):
        large.drain()
    assert len(tried(large)) == REFUSALS
