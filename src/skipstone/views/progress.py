"""Where a run stands, for people: as a picture that is redrawn, as lines, and as data for ``--json``."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from skipstone.impact.tally import Felt
from skipstone.run.budget import Budget, Spent
from skipstone.run.fold import Fold
from skipstone.run.moves import short
from skipstone.run.runview import Event, GateView, HostCounts, RunView, StageView, StepView
from skipstone.run.state import Kind, RunState, StepState
from skipstone.views.felt import felt_lines
from skipstone.views.measure import duration

MARKS = {
    StepState.PENDING: ("·", "dim"),
    StepState.INTENDED: ("▸", "cyan"),
    StepState.RUNNING: ("▸", "cyan"),
    StepState.UNKNOWN: ("?", "yellow"),
    StepState.ENDED: ("▸", "cyan"),
    StepState.DONE: ("✓", "green"),
    StepState.FAILED: ("✗", "bold red"),
    StepState.PAUSED: ("‖", "yellow"),
    StepState.SKIPPED: ("↷", "yellow"),
}
STYLES = {
    RunState.DONE: "bold green",
    RunState.FAILED: "bold red",
    RunState.STOPPED: "bold yellow",
    RunState.STOPPING: "bold yellow",
    RunState.WAITING: "bold magenta",
    RunState.ABORTED: "bold red",
    RunState.ROLLING_BACK: "bold yellow",
    RunState.ROLLED_BACK: "bold yellow",
}
SHOWN_STEPS = 12
"""More running steps than this are counted, not listed."""

SHOWN_MOVES = 6
"""Instances on their way of one step; more are counted."""

SHOWN_LEFT_OUT = 5
"""Instances that were left out last are named, no more."""

SHOWN_TROUBLES = 10
"""More failed steps than this are named, without their evidence."""

SHOWN_BASIS = 12
"""Lines that a decision is based on, where the terminal is redrawn: it cuts what does not fit."""

REDRAWS_PER_SECOND = 4


def run_picture(
    view: RunView,
    *,
    interrupted: bool = False,
    trouble: bool = True,
    whole: bool = True,
    felt: Sequence[Felt] = (),
    spent: Sequence[Spent] = (),
) -> RenderableType:
    """Return the run as a picture: its stages, what runs where, elapsed against estimated time.

    ``interrupted`` says that the journal calls the run going on, but its process is gone; ``trouble`` adds
    what has failed, with the evidence; what is not ``whole`` fits on a terminal. ``felt`` is what users have
    felt so far, and ``spent`` what of the budgets.
    """
    now = datetime.now(UTC)
    if view.state is RunState.NEW:
        return Text("this run has not begun: nothing was done yet")
    parts: list[RenderableType] = [_headline(view, now, interrupted=interrupted)]
    table = Table.grid(padding=(0, 2))
    for stage in view.stages:
        _add_stage(table, stage, now)
    parts.append(table)
    parts.extend(Text(line) for line in felt_lines(felt))
    parts.extend(Text(f"instance {line}") for line in view.left_out[-SHOWN_LEFT_OUT:])
    parts.extend(_budgets(view, spent))
    if view.open_gate:
        parts.append(_gate(view.open_gate, now, lines=None if whole else SHOWN_BASIS))
    if trouble:
        parts.extend(_trouble(step) for step in view.failed[:SHOWN_TROUBLES])
        parts.extend(Text(f"✗ {step.id}", "bold red") for step in view.failed[SHOWN_TROUBLES:])
    return Group(*parts)


def run_json(
    view: RunView, *, interrupted: bool = False, felt: Sequence[Felt] = (), spent: Sequence[Spent] = ()
) -> str:
    """Return the run as JSON, with what is derived from it; times are ISO 8601 in UTC.

    A budget's ``now`` is what was spent of it by now, None where that is not known.
    """
    data = asdict(view) | {"interrupted": interrupted, "felt": [asdict(one) for one in felt]}
    now = {one.budget.name: one.value for one in spent}
    for budget in data["budgets"]:
        budget["now"] = now.get(budget["name"])
    for stage_data, stage in zip(data["stages"], view.stages, strict=True):
        stage_data |= {
            "state": stage.state,
            "began": stage.began,
            "ended": stage.ended,
            "seconds": stage.seconds,
            "hosts": stage.hosts and asdict(stage.hosts),
        }
        for step_data in stage_data["steps"]:
            step_data["moves"] = step_data["moves"].splitlines()
    return json.dumps(data, indent=2, default=_as_text)


def event_json(event: Event) -> str:
    """Return an event as one line of JSON."""
    return json.dumps(asdict(event), default=_as_text)


def event_lines(event: Event, titles: dict[str, str], *, full: bool) -> list[str]:
    """Return an event as lines for a log; ``full`` gives every command and everything that was printed.

    ``titles`` has the steps' titles.
    """
    head = f"{event.time.astimezone():%H:%M:%S}  "
    attempt = f" #{event.attempt}" if event.attempt and event.attempt > 1 else ""
    where = f"{event.step}{attempt}: " if event.step else ""
    text = _TEXTS[event.kind].format_map(_Facts({**event.payload, "title": titles.get(event.step or "", "")}))
    lines = [head + where + text] if text else []
    if event.kind is Kind.OUTPUT and full:
        lines += _indented(event.payload["text"])
    elif event.kind is Kind.INTENT and full:
        lines += _indented(event.payload["script"], "$ ")
    elif event.kind is Kind.GATE_OPENED:
        lines += _indented("\n".join(event.payload["basis"]), "| ")
        lines += [f"          -> {_answers(event.payload['gate'])}"]
    elif event.kind in {Kind.RUN_STARTED, Kind.RUN_RESUMED}:
        lines += _indented("\n".join(_allowed(event)), "| ")
    elif event.kind in {Kind.FAILURE, Kind.NO_ANSWER, Kind.GATE_UNHEARD}:
        lines += _indented(event.payload["evidence"], "| ")
        lines += [f"          -> {event.payload['remedy']}"]
    return lines


@contextmanager
def shown_progress(console: Console, fold: Fold | None = None) -> Iterator["Progress"]:
    """Show a run while it goes on: a picture on a terminal, lines elsewhere. Give what hears the events.

    ``fold`` is where the run stands before the first of them.
    """
    progress = Progress(console, fold)
    if not console.is_terminal:
        yield progress
        return
    with Live(progress, console=console, refresh_per_second=REDRAWS_PER_SECOND, transient=True):
        yield progress


class Progress:
    """Hears a journal's events, and is the picture of the run."""

    def __init__(self, console: Console, fold: Fold | None = None) -> None:
        self._console = console
        self._fold = fold
        self._titles: dict[str, str] = {}
        self._felt: Sequence[Felt] = ()
        self._spent: Sequence[Spent] = ()

    def hear(self, event: Event, fold: Fold) -> None:
        """Take an event; print its line where nothing is redrawn."""
        self._fold = fold
        if self._console.is_terminal:
            return
        if event.step is None:
            self._titles = {step.id: step.title for step in fold.view.steps()}
        for line in event_lines(event, self._titles, full=False):
            self._console.print(Text(line), soft_wrap=True)

    def feel(self, felt: Sequence[Felt], spent: Sequence[Spent]) -> None:
        """Take what users have felt so far, and what was spent of the budgets."""
        self._felt, self._spent = felt, spent

    def __rich__(self) -> RenderableType:
        if self._fold is None:
            return Text("starting")
        return run_picture(self._fold.view, whole=False, felt=self._felt, spent=self._spent)


