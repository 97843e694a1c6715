"""The waves of a rollout: which hosts go together, and the limits that they share. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from skipstone.checks.check import listed
from skipstone.errors import InputError
from skipstone.plan.rollout import Rollout, Share

SAMPLE, COMPUTES, POSTPONED = "sample", "computes", "postponed"
DOWN = "down"


class ComputeHost(NamedTuple):
    """What of a compute matters here; ``aggregates`` are None where nobody knows, zone and rack as well."""

    name: str
    instances: int = 0
    zone: str | None = None
    aggregates: tuple[str, ...] | None = None
    rack: str | None = None


class Wave(NamedTuple):
    """Hosts that go together, in the order in which they begin, each with its lanes; and the lanes' limits.

    ``name`` is the stage's.
    """

    name: str
    title: str
    hosts: dict[str, tuple[str, ...]]
    limits: dict[str, int]

    def together(self, hosts: Iterable[str]) -> int:
        """Return how many of some of its hosts may be down at the same time, at the most."""
        lanes = [self.hosts[host] for host in hosts]
        there = Counter(chain.from_iterable(lanes))
        found = [len(lanes)]
        for kind in {_kind(lane) for lane in self.limits}:
            free = sum(not any(_kind(lane) == kind for lane in own) for own in lanes)
            limited = (min(limit, there[lane]) for lane, limit in self.limits.items() if _kind(lane) == kind)
            found.append(free + sum(limited))
        return min(found)


def _kind(lane: str) -> str:
    """Return what a lane is of: hosts that are down at all, or those of one zone, aggregate or rack."""
    return lane.partition(" ")[0]


def waves_of(hosts: Iterable[ComputeHost], rollout: Rollout) -> tuple[Wave, ...]:
    """Return the waves, each host in one of them; in each those with the fewest instances begin first.

    Raise InputError where the rollout names a host that is none, or limits by what is not known of a host.
    """
    ordered = sorted(hosts, key=lambda host: (host.instances, host.name))
    _expect_known(ordered, rollout)
    postponed = [host for host in ordered if host.name in rollout.postponed]
    limits = _Limits(ordered, rollout)
    groups = _split([host for host in ordered if host.name not in rollout.postponed], rollout)
    waves = [_wave(name, title, found, limits) for name, title, found in groups]
    if postponed:
        waves.append(_wave(POSTPONED, "Upgrade the postponed computes", postponed, limits))
    return tuple(waves)


def _expect_known(hosts: Sequence[ComputeHost], rollout: Rollout) -> None:
    names = {host.name for host in hosts}
    unknown = [name for name in (*rollout.named, *rollout.postponed) if name not in names]
    if unknown:
        raise InputError(
            f"no compute is called {listed(unknown)}", remedy=f"the computes are: {listed(sorted(names), 40)}"
        )
    both = [name for name in rollout.named if name in rollout.postponed]
    if both:
        raise InputError(f"{listed(both)} cannot be in the sample, and be postponed")


def _split(
    hosts: Sequence[ComputeHost], rollout: Rollout
) -> Iterator[tuple[str, str, Sequence[ComputeHost]]]:
    """Yield name, title and hosts of each wave but the postponed ones'."""
    sample = [host for host in hosts if host.name in rollout.named] or hosts[: rollout.sample]
    if not sample:
        return
    yield SAMPLE, f"Upgrade the first {_computes(len(sample))}", sample
    chosen = {host.name for host in sample}
    rest = [host for host in hosts if host.name not in chosen]
    parts: list[Sequence[ComputeHost]] = []
    for size in rollout.sizes(len(hosts)):
        parts.append(rest[: size.of(len(hosts))])
        rest = rest[size.of(len(hosts)) :]
    parts = [part for part in (*parts, rest) if part]
    if len(parts) == 1:
        yield COMPUTES, "Upgrade the other computes", parts[0]
        return
    for number, part in enumerate(parts, start=1):
        title = f"Upgrade wave {number} of {len(parts)}: {_computes(len(part))}"
        yield f"{COMPUTES}-{number}", title, part


def _computes(number: int) -> str:
    return "compute" if number == 1 else f"{number:,} computes"


def _wave(name: str, title: str, hosts: Sequence[ComputeHost], limits: "_Limits") -> Wave:
    lanes = {host.name: limits.lanes(host) for host in hosts}
    there = Counter(lane for found in lanes.values() for lane in found)
    binding = {lane: limit for lane, limit in limits.all.items() if lane == DOWN or there[lane] > limit}
    kept = {host: tuple(lane for lane in found if lane in binding) for host, found in lanes.items()}
    down = limits.all[DOWN]
    way = "one at a time" if down == 1 else f"at most {down:,} at a time"
    return Wave(name, f"{title}, {way}" if len(hosts) > 1 else title, kept, binding)


class _Limits:
    """How many hosts of the cloud may be down at once, in each lane."""

    def __init__(self, hosts: Sequence[ComputeHost], rollout: Rollout) -> None:
        self._shares = {
            "zone": rollout.down_per_zone,
            "aggregate": rollout.down_per_aggregate,
            "rack": rollout.down_per_rack,
        }
        self._lanes = {host.name: tuple(self._lanes_of(host)) for host in hosts}
        sizes = Counter(lane for lanes in self._lanes.values() for lane in lanes)
        down = rollout.down.of(len(hosts))
        self.all = {lane: self._share(lane).of(size) for lane, size in sizes.items()}
        # what allows as many as may be down in all limits nothing
        self.all = {DOWN: down} | {lane: limit for lane, limit in self.all.items() if limit < down}

    def lanes(self, host: ComputeHost) -> tuple[str, ...]:
        """Return the lanes of a host."""
        return (DOWN, *self._lanes[host.name])

    def _share(self, lane: str) -> Share:
        share = self._shares[_kind(lane)]
        assert share  # noqa: S101 - such a lane is there for its limit
        return share

    def _lanes_of(self, host: ComputeHost) -> Iterator[str]:
        known: dict[str, tuple[str, ...] | None] = {
            "zone": (host.zone,) if host.zone else None,
            "aggregate": host.aggregates,
            "rack": (host.rack,) if host.rack else None,
        }
        for kind, names in known.items():
            if self._shares[kind] and names is None:
                raise InputError(_UNKNOWN[kind], where=host.name, remedy=_REMEDIES[kind])
            if self._shares[kind]:
                yield from (f"{kind} {name}" for name in names or ())


_UNKNOWN = {
    "zone": "the availability zone of this compute is not known",
    "aggregate": "the host aggregates of this cloud are not known",
    "rack": "the inventory does not say in which rack this compute is",
}
_DISCOVER = "discover again: an older Skipstone did not ask for it, or nova has not answered"
_REMEDIES = {
    "zone": _DISCOVER,
    "aggregate": _DISCOVER,
    "rack": "give every compute its `zone` in the inventory, and discover again",
}
