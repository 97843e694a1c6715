"""In which waves hosts are taken down, and how many at the same time: an operator's policy, as data."""

from dataclasses import dataclass
from typing import Self

from skipstone.errors import InputError
from skipstone.plan.window import Window

MANY = 20
"""Computes from which on the first wave after the sample is not all of them."""


@dataclass(frozen=True)
class Share:
    """A number of hosts, or so many per cent of them."""

    number: int
    percent: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return what ``5`` or ``10%`` says; raise InputError where it is neither, or nothing."""
        digits = text.removesuffix("%")
        found = cls(int(digits), percent=digits != text) if digits.isascii() and digits.isdigit() else None
        if not found or found.number < 1 or (found.percent and found.number > _ALL):
            raise InputError(
                f"{text!r} is no number of hosts, and no part of them",
                remedy="give a number from 1 on, or a part such as 10%",
            )
        return found

    def of(self, total: int) -> int:
        """Return how many of ``total`` that are, at least one."""
        return max(1, total * self.number // _ALL) if self.percent else self.number

    def __str__(self) -> str:
        return f"{self.number}{'%' if self.percent else ''}"


_ALL = 100
ONE = Share(1)


@dataclass(frozen=True)
class Rollout:
    """What an operator wants of the computes' upgrade.

    ``sample`` is how many come first, or ``named`` which. ``waves`` are the sizes of those that follow,
    shares of all computes; what is left over is one wave more. Where none is said, all go in one, or in a
    large cloud a tenth first. ``down`` is how many hosts may be down at the same time, in all and of one
    availability zone, host aggregate or rack. Up to ``failures`` hosts of a wave may fail before no other
    begins. ``postponed`` ones come last of all, when somebody says so. No host begins outside ``windows``. A
    gate stands before the sample and the wave after it, or before ``every_wave``.
    """

    sample: int = 1
    named: tuple[str, ...] = ()
    waves: tuple[Share, ...] = ()
    down: Share = ONE
    down_per_zone: Share | None = None
    down_per_aggregate: Share | None = None
    down_per_rack: Share | None = None
    failures: int = 0
    postponed: tuple[str, ...] = ()
    windows: tuple[Window, ...] = ()
    every_wave: bool = False

    def sizes(self, total: int) -> tuple[Share, ...]:
        """Return the sizes of the waves after the sample, but the last one's, which takes what is left."""
        tenth = (Share(10, percent=True),) if total >= MANY else ()
        return self.waves or tenth
