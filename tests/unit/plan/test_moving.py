"""How long drains take that share the limits on migrations."""

from itertools import chain, combinations
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skipstone.cli.drain import drain
from skipstone.drain.targets import Rules
from skipstone.plan.rollout import Rollout, Share
from skipstone.plan.strategies.in_place.moving import (
    AT_ONCE,
    PER_SOURCE,
    PER_TARGET,
    SECONDS,
    Traffic,
    traffic_of,
)
from skipstone.plan.waves import Wave, waves_of
from tests.unit.plan.test_waves import many


def test_the_limits_are_those_of_the_drain() -> None:
    assert Rules() == Rules(at_once=AT_ONCE, per_source=PER_SOURCE, per_target=PER_TARGET)
    said = {option.name: option.default for option in drain.params}
    assert (said["at_once"], said["per_source"], said["per_target"]) == (AT_ONCE, PER_SOURCE, PER_TARGET)


@pytest.mark.parametrize(
    ("traffic", "at_a_time"),
    [
        (Traffic(1, 99), 2),  # from one host
        (Traffic(1, 1), 1),  # to the only target
        (Traffic(1, 1, per_target=2), 2),
        (Traffic(4, 96), 1),
        (Traffic(50, 50), 4 / 50),  # in all
        (Traffic(50, 50, at_once=100), 1),  # to fifty hosts
        (Traffic(50, 50, at_once=100, per_target=2), 2),
    ],
)
def test_instances_leave_as_the_narrowest_limit_lets_them(traffic: Traffic, at_a_time: float) -> None:
    assert traffic.leaving(20) == ceil(20 * SECONDS / at_a_time)


def test_instances_come_back_to_one_host_as_it_takes_them() -> None:
    assert Traffic(1, 99).returning(20) == 20 * SECONDS
    assert Traffic(50, 50).returning(20) == 50 * 20 * SECONDS / 4
    assert Traffic(1, 1).returning(0) == 0


def test_only_hosts_of_a_wave_that_are_drained_share() -> None:
    waves = waves_of(many(100), Rollout(down=Share(10), waves=(Share(50, percent=True),)))
    drained = frozenset(name for wave in waves[:2] for name in wave.hosts) - {"c001"}
    few = [*waves[2].hosts][:3]
    found = traffic_of(waves, drained | {*few}, 8, None)
    assert found.keys() == drained | {*few}
    (sample,) = waves[0].hosts
    assert found[sample] == Traffic(1, 99, 8)
    assert found[[*waves[1].hosts][-1]] == Traffic(10, 90, 8)
    assert found[few[0]] == Traffic(3, 90, 8)


def fits(wave: Wave, hosts: tuple[str, ...]) -> bool:
    taken = [*chain.from_iterable(wave.hosts[host] for host in hosts)]
    return all(taken.count(lane) <= limit for lane, limit in wave.limits.items())


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")), min_size=1, max_size=6),
    st.integers(1, 6),
    st.dictionaries(st.sampled_from(["zone a", "zone b", "rack x", "rack y"]), st.integers(1, 3)),
)
def test_no_more_are_down_together_than_is_said(
    places: list[tuple[str, str]], down: int, limits: dict[str, int]
) -> None:
    hosts = {
        f"c{number}": ("down", *(lane for lane in (f"zone {zone}", f"rack {rack}") if lane in limits))
        for number, (zone, rack) in enumerate(places)
    }
    wave = Wave("w", "W", hosts, {"down": down, **limits})
    most = max(
        size for size in range(len(hosts) + 1) if any(fits(wave, some) for some in combinations(hosts, size))
    )
    assert wave.together(hosts) >= most
    if len({lane.partition(" ")[0] for lane in limits}) < 2:
        assert wave.together(hosts) == most
