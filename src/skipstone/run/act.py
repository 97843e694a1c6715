"""What a run has done, read from its journal: the acts that a rollback undoes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from shlex import quote
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
    ``changes`` something. ``intact`` is there where it holds a host itself, and has been seen to; it finds
    what its verification said as ``$verified``. ``on`` is where its command ran. It ``began`` with its latest
    attempt. ``first`` is the number of the event with which its first attempt began, ``seen`` that of its
    verification: their order, unlike that of times, is not changed by a clock that is set.
    """

    step: str
    on: str
    first: int
    began: datetime
    parameters: Mapping[str, Any]
    kind: str
    title: str
    needs: tuple[str, ...]
    group: str
    impact: Impact
    deadline: int
    transient: bool
    reversibility: Reversibility
    revert: Mapping[str, str] | None
    revert_rest: Mapping[str, str] | None
    intact: Mapping[str, str] | None
    holds: tuple[str, ...]
    holder: str
    seen: int = 0

    @classmethod
    def of(cls, event: Event, *, holder: str) -> "Act":
        """Return the act that an INTENT tells of."""
        facts = event.payload
        known = facts["parameters"]
        if facts.get("undone_anyway") or not facts.get("changes", True):
            holder = ""
        return cls(
            step=known["id"],
            on=facts["host"],
            first=event.seq,
            began=event.time,
            parameters=known,
            kind=known["kind"],
            title=known["title"],
            needs=tuple(known["needs"]),
            group=known.get("group", ""),
            impact=Impact(known["impact"]),
            deadline=max(LEAST_DEADLINE, known["deadline"]),
            transient=known["transient"],
            reversibility=Reversibility(facts["reversibility"]),
            revert=None if holder else facts["revert"],
            revert_rest=None if holder else facts.get("revert_rest"),
            intact=None if holder else facts.get("intact"),
            holds=tuple(facts.get("holds", ())),
            holder=holder,
        )


def acts_of(events: Iterable[Event]) -> dict[str, Act]:
    """Return every step that was begun and is not undone yet.

    Nothing is brought back from a snapshot that was not whole; nothing was done after it either.
    """
    acts: dict[str, Act] = {}
    holders: dict[str, str] = {}
    for event in events:
        name, facts = event.step or "", event.payload
        if event.kind is Kind.INTENT:
            before = acts.get(name)
            act = Act.of(event, holder=before.holder if before else holders.get(facts["host"], ""))
            acts[name] = replace(act, first=before.first) if before else act
        elif event.kind is Kind.VERIFIED and name in acts:
            acts[name] = _verified(acts[name], event)
            holders = dict.fromkeys(acts[name].holds, name) | holders
        elif event.kind is Kind.CHECKPOINT_REACHED:
            acts = {step: act for step, act in acts.items() if step not in facts["undone"]}
            holders = {host: step for host, step in holders.items() if step not in facts["undone"]}
    proven = set(holders.values())
    unproven = [name for name, act in acts.items() if act.holds and name not in proven]
    return acts | {name: replace(acts[name], revert=None, revert_rest=None, intact=None) for name in unproven}


def _verified(act: Act, event: Event) -> Act:
    said = quote(event.payload.get("evidence", ""))
    intact = act.intact and {**act.intact, "script": f"verified={said}\n{act.intact['script']}"}
    return replace(act, intact=intact, seen=event.seq)