def _allowed(event: Event) -> Iterator[str]:
    facts = event.payload
    said = f" by {facts.get('allowed_by')}" + (f": {facts['why']}" if facts.get("why") else "")
    for name, limit in facts.get("budgets", {}).items():
        budget = Budget.named(name, limit)
        yield f"budget {name} of {budget.figure(limit)}, given{said}"
    for name in facts.get("accepted", ()):
        yield f"budget {name} is broken, accepted{said}"


class _Facts(dict[str, object]):
    """An event's facts for a text; what is missing is empty."""

    def __missing__(self, key: str) -> str:
        return ""


_TEXTS = {
    Kind.RUN_STARTED: "run {run} started by {who} on {host}",
    Kind.RUN_RESUMED: "run resumed by {who} on {host}",
    Kind.STOP_ASKED: "stop asked for: running steps come to their end, no other begins. {reason}",
    Kind.BUDGET_BROKEN: "BUDGET {budget} BROKEN: {figures}; running steps come to their end, no other begins",
    Kind.INSTANCE_LEFT_OUT: "instance {text}",
    Kind.RUN_DONE: "run done",
    Kind.RUN_FAILED: "run failed: {reason}",
    Kind.RUN_STOPPED: "run stopped: {reason}",
    Kind.RUN_ABORTED: "run aborted by {who}: {why}",
    Kind.ROLLBACK_BEGUN: "rollback begun by {who}: run {by}",
    Kind.ROLLBACK_DONE: "rolled back by run {by}",
    Kind.CHECKPOINT_REACHED: "undone by run {by}: {stages}",
    Kind.HOST_WRITTEN_OFF: "host {host} written off by {who}: {why}",
    Kind.CHECKPOINTS_DROPPED: "the drop of its checkpoints begun by {who}: run {by}; there is no way back",
    Kind.WINDOW_CLOSED: "{reason}",
    Kind.WINDOW_OPENED: "the maintenance window is open",
    Kind.GATE_OPENED: "GATE {gate}: {title}; open until {expires}",
    Kind.GATE_UNHEARD: "gate {gate} stays open: {reason}",
    Kind.GATE_APPROVED: "gate {gate} approved by {who}: {why}",
    Kind.GATE_REJECTED: "gate {gate} rejected by {who}: {why}",
    Kind.GATE_EXPIRED: "gate {gate}: nobody has approved it in time",
    Kind.NOTHING_TO_DO: "{title}: done already",
    Kind.INTENT: "{title} (on {host})",
    Kind.SUBMITTED: "",
    Kind.OUTPUT: "",
    Kind.NO_ANSWER: "{what}; it is asked again",
    Kind.OUTCOME: "",
    Kind.VERIFIED: "done",
    Kind.FAILURE: "FAILED: {what}",
    Kind.PAUSED: "paused where it was; a new attempt goes on",
    Kind.SKIPPED: "skipped by {who}: {why}",
}


