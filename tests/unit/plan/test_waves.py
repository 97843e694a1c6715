"""Waves, shares and what may be down together."""

import pytest

from skipstone.errors import InputError
from skipstone.plan.admission import forecast
from skipstone.plan.rollout import Rollout, Share
from skipstone.plan.waves import ComputeHost, waves_of


def many(number: int) -> list[ComputeHost]:
    return [
        ComputeHost(f"c{n:03}", number - n, f"az{n % 3}", ("ssd",) if n % 2 else (), f"r{n % 10}")
        for n in range(number)
    ]


def sizes(number: int, rollout: Rollout) -> dict[str, int]:
    return {wave.name: len(wave.hosts) for wave in waves_of(many(number), rollout)}


def test_a_small_cloud_goes_one_at_a_time_after_one() -> None:
    first, rest = waves_of(many(4), Rollout())
    assert list(first.hosts) == ["c003"], "it has the fewest instances"
    assert list(rest.hosts) == ["c002", "c001", "c000"]
    assert (rest.limits, rest.title) == ({"down": 1}, "Upgrade the other computes, one at a time")


@pytest.mark.parametrize(
    ("number", "rollout", "expected"),
    [
        (1, Rollout(), {"sample": 1}),
        (19, Rollout(), {"sample": 1, "computes": 18}),
        (100, Rollout(), {"sample": 1, "computes-1": 10, "computes-2": 89}),
        (100, Rollout(waves=(Share(100, percent=True),)), {"sample": 1, "computes": 99}),
        (9, Rollout(sample=3, waves=(Share(2),)), {"sample": 3, "computes-1": 2, "computes-2": 4}),
        (10, Rollout(named=("c000", "c005")), {"sample": 2, "computes": 8}),
        (10, Rollout(postponed=("c009",), sample=20), {"sample": 9, "postponed": 1}),
    ],
)
def test_sizes_of_waves(number: int, rollout: Rollout, expected: dict[str, int]) -> None:
    assert sizes(number, rollout) == expected


def test_only_limits_that_can_bind_are_there() -> None:
    rollout = Rollout(
        down=Share(10, percent=True),
        down_per_zone=Share(50, percent=True),
        down_per_rack=Share(1),
        down_per_aggregate=Share(3),
        waves=(Share(100, percent=True),),
    )
    (_, wave) = waves_of(many(100), rollout)
    racks = {f"rack r{number}": 1 for number in range(10)}
    assert wave.limits == {"down": 10, "aggregate ssd": 3, **racks}, "half a zone is more than may be down"
    assert wave.hosts["c001"] == ("down", "aggregate ssd", "rack r1")


@pytest.mark.parametrize(
    ("host", "rollout", "message"),
    [
        (ComputeHost("c"), Rollout(down_per_zone=Share(1)), "availability zone of this compute is not known"),
        (ComputeHost("c"), Rollout(down_per_aggregate=Share(1)), "aggregates of this cloud are not known"),
        (ComputeHost("c"), Rollout(down_per_rack=Share(1)), "does not say in which rack"),
        (ComputeHost("c"), Rollout(named=("d",)), "no compute is called d"),
        (ComputeHost("c"), Rollout(postponed=("d",)), "no compute is called d"),
        (ComputeHost("c"), Rollout(named=("c",), postponed=("c",)), "cannot be in the sample"),
    ],
)
def test_what_is_not_known_is_refused(host: ComputeHost, rollout: Rollout, message: str) -> None:
    with pytest.raises(InputError, match=message):
        waves_of([host], rollout)


@pytest.mark.parametrize("text", ["0", "-1", "x", "", "0%", "101%", "1.5", "²"])
def test_what_is_no_share(text: str) -> None:
    with pytest.raises(InputError):
        Share.parse(text)


def test_a_share_is_at_least_one() -> None:
    assert [Share.parse(text).of(50) for text in ("1%", "10%", "100%", "7")] == [1, 5, 50, 7]


def test_the_limit_that_takes_longest_leads() -> None:
    """In the order of their instances the large zone's hosts would come last, and one at a time."""
    small = [(f"s{n}", ("down", f"zone {n % 2}"), 30) for n in range(30)]
    large = [(f"l{n}", ("down", "zone large"), 30) for n in range(30)]
    limits = {"down": 2, "zone 0": 1, "zone 1": 1, "zone large": 1}
    assert forecast([*small, *large], limits) == 30 * 60 / 2


def test_a_forecast_without_limits_is_the_longest() -> None:
    assert forecast([("a", (), 5), ("b", ("unknown",), 7)], {}) == 7
    assert forecast([], {"down": 1}) == 0
