"""Budgets: how much of an upgrade users may feel before the run pauses.

A budget is the operator's, given with ``apply`` or ``resume``, and kept in the journal with the run. What was
spent of it is measured elsewhere (``impact/spending.py``); here is what it is.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from skipstone.errors import InputError


class Unit(StrEnum):
    """What a budget's limit is."""

    SECONDS = "a time, as 90s, 5m or 1h"
    SHARE = "a share, as 0.1%"
    COUNT = "a number, as 0"


class Measure(StrEnum):
    """What a budget limits."""

    API_READS = "api-reads"
    API_WRITES = "api-writes"
    INSTANCE_GAP = "instance-gap"
    INSTANCE_LOSS = "instance-loss"
    INSTANCE_REBOOTS = "instance-reboots"
    PAIR_GAP = "pair-gap"
    DISK_GAP = "disk-gap"

    @property
    def unit(self) -> Unit:
        """What its limit is."""
        others = {Measure.INSTANCE_LOSS: Unit.SHARE, Measure.INSTANCE_REBOOTS: Unit.COUNT}
        return others.get(self, Unit.SECONDS)


MEANINGS = {
    Measure.API_READS: "seconds in all for which one API has answered no reads",
    Measure.API_WRITES: "seconds in all for which one API has taken no writes",
    Measure.INSTANCE_GAP: "seconds of the longest time without a reply of one instance",
    Measure.INSTANCE_LOSS: "share of all instances' replies that were lost",
    Measure.INSTANCE_REBOOTS: "how often instances have booted anew, of those that serve their boot-id",
    Measure.PAIR_GAP: "seconds of the longest time for which one instance has not reached another",
    Measure.DISK_GAP: "seconds of the longest time for which no write in a guest has come to its end",
}

_PERCENT = 100
_WRITTEN: dict[Unit, dict[str, float]] = {
    Unit.SECONDS: {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600},
    Unit.SHARE: {"%": 1 / _PERCENT},
    Unit.COUNT: {"": 1},
}
"""What may follow a value of each unit, and what that makes of it."""

_VALUE = re.compile(r"(\d+(?:\.\d+)?)\s*(%|s|m|min|h|)")
EXAMPLE = "for example: --budget api-writes=120s --budget api-writes:nova=5m --budget instance-loss=0.1%"


@dataclass(frozen=True)
class Budget:
    """One limit: seconds, a share (0.001 is 0.1 %), or a number.

    ``subject`` names one service, or one instance by name or id; then it stands instead of the budget of
    the same measure that names none.
    """

    measure: Measure
    limit: float
    subject: str = ""

    @property
    def name(self) -> str:
        """What it is called: ``api-writes`` or ``api-writes:nova``."""
        return f"{self.measure}:{self.subject}" if self.subject else str(self.measure)

    def figure(self, value: float) -> str:
        """Return a value of its measure as people write it."""
        match self.measure.unit:
            case Unit.SHARE:
                return f"{value * _PERCENT:.3g} %"
            case Unit.COUNT:
                return f"{value:.0f}"
            case Unit.SECONDS:
                return f"{value:.1f} s"

    @classmethod
    def named(cls, name: str, limit: float) -> "Budget":
        """Return the budget of a name; raise InputError where there is no such measure."""
        measure, _, subject = name.partition(":")
        if measure not in list(Measure):
            known = "\n".join(f"{one}: {text}" for one, text in MEANINGS.items())
            raise InputError(f"there is no budget {measure!r}", evidence=known, remedy=EXAMPLE)
        return cls(Measure(measure), limit, subject)


def parse_budget(text: str) -> Budget:
    """Return the budget that ``api-writes:nova=120s`` says; raise InputError where it says none."""
    name, _, value = text.rpartition("=")
    match = _VALUE.fullmatch(value.strip())
    budget = Budget.named(name.strip(), 0)
    unit = budget.measure.unit
    if match is None or match[2] not in _WRITTEN[unit] or (unit is Unit.COUNT and "." in match[1]):
        raise InputError(f"{text!r} is no budget: {budget.measure} is {unit}", remedy=EXAMPLE)
    return Budget(budget.measure, float(match[1]) * _WRITTEN[unit][match[2]], budget.subject)


@dataclass(frozen=True)
class Spent:
    """What was spent of a budget: by the one of whom it was the most, or by all where ``whose`` is empty."""

    budget: Budget
    value: float
    whose: str = ""

    @property
    def broken(self) -> bool:
        """Whether it was more than the budget allows."""
        return self.value > self.budget.limit

    @property
    def text(self) -> str:
        """The figures: ``nova 131.0 s of 120.0 s``."""
        figures = f"{self.budget.figure(self.value)} of {self.budget.figure(self.budget.limit)}"
        return f"{self.whose} {figures}".strip()


@dataclass(frozen=True)
class Allowance:
    """What an operator allows as a run begins or goes on: budgets, and broken ones that are ``accepted``."""

    budgets: tuple[Budget, ...] = ()
    accepted: tuple[str, ...] = ()
    who: str = ""
    why: str = ""

    def facts(self) -> dict[str, Any]:
        """Return it as an event of the journal has it; nothing where it says nothing."""
        if not self.budgets and not self.accepted:
            return {}
        limits = {budget.name: budget.limit for budget in self.budgets}
        return {"budgets": limits, "accepted": list(self.accepted), "allowed_by": self.who, "why": self.why}


def effective(budgets: Iterable[Budget], name: str, measure: Measure, *aliases: str) -> Budget | None:
    """Return the budget that holds for a subject by its name or aliases: its own, or that of all, or None."""
    of_measure = {budget.subject: budget for budget in budgets if budget.measure is measure}
    own = (of_measure[alias] for alias in (name, *aliases) if alias in of_measure)
    return next(own, of_measure.get(""))