def _headline(view: RunView, now: datetime, *, interrupted: bool) -> Text:
    state = "interrupted" if interrupted else str(view.state)
    spent = view.elapsed(now)
    done = sum(stage.passed for stage in view.stages)
    count = sum(len(stage.steps) for stage in view.stages)
    reason = "" if view.state is RunState.RUNNING else view.reason
    if interrupted:
        reason = "its process is gone; `skipstone resume` goes on with it"
    return Text.assemble(
        (f"run {view.run}  ", "bold"),
        f"{view.source} → {view.target} on {view.cloud}  ",
        (state, "bold yellow" if interrupted else STYLES.get(view.state, "bold cyan")),
        f"  {done}/{count} steps  {duration(int(spent))} of about {duration(view.estimate)}",
        (f"\n{reason}" if reason else "", "dim"),
    )


def _add_stage(table: Table, stage: StageView, now: datetime) -> None:
    mark, style = MARKS[stage.state]
    going = stage.going
    last = now if going else stage.last_end or now
    spent = (last - stage.began).total_seconds() if stage.began else 0
    times = (
        f"{duration(int(spent))} / {duration(stage.estimate)}" if stage.began else duration(stage.estimate)
    )
    table.add_row(
        Text(mark, style=style),
        Text(stage.name, style="bold" if stage.began else "dim"),
        _hosts(stage.hosts) if stage.hosts else f"{stage.passed}/{len(stage.steps)}",
        times,
    )
    for step in going[:SHOWN_STEPS]:
        _add_step(table, step, now)
    if len(going) > SHOWN_STEPS:
        table.add_row("", f"  and {len(going) - SHOWN_STEPS} more", "", "")


