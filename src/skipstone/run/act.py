"""What a run has done, read from its journal: the acts that a rollback undoes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from skipstone.run.runview import Event
from skipstone.run.state import Kind
from skipstone.steps.step import Impact, Reversibility

LEAST_DEADLINE = 600
"""Seconds that undoing may take at least."""


@dataclass(frozen=True)
class Act:
    """What the journal says of a step that was begun.

    ``holder`` is the step that brings the whole host back, to before this one, if there is one and this one
    ``changes`` something. ``intact`` is there where it holds a host itself, and has been seen to.
    """

    step: str
    began: datetime
    parameters: Mapping[str, Any]
    kind: str
    title: str
    needs: tuple[str, ...]
    impact: Impact
    deadline: int
    reversibility: Reversibility
    revert: Mapping[str, str] | None
    intact: Mapping[str, str] | None
    holder: str

    @classmethod
    def of(cls, event: Event, *, holder: str) -> "Act":
        """Return the act that an INTENT tells of."""
        facts = event.payload
        known = facts["parameters"]
        if facts.get("undone_anyway") or not facts.get("changes", True):
            holder = ""
        return cls(
            step=known["id"],
            began=event.time,
            parameters=known,
            kind=known["kind"],
            title=known["title"],
            needs=tuple(known["needs"]),
            impact=Impact(known["impact"]),
            deadline=max(LEAST_DEADLINE, known["deadline"]),
            reversibility=Reversibility(facts["reversibility"]),
            revert=None if holder else facts["revert"],
            intact=None if holder else facts.get("intact"),
            holder=holder,
        )


def acts_of(events: Iterable[Event]) -> dict[str, Act]:
    """Return every step that was begun and is not undone yet.

    Nothing is brought back from a snapshot that was not whole; nothing was done after it either.
    """
    acts: dict[str, Act] = {}
    holds: dict[str, tuple[str, ...]] = {}
    holders: dict[str, str] = {}
    for event in events:
        name, facts = event.step or "", event.payload
        if event.kind is Kind.INTENT:
            before = acts.get(name)
            acts[name] = Act.of(event, holder=before.holder if before else holders.get(facts["host"], ""))
            holds[name] = tuple(facts.get("holds", ()))
        elif event.kind is Kind.VERIFIED:
            holders = dict.fromkeys(holds.get(name, ()), name) | holders
        elif event.kind is Kind.CHECKPOINT_REACHED:
            acts = {step: act for step, act in acts.items() if step not in facts["undone"]}
            holders = {host: step for host, step in holders.items() if step not in facts["undone"]}
    proven = set(holders.values())
    unproven = [name for name in acts if holds[name] and name not in proven]
    return acts | {name: replace(acts[name], revert=None, intact=None) for name in unproven}
