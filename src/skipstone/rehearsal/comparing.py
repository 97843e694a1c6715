"""What an API answers against what the source's databases held. Pure: rows in, differences out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skipstone.catalog import Release
from skipstone.catalog.serving import Change, Difference
from skipstone.rehearsal.facts import Held, Key, Row, key_of, normal


@dataclass(frozen=True)
class Differing:
    """One row, or one field of a row, that is not what it was; ``change`` is what made it so, where known."""

    difference: Difference
    key: Key
    field: str = ""
    before: Any = None
    after: Any = None
    change: Change | None = None


@dataclass(frozen=True)
class Compared:
    """One kind: how many rows were compared, in which fields, and what differs."""

    held: Held
    rows: int = 0
    differing: tuple[Differing, ...] = ()
    error: str = ""


def compare(held: Held, answered: Sequence[Row], changes: Iterable[Change], own: frozenset[str]) -> Compared:
    """Compare every row that was held with the one of the same key.

    Rows are the rehearsal's own, and no difference, where one of their values is one of ``own``. Where not
    all rows were read, both sides end at the last key that both have.
    """
    now = {key_of(held.resource, row): row for row in answered}
    before, after = _both_up_to_the_same(held, now)
    found = [Differing(Difference.MISSING, key) for key in before if key not in after]
    found += [
        Differing(Difference.ADDED, key)
        for key, row in after.items()
        if key not in before and own.isdisjoint(_texts(row))
    ]
    for key in before.keys() & after.keys():
        found += _fields(key, before[key], after[key])
    known = tuple(change for change in changes if change.resource == held.resource.name)
    explained = tuple(_explained(one, known) for one in found)
    return Compared(held, len(before), explained)


def made_on(changes: Iterable[Change], passed: Iterable[Release]) -> tuple[Change, ...]:
    """Return the changes that the code of one of these releases makes."""
    passed = tuple(passed)
    return tuple(change for change in changes if any(change.covers(release) for release in passed))


def _both_up_to_the_same(held: Held, now: Mapping[Key, Row]) -> tuple[Mapping[Key, Row], Mapping[Key, Row]]:
    if len(held.rows) == held.total or not now:
        return held.rows, now
    last = min(max(held.rows), max(now))
    return (
        {key: row for key, row in held.rows.items() if key <= last},
        {key: row for key, row in now.items() if key <= last},
    )


def _fields(key: Key, before: Row, after: Row) -> Iterable[Differing]:
    for name, value in before.items():
        was, is_now = normal(value), normal(after[name])
        # some of what MariaDB computes is text in its JSON: EXISTS is "1"
        if was != is_now and str(was) != str(is_now):
            yield Differing(Difference.CHANGED, key, name, was, is_now)


def _explained(one: Differing, changes: Iterable[Change]) -> Differing:
    for change in changes:
        if change.difference is one.difference and (not one.field or one.field in change.fields):
            return Differing(one.difference, one.key, one.field, one.before, one.after, change)
    return one


def _texts(row: Row) -> set[str]:
    return {value for value in row.values() if isinstance(value, str)}
