"""What a cloud looks like from outside, and what differs between two looks.

A difference is EXPECTED where an upgrade is meant to make it (a newer API), EXPLAINABLE where users or the
upgrade's own moves make it (new things, another host), and else a LOSS: something that was there is gone,
broken, or not what it was.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import Field

from skipstone.cloud.model import Fact
from skipstone.errors import ExitCode, InputError


class Subject(StrEnum):
    """What is looked at."""

    API = "API"
    INSTANCE = "instance"
    NETWORK = "network"
    ROUTER = "router"
    FLOATING_IP = "floating IP"
    PORT = "port"
    VOLUME = "volume"
    ALLOCATION = "allocation"
    QUOTA = "quota"
    STACK = "stack"
    IMAGE = "image"


class Thing(Fact):
    """One thing of the cloud; ``facts`` are what must be the same later, by name."""

    subject: Subject
    id: str
    name: str
    facts: dict[str, str]


class Look(Fact):
    """All that was seen; ``unasked`` maps a subject to why it could not be asked about."""

    format: Literal[1] = 1
    cloud: str
    taken_at: datetime
    things: tuple[Thing, ...]
    unasked: dict[Subject, str] = Field(default_factory=dict)


class Weight(StrEnum):
    """How grave a difference is."""

    EXPECTED = "expected"
    EXPLAINABLE = "explainable"
    LOSS = "loss"


class Difference(Fact):
    """One difference: a fact of a thing, or the whole thing where ``fact`` is empty; None is absent."""

    weight: Weight
    subject: Subject
    id: str
    name: str
    fact: str
    before: str | None
    after: str | None


class Trial(Fact):
    """One thing that was tried on the cloud; ``detail`` is the evidence, or what went wrong."""

    name: str
    ok: bool
    seconds: float
    detail: str = ""


class Verification(Fact):
    """Two looks compared, and what was tried; ``counts`` says how many of each subject there are now."""

    before: datetime
    after: datetime
    counts: dict[Subject, int]
    differences: tuple[Difference, ...]
    trials: tuple[Trial, ...] = ()

    @property
    def losses(self) -> tuple[Difference, ...]:
        """The differences that are losses."""
        return tuple(one for one in self.differences if one.weight is Weight.LOSS)

    @property
    def exit_code(self) -> ExitCode:
        """0 where all is the same or better, 1 where it can be explained, 4 where something is lost."""
        weights = {one.weight for one in self.differences}
        if Weight.LOSS in weights or not all(trial.ok for trial in self.trials):
            return ExitCode.NEEDS_OPERATOR
        return ExitCode.WARNINGS if Weight.EXPLAINABLE in weights else ExitCode.DONE


# what an upgrade's own moves change: drained computes, rescheduled routers
_MOVES = frozenset({(Subject.INSTANCE, "host"), (Subject.PORT, "host"), (Subject.ALLOCATION, "providers")})
_WELL = re.compile(r"active|available|in-use|.*_complete", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")


def save_look(look: Look, path: Path) -> None:
    """Write what was seen; raise InputError where that is not possible."""
    try:
        path.write_text(look.model_dump_json(indent=1) + "\n")
    except OSError as fault:
        raise InputError("this file cannot be written", where=str(path), evidence=str(fault)) from fault


def load_look(path: Path) -> Look:
    """Read what was seen earlier; raise InputError where it is not that."""
    try:
        return Look.model_validate_json(path.read_text())
    except (OSError, ValueError) as fault:
        raise InputError(
            "this is not an earlier look at a cloud",
            where=str(path),
            evidence=str(fault)[:500],
            remedy="make one with: skipstone verify -i INVENTORY --save FILE",
        ) from fault


def compare(before: Look, after: Look, trials: Iterable[Trial] = ()) -> Verification:
    """Return what differs, the gravest first."""
    found = sorted(_differences(before, after), key=lambda one: -list(Weight).index(one.weight))
    subjects = [thing.subject for thing in after.things]
    return Verification(
        before=before.taken_at,
        after=after.taken_at,
        counts={subject: subjects.count(subject) for subject in Subject if subject in subjects},
        differences=tuple(found),
        trials=tuple(trials),
    )


# what users make, and would miss
_USERS = (
    *(Subject.INSTANCE, Subject.VOLUME, Subject.NETWORK, Subject.ROUTER),
    *(Subject.FLOATING_IP, Subject.STACK, Subject.IMAGE),
)


def users_changes(before: Look, after: Look) -> list[str]:
    """Return a line for each thing of users that was made, removed or moved between two looks."""
    lines = [f"{subject}s: not known, {why}" for subject, why in after.unasked.items() if subject in _USERS]
    for one in _differences(before, after):
        whole = one.id and not one.fact
        if one.subject in _USERS and (whole or (one.subject, one.fact) in _MOVES):
            what = (
                f"moved from {one.before} to {one.after}" if one.fact else "made" if one.after else "removed"
            )
            lines.append(f"{one.subject} {one.name or '(no name)'} ({one.id}): {what}")
    return lines


def _differences(before: Look, after: Look) -> Iterator[Difference]:
    old = {(thing.subject, thing.id): thing for thing in before.things}
    new = {(thing.subject, thing.id): thing for thing in after.things}
    for subject in Subject:
        if subject in after.unasked and subject not in before.unasked:
            why = after.unasked[subject]
            yield Difference(
                weight=Weight.LOSS, subject=subject, id="", name="", fact="", before="asked", after=why
            )
    for key, thing in old.items():
        if key in new:
            yield from _changes(thing, new[key])
        elif thing.subject not in after.unasked:
            yield _whole(thing, Weight.LOSS, "there", None)
    for key, thing in new.items():
        if key not in old and thing.subject not in before.unasked:
            yield _whole(thing, Weight.EXPLAINABLE, None, "there")


def _whole(thing: Thing, weight: Weight, before: str | None, after: str | None) -> Difference:
    return Difference(
        weight=weight,
        subject=thing.subject,
        id=thing.id,
        name=thing.name,
        fact="",
        before=before,
        after=after,
    )


def _changes(old: Thing, new: Thing) -> Iterator[Difference]:
    for fact in dict.fromkeys([*old.facts, *new.facts]):
        before, after = old.facts.get(fact), new.facts.get(fact)
        if before != after:
            whole = _whole(new, weigh(old.subject, fact, before, after), before, after)
            yield whole.model_copy(update={"fact": fact})


def weigh(subject: Subject, fact: str, before: str | None, after: str | None) -> Weight:
    """Return how grave it is that a fact was ``before`` and is ``after``, which differ."""
    if after is None:
        return Weight.LOSS
    if before is None or (subject, fact) in _MOVES:
        return Weight.EXPLAINABLE
    if subject is Subject.API and fact == "version":
        return Weight.EXPECTED if _numbers(after) > _numbers(before) else Weight.LOSS
    if fact == "status" and _WELL.fullmatch(after):
        return Weight.EXPLAINABLE
    return Weight.LOSS


def _numbers(version: str) -> list[int]:
    return [int(part) for part in _NUMBER.findall(version)]
