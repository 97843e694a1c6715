"""The report of a run: what was done and when, what users felt, and what the cloud looks like after it.

One object, ``Report``, becomes ``report.json``, the HTML page and the summary in the terminal, so that they
cannot disagree. What was not measured is None, never zero.
"""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Literal

from skipstone.checks.finding import Finding
from skipstone.cloud.model import Fact
from skipstone.errors import InputError
from skipstone.impact.measurement import Impact, measure
from skipstone.impact.outage import Stream
from skipstone.impact.recording import FILE
from skipstone.impact.sample import Kind as Asked
from skipstone.impact.spending import spend
from skipstone.impact.tally import Tally
from skipstone.impact.verification import Look, Subject, Verification, compare, load_look
from skipstone.impact.versions import VERSIONS_AFTER, VERSIONS_BEFORE, Change, changes, load_versions
from skipstone.run.budget import Spent
from skipstone.run.budgetview import BudgetView
from skipstone.run.directory import RunDirectory
from skipstone.run.journal import read_events
from skipstone.run.runview import RunView, StageView, StepView
from skipstone.run.state import Kind, RunState, StepState

BEFORE = "before.json"
AFTER = "after.json"
"""The looks of ``verify`` in a run's directory, where they were taken."""


class StepReport(Fact):
    """What became of one step; ``seconds`` is from its beginning to its end, over all its attempts."""

    id: str
    title: str
    host: str
    impact: str
    state: StepState
    attempts: int
    began: datetime | None
    ended: datetime | None
    seconds: float
    estimate: int
    rebooted: bool
    error: str
    evidence: str = ""


class StageReport(Fact):
    """What became of one stage; ``seconds`` is 0 where it has not ended."""

    name: str
    title: str
    state: StepState
    began: datetime | None
    ended: datetime | None
    seconds: float
    estimate: int
    steps: tuple[StepReport, ...]


class RunReport(Fact):
    """What became of the run; ``seconds`` is all from its beginning to its end, pauses included."""

    id: str
    cloud: str
    source: str
    target: str
    state: RunState
    reason: str
    who: str
    began: datetime | None
    ended: datetime | None
    seconds: float
    estimate: int
    sittings: int
    point_of_no_return: str | None
    stages: tuple[StageReport, ...]


class DecisionReport(Fact):
    """What a person has decided: at a gate, or of a step that is skipped, or of a host that is written off.

    The latter two are without ``opened`` and ``basis``.

    ``state`` says what became of it, ``who`` decided and ``why``; ``basis`` are the lines it was based on.
    """

    about: str
    title: str
    state: str
    who: str
    why: str
    opened: datetime | None = None
    decided: datetime | None
    basis: tuple[str, ...] = ()


class BudgetReport(Fact):
    """One budget: its limit (seconds, or a share), what was ``spent`` of it and ``figures`` that say so.

    None is: not measured. It is ``broken`` where it was when the run paused for it, or is by now; who
    ``accepted`` that (``who``, ``why``) let the run go on.
    """

    name: str
    limit: float
    spent: float | None
    figures: str | None
    broken: bool
    accepted: bool
    who: str
    why: str


class ServiceVersions(Fact):
    """The newest version that one API announced before and after; None where it was not asked."""

    service: str
    before: str | None
    after: str | None


class Summary(Fact):
    """The figures that matter most; seconds. None is: not measured.

    Outages are of any API; ``outage_open`` says that one was not over when probing ended.
    ``longest_gap`` and ``replies_lost`` are of any instance's pings.
    """

    total: float
    longest_read_outage: float | None
    longest_write_outage: float | None
    outage_open: bool
    longest_gap: float | None
    replies_lost: int | None
    replies_asked: int | None
    instances_rebooted: int | None
    losses: int | None


class Report(Fact):
    """All there is to say about a run."""

    format: Literal[1] = 1
    summary: Summary
    run: RunReport
    decisions: tuple[DecisionReport, ...]
    budgets: tuple[BudgetReport, ...] = ()
    findings: tuple[Finding, ...]
    versions: tuple[ServiceVersions, ...]
    changes: tuple[Change, ...] = ()
    impact: Impact | None
    verification: Verification | None


def build_report(directory: RunDirectory) -> Report:
    """Return the report of a run, which may still be going on.

    Raise InputError where the journal or a recording cannot be read.
    """
    view = directory.view()
    run = _run(view)
    impact = measure(directory.impact) if (directory.impact / FILE).exists() else None
    before, after = _look(directory.path / BEFORE), _look(directory.path / AFTER)
    verification = compare(before, after) if before and after else None
    return Report(
        summary=_summary(run, impact, verification),
        run=run,
        decisions=_decisions(view),
        budgets=_budgets(directory, view),
        findings=_findings(directory),
        versions=_versions(before, after),
        changes=_changes(directory),
        impact=impact,
        verification=verification,
    )


