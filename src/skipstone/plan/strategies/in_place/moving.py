"""How long instances are on their way where drains share the limits on migrations: guessed, and pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from skipstone.plan.waves import Wave

SECONDS = 60
"""Guessed for one instance's move: memory, handshakes and verification."""

AT_ONCE, PER_SOURCE, PER_TARGET = 4, 2, 1
"""What ``skipstone drain`` allows by itself: migrations in all, from one host, to one host."""


@dataclass(frozen=True)
class Traffic:
    """What the hosts of a wave share: up to ``hosts`` of them are emptied or filled at the same time.

    ``targets`` computes stay open meanwhile; ``at_once`` and ``per_target`` limit migrations, in all and to
    one host. Each host is taken to have its share for as long as all of them are at it, as when a wave
    begins: who has fewer instances, or begins later, takes no longer than that.
    """

    hosts: int
    targets: int
    at_once: int = AT_ONCE
    per_target: int = PER_TARGET

    def leaving(self, instances: int) -> int:
        """Return the seconds in which so many instances leave one host."""
        room = Fraction(self.per_target * self.targets, self.hosts)
        return _seconds(instances, Fraction(PER_SOURCE), room, self._share)

    def returning(self, instances: int) -> int:
        """Return the seconds in which so many instances come back to one host."""
        return _seconds(instances, Fraction(self.per_target), self._share)

    @property
    def _share(self) -> Fraction:
        return Fraction(self.at_once, self.hosts)


def _seconds(instances: int, *at_a_time: Fraction) -> int:
    return ceil(instances * SECONDS / min(at_a_time))


def traffic_of(
    waves: Iterable[Wave], drained: frozenset[str], at_once: int | None, per_target: int | None
) -> Mapping[str, Traffic]:
    """Return the traffic that each of the ``drained`` hosts is a part of."""
    waves = tuple(waves)
    computes = sum(len(wave.hosts) for wave in waves)
    found: dict[str, Traffic] = {}
    for wave in waves:
        moving = [host for host in wave.hosts if host in drained]
        if moving:
            targets = max(1, computes - wave.together(wave.hosts))
            traffic = Traffic(wave.together(moving), targets, at_once or AT_ONCE, per_target or PER_TARGET)
            found |= dict.fromkeys(moving, traffic)
    return found
