"""Gates: the run waits for a person, with what the decision is based on, and pauses when nobody comes."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from skipstone.checks.check import listed
from skipstone.errors import InputError
from skipstone.plan.plan import Gate, Plan, Stage
from skipstone.plan.rehearsed import said_of
from skipstone.run.decision import Decision, read_decision
from skipstone.run.directory import RunDirectory
from skipstone.run.journal import Journal
from skipstone.run.runview import GateView, RunView
from skipstone.run.state import GateState, Kind
from skipstone.steps.conversion import ConvertConfiguration, DeployConfiguration, changes
from skipstone.steps.database import SyncDatabase

PAUSE = 0.5
"""Seconds between two looks for a decision."""

Figures = Callable[[], Awaitable[list[str]]]


async def no_figures() -> list[str]:
    """Return nothing: nothing is measured."""
    return []


@dataclass(frozen=True)
class Consent:
    """What the operator has approved on the command line: ``who``, and per gate (or for ``every``) why."""

    who: str = ""
    every: str = ""
    gates: Mapping[str, str] = field(default_factory=dict)

    def why(self, gate: str) -> str:
        """Return why a gate may be passed unasked, or nothing."""
        return self.gates.get(gate) or self.every


class Gatekeeper:
    """Asks at the gates of one run. ``figures`` gives lines about what users have felt so far."""

    def __init__(
        self,
        plan: Plan,
        directory: RunDirectory,
        journal: Journal,
        *,
        consent: Consent,
        stopping: Callable[[], bool],
        figures: Figures = no_figures,
    ) -> None:
        self._plan = plan
        self._directory = directory
        self._journal = journal
        self._consent = consent
        self._stopping = stopping
        self._figures = figures
        self._unheard: set[int] = set()

    async def passed(self, gate: Gate) -> bool:
        """Return whether the run may go on: at once where it was approved before, else when it is.

        After a no, at the expiry, and where a stop is asked for, it may not.
        """
        before = self._journal.view.gate(gate.id)
        if before and before.state is GateState.APPROVED:
            return True
        told = await self._open(gate)
        if told is None:
            return False
        if why := self._consent.why(gate.id):
            return self._write(Kind.GATE_APPROVED, gate, self._consent.who, why)
        if before and before.state is GateState.OPEN:  # the process that waited has died
            decision = self._decision(before)
            if decision and _in_time(decision, before):
                return self._take(gate, decision)
        return await self._wait(gate, told)

    async def _open(self, gate: Gate) -> GateView | None:
        """Open the gate; None where a stop was asked for while the figures were made."""
        basis = [*basis_of(self._plan, self._journal.view, gate), *await self._figures()]
        if self._stopping():
            return None
        expires = datetime.now(UTC) + timedelta(seconds=gate.expires)
        self._journal.append(
            Kind.GATE_OPENED,
            gate=gate.id,
            title=gate.title,
            stage=gate.before,
            expires=expires.isoformat(timespec="seconds"),
            basis=basis,
        )
        opened = self._journal.view.gate(gate.id)
        assert opened is not None  # noqa: S101 - it was just written
        return opened

    async def _wait(self, gate: Gate, opened: GateView) -> bool:
        while not self._stopping():
            if decision := self._decision(opened):
                return self._take(gate, decision)
            if datetime.now(UTC) > opened.expires:
                return self._write(Kind.GATE_EXPIRED, gate)
            await asyncio.sleep(PAUSE)
        return False

    def _decision(self, gate: GateView) -> Decision | None:
        """Return what was decided; an answer that cannot be read is none, and that is said once."""
        try:
            return read_decision(self._directory, gate)
        except InputError as error:
            if gate.opened not in self._unheard:
                self._unheard.add(gate.opened)
                self._journal.append(
                    Kind.GATE_UNHEARD,
                    gate=gate.id,
                    reason=str(error),
                    evidence=error.evidence,
                    remedy=error.remedy,
                )
            return None

    def _take(self, gate: Gate, decision: Decision) -> bool:
        kind = Kind.GATE_APPROVED if decision.approved else Kind.GATE_REJECTED
        return self._write(kind, gate, decision.who, decision.why)

    def _write(self, kind: Kind, gate: Gate, who: str = "", why: str = "") -> bool:
        reason = {
            Kind.GATE_REJECTED: f"{who} has said no at gate {gate.id}: {why}",
            Kind.GATE_EXPIRED: f"nobody has approved gate {gate.id} in time",
        }
        self._journal.append(kind, gate=gate.id, who=who, why=why, reason=reason.get(kind, ""))
        return kind is Kind.GATE_APPROVED


def basis_of(plan: Plan, view: RunView, gate: Gate) -> list[str]:
    """Return what a decision is based on, from plan and journal: done, found, and what comes next."""
    done = [stage for stage in view.stages if stage.ended]
    names = [stage.name for stage in plan.stages]
    ends = sorted(names.index(other.before) for other in plan.gates)
    start = names.index(gate.before)
    last = max((end for end in ends if end < start), default=0)
    stop = next((end for end in ends if end > start), len(names))
    coming = plan.stages[start:stop]
    impacts = {step.impact: None for stage in coming for step in stage.steps}
    holding = {step.id for step in plan.steps() if step.holds()}
    lines = [f"done: {stage.name} in {stage.seconds:.0f} s of {stage.estimate} s" for stage in done]
    skipped = [step for step in view.steps() if step.who]
    lines += [f"skipped: {step.id} by {step.who}: {step.why}" for step in skipped]
    lines += [f"written off: {one.host} by {one.who}: {one.why}" for one in view.written_off]
    if done:
        lines += _rehearsed(plan, coming)
    else:
        lines += _found(plan)
    shown = (*plan.stages[last:start], *(stage for stage in coming if _converts_late(stage)))
    lines += changes(step for stage in shown for step in stage.steps)
    seconds = sum(stage.estimate for stage in coming)
    lines.append(f"next: {', '.join(stage.name for stage in coming)}, about {seconds} s")
    lines.append(f"what users feel: {', '.join(sorted(impacts))}")
    if plan.point_of_no_return in {step.id for stage in coming for step in stage.steps}:
        lines.append(f"the point of no return is among it: {plan.point_of_no_return}")
    kept = [step.ended for step in view.steps() if step.ended and step.id in holding]
    if kept:
        lines.append(f"a rollback would take hosts and databases back to {min(kept):%Y-%m-%d %H:%M:%S} UTC")
    return lines


def _found(plan: Plan) -> list[str]:
    """Return the findings; the same one in many places is one line."""
    places: dict[str, list[str]] = {}
    for found in plan.findings:
        places.setdefault(f"{found.severity}: {found.title}", []).append(found.where or plan.cloud)
    return [f"{what} ({listed(where)})" for what, where in places.items()]


def _converts_late(stage: Stage) -> bool:
    """Return whether a stage uses what it converts: then no gate comes in between."""
    return any(isinstance(step, DeployConfiguration) for step in stage.steps) and any(
        isinstance(step, ConvertConfiguration) for step in stage.steps
    )


def _rehearsed(plan: Plan, coming: tuple[Stage, ...]) -> list[str]:
    """Return what a rehearsal has shown of the migrations that come, or that none was made."""
    if not any(isinstance(step, SyncDatabase) for stage in coming for step in stage.steps):
        return []
    found = [f"{found.severity}: {found.title}" for found in said_of(plan.findings)]
    return found or ["the databases' migration was not rehearsed: its time is guessed from their size"]


def _in_time(decision: Decision, gate: GateView) -> bool:
    return decision.time <= gate.expires