def _hosts(counts: HostCounts) -> str:
    """Return how far a wave is, in hosts."""
    told = {"at work": counts.at_work, "failed": counts.failed, "lost": counts.lost}
    parts = [f", {number:,} {what}" for what, number in told.items() if number]
    return f"{counts.done:,}/{counts.total:,} hosts{''.join(parts)}"


def _add_step(table: Table, step: StepView, now: datetime) -> None:
    mark, style = MARKS[step.state]
    spent = (now - step.attempt_began).total_seconds() if step.attempt_began else 0
    moves = step.moves.splitlines()
    last_line = "" if moves else f"  {step.last_line}"
    what = Text.assemble(("  " + mark + " ", style), step.title, (last_line, "dim"))
    what.truncate(_WIDEST, overflow="ellipsis")
    table.add_row("", what, step.host, f"{duration(int(spent))} / {duration(step.estimate)}")
    for line in moves[:SHOWN_MOVES]:
        move = Text(f"      {short(line)}", "dim")
        move.truncate(_WIDEST, overflow="ellipsis")
        table.add_row("", move)
    if len(moves) > SHOWN_MOVES:
        table.add_row("", Text(f"      and {len(moves) - SHOWN_MOVES} more on their way", "dim"))


_WIDEST = 76


def _budgets(view: RunView, spent: Sequence[Spent]) -> Iterator[Text]:
    """Yield a line for each budget: what was spent by now, else what is known from when it broke."""
    now = {one.budget.name: one for one in spent}
    for one in view.budgets:
        spending = now.get(one.name)
        figures = spending.text if spending else one.figures or f"of {one.budget.figure(one.limit)}"
        broken = bool(one.broken or (spending and spending.broken))
        state = (
            f"  broken, accepted by {one.who}: {one.why}" if one.accepted else "  BROKEN" if broken else ""
        )
        style = "yellow" if one.accepted else "bold red" if broken else "dim"
        yield Text(f"budget {one.name}: {figures}{state}", style=style)


def _gate(gate: GateView, now: datetime, *, lines: int | None) -> Text:
    """Return what the run waits for, what that decision is based on, and how it is given."""
    basis = "".join(f"\n    {line}" for line in gate.basis[:lines])
    if lines and len(gate.basis) > lines:
        basis += f"\n    ... and {len(gate.basis) - lines} lines more: skipstone status"
    left = max(round((gate.expires - now).total_seconds()), 0)
    return Text.assemble(
        (f"gate {gate.id}: {gate.title}", "bold magenta"),
        basis,
        (f"\n  -> {_answers(gate.id)}   ({duration(left)} left)", "bold"),
    )


def _answers(gate: str) -> str:
    return f"skipstone approve {gate} --reason TEXT, or reject; in the run's own terminal: y or n, and Enter"


def _trouble(step: StepView) -> Text:
    evidence = "".join(f"\n    {line}" for line in step.evidence.splitlines())
    return Text.assemble(
        (f"✗ {step.id} on {step.host}: {step.error}", "bold red"), evidence, (f"\n  -> {step.remedy}", "bold")
    )


def _indented(text: str, mark: str = "") -> list[str]:
    return [f"          {mark}{line}" for line in text.splitlines()]


def _as_text(value: object) -> str:
    """Return what JSON has no word for: times."""
    return value.isoformat() if isinstance(value, datetime) else str(value)