def write_json(report: Report, path: Path) -> None:
    """Write ``report.json``; raise InputError where that is not possible."""
    write_text(path, report.model_dump_json(indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file; raise InputError where that is not possible."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as fault:
        raise InputError("this file cannot be written", where=str(path), evidence=str(fault)) from fault


def _run(view: RunView) -> RunReport:
    last = max((step.ended for step in view.steps() if step.ended), default=view.began)
    ended = view.ended or last
    return RunReport(
        id=view.run,
        cloud=view.cloud,
        source=view.source,
        target=view.target,
        state=view.state,
        reason=view.reason,
        who=view.who,
        began=view.began,
        ended=ended,
        seconds=_seconds(view.began, ended),
        estimate=view.estimate,
        sittings=view.sittings,
        point_of_no_return=view.point_of_no_return,
        stages=tuple(_stage(stage) for stage in view.stages),
    )


def _stage(stage: StageView) -> StageReport:
    return StageReport(
        name=stage.name,
        title=stage.title,
        state=stage.state,
        began=stage.began,
        ended=stage.ended,
        seconds=stage.seconds,
        estimate=stage.estimate,
        steps=tuple(_step(step) for step in stage.steps),
    )


def _step(step: StepView) -> StepReport:
    return StepReport(
        id=step.id,
        title=step.title,
        host=step.host,
        impact=step.impact,
        state=step.state,
        attempts=step.attempt,
        began=step.began,
        ended=step.ended,
        seconds=_seconds(step.began, step.ended),
        estimate=step.estimate,
        rebooted=step.rebooted,
        error=step.error,
        evidence=step.evidence,
    )


def _decisions(view: RunView) -> tuple[DecisionReport, ...]:
    gates = (
        DecisionReport(
            about=gate.id,
            title=gate.title,
            state=gate.state,
            who=gate.who,
            why=gate.why,
            opened=gate.opened_at,
            decided=gate.decided,
            basis=gate.basis,
        )
        for gate in view.gates
    )
    skips = (
        DecisionReport(
            about=step.id, title=step.title, state=step.state, who=step.who, why=step.why, decided=None
        )
        for step in view.steps()
        if step.who
    )
    lost = (
        DecisionReport(
            about=one.host,
            title=f"Go on without {one.host}",
            state="written off",
            who=one.who,
            why=one.why,
            decided=None,
        )
        for one in view.written_off
    )
    return (*gates, *skips, *lost)


def _budgets(directory: RunDirectory, view: RunView) -> tuple[BudgetReport, ...]:
    tally = Tally.load(directory.impact)
    if view.budgets and (directory.impact / FILE).exists():
        tally.advance(directory.impact)
    felt = tuple(tally.felt())
    spent = (
        {one.budget.name: one for one in spend(felt, [one.budget for one in view.budgets])} if felt else {}
    )
    return tuple(_budget(one, spent.get(one.name)) for one in view.budgets)


def _budget(one: BudgetView, spent: Spent | None) -> BudgetReport:
    return BudgetReport(
        name=one.name,
        limit=one.limit,
        spent=spent.value if spent else None,
        figures=spent.text if spent else one.figures or None,
        broken=bool(one.broken or (spent and spent.broken)),
        accepted=one.accepted is not None,
        who=one.who,
        why=one.why,
    )


def _changes(directory: RunDirectory) -> tuple[Change, ...]:
    before = load_versions(directory.path / VERSIONS_BEFORE)
    after = load_versions(directory.path / VERSIONS_AFTER)
    return changes(before, after) if before and after else ()


def _seconds(began: datetime | None, ended: datetime | None) -> float:
    return (ended - began).total_seconds() if began and ended else 0.0


def _findings(directory: RunDirectory) -> tuple[Finding, ...]:
    """Return the findings that the plan was reviewed with."""
    started = next(
        (event for event in read_events(directory.journal) if event.kind is Kind.RUN_STARTED), None
    )
    found = started.payload["plan"].get("findings", ()) if started else ()
    return tuple(Finding.model_validate(finding) for finding in found)


def _look(path: Path) -> Look | None:
    return load_look(path) if path.exists() else None


def _versions(before: Look | None, after: Look | None) -> tuple[ServiceVersions, ...]:
    old, new = _said(before), _said(after)
    return tuple(
        ServiceVersions(service=name, before=old.get(name), after=new.get(name))
        for name in dict.fromkeys([*old, *new])
    )


def _said(look: Look | None) -> dict[str, str]:
    things = look.things if look else ()
    return {thing.name: thing.facts["version"] for thing in things if thing.subject is Subject.API}


def _summary(run: RunReport, impact: Impact | None, verification: Verification | None) -> Summary:
    streams = impact.apis if impact else ()
    instances = impact.instances if impact else ()
    pings = [instance.ping for instance in instances if instance.ping]
    booted = [instance for instance in instances if instance.boots]
    return Summary(
        total=run.seconds,
        longest_read_outage=_longest(one for one in streams if one.kind is Asked.READ),
        longest_write_outage=_longest(one for one in streams if one.kind is Asked.WRITE),
        outage_open=any(not outage.ended for stream in streams for outage in stream.outages),
        longest_gap=max((ping.longest_gap for ping in pings), default=None),
        replies_lost=sum(ping.bad for ping in pings) if pings else None,
        replies_asked=sum(ping.asked for ping in pings) if pings else None,
        instances_rebooted=len({one.id for one in booted if one.rebooted}) if booted else None,
        losses=len(verification.losses) if verification else None,
    )


def _longest(streams: Iterable[Stream]) -> float | None:
    return max((stream.longest for stream in streams if stream.asked), default=None)
