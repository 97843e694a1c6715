"""Waves carried out in simulated time: random clouds, policies, durations and failures."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from skipstone.plan.rollout import Rollout, Share
from skipstone.plan.waves import ComputeHost, Wave, waves_of
from skipstone.plan.window import Window, opening
from skipstone.run.schedule import Always, Ending, Group, Hours, Node, StageOrder, carry_out_stages
from skipstone.run.state import StepState
from tests.unit.run.simulated import now, simulate

STEPS = 3
HOUR = 3600


@dataclass
class Host:
    """What happened to a simulated host."""

    begins: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    done: int = 0


@dataclass
class Cloud:
    """Hosts on which each step takes a third of ``seconds``; those that ``fail`` do so at that step."""

    seconds: dict[str, int]
    fail: dict[str, int] = field(default_factory=dict)
    hosts: dict[str, Host] = field(default_factory=lambda: defaultdict(Host))
    order: list[str] = field(default_factory=list)
    over: list[str] = field(default_factory=list)
    down: set[str] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)
    watch: Callable[["Cloud"], None] = lambda _: None

    async def carry_out(self, name: str) -> StepState:
        host, _, number = name.partition(".")
        entry = self.hosts[host]
        assert int(number) == entry.done, "a host's steps come in order, each once"
        if number == "0":
            self.order.append(host)
        entry.begins.append(asyncio.get_running_loop().time())
        self.down.add(host)
        self.watch(self)
        await asyncio.sleep(self.seconds[host] / STEPS)
        entry.ends.append(asyncio.get_running_loop().time())
        if self.fail.get(host) == int(number):
            del self.fail[host]
            self.failed.append(host)
            self.down.discard(host)
            return StepState.FAILED
        entry.done += 1
        if entry.done == STEPS:
            self.down.discard(host)
            self.over.append(host)
        return StepState.DONE


def order_of(
    wave: Wave, cloud: Cloud, *, failures: int = 0, hours: Hours | None = None, begun: Sequence[str] = ()
) -> StageOrder:
    """Return what is left of a wave."""
    left = [(host, number) for host in wave.hosts for number in range(cloud.hosts[host].done, STEPS)]
    return StageOrder(
        nodes=[
            Node(
                f"{host}.{number}",
                (f"{host}.{number - 1}",) if number > cloud.hosts[host].done else (),
                group=host,
                seconds=cloud.seconds[host] // STEPS,
            )
            for host, number in left
        ],
        limits=wave.limits,
        groups={
            host: Group(wave.hosts[host], cloud.seconds[host], begun=host in begun)
            for host in dict.fromkeys(host for host, _ in left)
        },
        failures=failures,
        hours=hours or Always(),
    )


def carry_out(
    stages: Sequence[StageOrder], cloud: Cloud, stopping: Callable[[], bool] = lambda: False
) -> Any:
    return simulate(carry_out_stages(stages, lambda _: cloud.carry_out, stopping=stopping, at_once=10_000))


SHARES = st.one_of(
    st.none(),
    st.builds(Share, st.integers(1, 6)),
    st.builds(Share, st.integers(1, 60), percent=st.just(value=True)),
)


@st.composite
def clouds(draw: st.DrawFn, least: int = 1, most: int = 60) -> list[ComputeHost]:
    """Draw computes in zones, racks within zones, and aggregates across them."""
    zones, racks = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    hosts = []
    for number in range(draw(st.integers(least, most))):
        zone = draw(st.integers(1, zones))
        aggregates = draw(st.sets(st.sampled_from(["ssd", "gpu"])))
        rack = f"r{zone}.{draw(st.integers(1, racks))}"
        hosts.append(ComputeHost(f"c{number}", draw(st.integers(0, 9)), f"z{zone}", tuple(aggregates), rack))
    return hosts


@st.composite
def rollouts(draw: st.DrawFn) -> Rollout:
    """Draw policies."""
    return Rollout(
        sample=draw(st.integers(1, 3)),
        waves=tuple(share for share in draw(st.lists(SHARES, max_size=3)) if share),
        down=draw(SHARES) or Share(1),
        down_per_zone=draw(SHARES),
        down_per_aggregate=draw(SHARES),
        down_per_rack=draw(SHARES),
    )


def lanes_of(host: ComputeHost, rollout: Rollout) -> list[str]:
    """Return what limits a host, told independently of the waves."""
    found = ["down"]
    found += [f"zone {host.zone}"] if rollout.down_per_zone else []
    found += [f"rack {host.rack}"] if rollout.down_per_rack else []
    found += [f"aggregate {name}" for name in host.aggregates or ()] if rollout.down_per_aggregate else []
    return found


def limits_of(hosts: Sequence[ComputeHost], rollout: Rollout) -> dict[str, int]:
    sizes = Counter(lane for host in hosts for lane in lanes_of(host, rollout))
    shares = {"down": rollout.down, "zone": rollout.down_per_zone, "rack": rollout.down_per_rack}
    shares["aggregate"] = rollout.down_per_aggregate
    found = {lane: (shares[lane.partition(" ")[0]] or Share(1)).of(size) for lane, size in sizes.items()}
    return found | {"down": rollout.down.of(len(hosts))}


@given(hosts=clouds(), rollout=rollouts(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_never_more_than_the_limits_and_every_host_once_and_in_order(
    hosts: list[ComputeHost], rollout: Rollout, data: st.DataObject
) -> None:
    by_name, limits = {host.name: host for host in hosts}, limits_of(hosts, rollout)

    def watch(cloud: Cloud) -> None:
        now_down = Counter(lane for name in cloud.down for lane in lanes_of(by_name[name], rollout))
        assert all(now_down[lane] <= limits[lane] for lane in now_down), (now_down, limits)

    seconds = {host.name: STEPS * data.draw(st.integers(1, 200)) for host in hosts}
    cloud = Cloud(seconds, watch=watch)
    waves = waves_of(hosts, rollout)
    assert carry_out([order_of(wave, cloud) for wave in waves], cloud) is Ending.DONE
    assert sorted(cloud.order) == sorted(by_name)
    assert all(host.done == STEPS for host in cloud.hosts.values())
    begun = {name: number for number, name in enumerate(cloud.order)}
    for wave, later in pairwise(waves):
        assert max(begun[name] for name in wave.hosts) < min(begun[name] for name in later.hosts)
    for wave in waves:  # hosts that the same limits bind begin in the wave's order: fewest instances first
        alike: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for name, lanes in wave.hosts.items():
            alike[lanes].append(name)
        for names in alike.values():
            assert names == sorted(names, key=begun.__getitem__)
            assert names == sorted(names, key=lambda name: (by_name[name].instances, name))


@given(hosts=clouds(least=40, most=120), data=st.data(), down=st.integers(2, 8), share=st.integers(10, 40))
@settings(max_examples=60, deadline=None)
def test_it_takes_little_longer_than_the_limits_allow(
    hosts: list[ComputeHost], data: st.DataObject, down: int, share: int
) -> None:
    """The bound: what each limit has to let through, one after the other, and the longest host.

    A host is not divided: the last one of a lane may begin when all others are over.
    """
    rollout = Rollout(
        waves=(Share(100, percent=True),), down=Share(down), down_per_zone=Share(share, percent=True)
    )
    (_, wave) = waves_of(hosts, rollout)
    seconds = {name: STEPS * data.draw(st.integers(10, 60)) for name in wave.hosts}
    cloud = Cloud(seconds)
    assert carry_out([order_of(wave, cloud)], cloud) is Ending.DONE
    work = Counter[str]()
    for name, lanes in wave.hosts.items():
        work.update(dict.fromkeys(lanes, seconds[name]))
    bound = max(*(work[lane] / limit for lane, limit in wave.limits.items()), *seconds.values())
    took = max(host.ends[-1] for host in cloud.hosts.values())
    assert took >= bound - 1e-6
    assert took <= 1.1 * bound + max(seconds.values())


@given(hosts=clouds(least=2), rollout=rollouts(), failures=st.integers(0, 3), data=st.data())
@settings(max_examples=60, deadline=None)
def test_no_host_begins_once_the_failures_are_more_than_allowed_and_a_resume_retries_them_first(
    hosts: list[ComputeHost], rollout: Rollout, failures: int, data: st.DataObject
) -> None:
    wave = waves_of(hosts, replace(rollout, waves=(Share(100, percent=True),)))[-1]
    names = st.sampled_from(list(wave.hosts))
    fail = data.draw(st.dictionaries(names, st.integers(0, STEPS - 1), max_size=6))
    expected = len(fail)

    def watch(cloud: Cloud) -> None:
        fresh = [
            name for name in cloud.down if cloud.hosts[name].done == 0 and len(cloud.hosts[name].begins) == 1
        ]
        if len(cloud.failed) > failures:
            at = cloud.hosts[cloud.failed[failures]].ends[-1]
            assert all(cloud.hosts[name].begins[0] <= at for name in fresh)

    cloud = Cloud(dict.fromkeys(wave.hosts, 30), fail=dict(fail), watch=watch)
    ending = carry_out([order_of(wave, cloud, failures=failures)], cloud)
    assert ending is (Ending.FAILED if fail else Ending.DONE)
    assert not cloud.down, "what was begun comes to its end"
    if expected <= failures:
        assert sorted(name for name in wave.hosts if cloud.hosts[name].done < STEPS) == sorted(fail)
    begun = [name for name in wave.hosts if cloud.hosts[name].begins and cloud.hosts[name].done < STEPS]
    before, cloud.fail, cloud.watch = len(cloud.order), {}, lambda _: None
    assert carry_out([order_of(wave, cloud, begun=begun)], cloud) is Ending.DONE
    assert all(host.done == STEPS for host in cloud.hosts.values())
    fresh = set(cloud.order[before:]) - set(begun)
    again = [name for name in begun if cloud.hosts[name].done == STEPS]
    assert set(again) == set(begun)
    assert not fresh & set(begun)


@given(hosts=clouds(least=2, most=30), down=st.integers(1, 5), after=st.integers(1, 40))
@settings(max_examples=50, deadline=None)
def test_what_a_dead_process_has_begun_comes_first_and_counts_as_down(
    hosts: list[ComputeHost], down: int, after: int
) -> None:
    rollout = Rollout(waves=(Share(100, percent=True),), down=Share(down))
    wave = waves_of(hosts, rollout)[-1]
    cloud = Cloud(dict.fromkeys(wave.hosts, 30))
    taken = 0

    def stopping() -> bool:
        nonlocal taken
        taken += 1
        return taken > after

    ending = carry_out([order_of(wave, cloud)], cloud, stopping)
    begun = [name for name in wave.hosts if 0 < cloud.hosts[name].done < STEPS]
    cloud.down = set(begun)  # a host with a part of its steps done is down while nobody works on it
    most: list[int] = []
    first = len(cloud.order)
    cloud.watch = lambda cloud: most.append(len(cloud.down))
    assert carry_out([order_of(wave, cloud, begun=begun)], cloud) is Ending.DONE
    assert max(most, default=0) <= down
    assert ending in {Ending.STOPPED, Ending.DONE}
    assert not set(cloud.order[first:]) & set(begun)
    assert sorted(cloud.order) == sorted(wave.hosts)


def one_after_the_other(stage: StageOrder, hosts: Sequence[str]) -> StageOrder:
    """Return a stage in which the last step of each host also needs the last one of the host before it."""
    last = [f"{host}.{STEPS - 1}" for host in hosts]
    left = {node.id for node in stage.nodes}
    before = {later: earlier for earlier, later in pairwise(last) if earlier in left}
    nodes = [
        replace(node, needs=(*node.needs, *filter(None, (before.get(node.id),)))) for node in stage.nodes
    ]
    return replace(stage, nodes=nodes)


@given(hosts=clouds(least=2, most=30), rollout=rollouts(), after=st.integers(0, 60), data=st.data())
@settings(max_examples=100, deadline=None)
def test_hosts_that_need_one_another_never_keep_each_other_from_beginning(
    hosts: list[ComputeHost], rollout: Rollout, after: int, data: st.DataObject
) -> None:
    """Also where some fail, the run is stopped or its process dies, and goes on: as every rollback has to."""
    by_name, limits = {host.name: host for host in hosts}, limits_of(hosts, rollout)
    wave = waves_of(hosts, replace(rollout, waves=(Share(100, percent=True),)))[-1]
    order = data.draw(st.permutations(list(wave.hosts)))
    seconds = {name: STEPS * data.draw(st.integers(1, 200)) for name in wave.hosts}
    fail = st.dictionaries(st.sampled_from(order), st.integers(0, STEPS - 1), max_size=2)

    def watch(cloud: Cloud) -> None:
        now_down = Counter(lane for name in cloud.down for lane in lanes_of(by_name[name], rollout))
        assert all(now_down[lane] <= limits[lane] for lane in now_down), (now_down, limits)

    cloud = Cloud(seconds, fail=data.draw(fail), watch=watch)
    taken = 0

    def stopping() -> bool:
        nonlocal taken
        taken += 1
        return taken > after

    carry_out([one_after_the_other(order_of(wave, cloud), order)], cloud, stopping)
    begun = [name for name, host in cloud.hosts.items() if host.begins and host.done < STEPS]
    cloud.fail, cloud.watch = {}, lambda _: None
    stage = one_after_the_other(order_of(wave, cloud, begun=begun), order)
    assert carry_out([stage], cloud) is Ending.DONE
    assert cloud.over == order


@dataclass
class Clocked:
    """Maintenance windows by the simulated clock; ``rests`` are the pauses that were made."""

    windows: tuple[Window, ...]
    rests: list[tuple[datetime, datetime]] = field(default_factory=list)

    def wait(self, seconds: int) -> float:
        return (opening(self.windows, now(), seconds) - now()).total_seconds()

    async def rest(self, seconds: float, stopping: Callable[[], bool]) -> None:
        del stopping
        began = now()
        await asyncio.sleep(seconds)
        self.rests.append((began, now()))


@given(
    hosts=clouds(most=40),
    down=st.integers(1, 4),
    window=st.builds(
        "{} {:02}:00-{:02}:00 {}".format,
        st.sampled_from(["mon-sun", "mon-fri", "sat,sun", "wed"]),
        st.integers(0, 11),
        st.integers(13, 23),
        st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York"]),
    ).map(Window.parse)
    | st.just(Window.parse("22:00-05:00 Europe/Berlin")),
    data=st.data(),
)
@settings(max_examples=50, deadline=None)
def test_no_host_begins_that_would_not_be_done_when_the_window_closes(
    hosts: list[ComputeHost], down: int, window: Window, data: st.DataObject
) -> None:
    wave = waves_of(hosts, Rollout(sample=len(hosts), down=Share(down)))[0]
    cloud = Cloud({name: STEPS * data.draw(st.integers(200, HOUR // STEPS)) for name in wave.hosts})
    begun: dict[str, datetime] = {}

    def watch(cloud: Cloud) -> None:
        for name in cloud.down:
            begun.setdefault(name, now())

    cloud.watch = watch
    hours = Clocked((window,))
    assert carry_out([order_of(wave, cloud, hours=hours)], cloud) is Ending.DONE
    for name, began in begun.items():
        end = began + timedelta(seconds=cloud.seconds[name])
        assert any(opens <= began and end <= closes for opens, closes in window.spans(began)), (name, began)
    assert len(begun) == len(hosts)
