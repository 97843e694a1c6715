"""Where a run stands, for people: as a picture that is redrawn, as lines, and as data for ``--json``."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from skipstone.run.runview import Event, Fold, GateView, RunView, StageView, StepView
from skipstone.run.state import Kind, RunState, StepState
from skipstone.views.duration import duration

MARKS = {
    StepState.PENDING: ("·", "dim"),
    StepState.INTENDED: ("▸", "cyan"),
    StepState.RUNNING: ("▸", "cyan"),
    StepState.UNKNOWN: ("?", "yellow"),
    StepState.ENDED: ("▸", "cyan"),
    StepState.DONE: ("✓", "green"),
    StepState.FAILED: ("✗", "bold red"),
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

REDRAWS_PER_SECOND = 4
LOG_WIDTH = 160


def terminal(*, stderr: bool = False) -> Console:
    """Return a console: as wide as the terminal, and where there is none, wide enough for a log's lines."""
    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=LOG_WIDTH)


def run_picture(view: RunView, *, interrupted: bool = False, trouble: bool = True) -> RenderableType:
    """Return the run as a picture: its stages, what runs where, elapsed against estimated time.

    ``interrupted`` says that the journal calls the run going on, but its process is gone; ``trouble`` adds
    what has failed, with the evidence.
    """
    now = datetime.now(UTC)
    if view.state is RunState.NEW:
        return Text("this run has not begun: nothing was done yet")
    parts: list[RenderableType] = [_headline(view, now, interrupted=interrupted)]
    table = Table.grid(padding=(0, 2))
    for stage in view.stages:
        _add_stage(table, stage, now)
    parts.append(table)
    if view.open_gate:
        parts.append(_gate(view.open_gate, now))
    if trouble:
        parts.extend(_trouble(step) for step in view.failed)
    return Group(*parts)


def run_json(view: RunView, *, interrupted: bool = False) -> str:
    """Return the run as JSON, with what is derived from it; times are ISO 8601 in UTC."""
    data = asdict(view) | {"interrupted": interrupted}
    for stage_data, stage in zip(data["stages"], view.stages, strict=True):
        stage_data |= {
            "state": stage.state,
            "began": stage.began,
            "ended": stage.ended,
            "seconds": stage.seconds,
        }
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
    elif event.kind in {Kind.FAILURE, Kind.NO_ANSWER}:
        lines += _indented(event.payload["evidence"], "| ")
        lines += [f"          -> {event.payload['remedy']}"]
    return lines


@contextmanager
def shown_progress(console: Console) -> Iterator["Progress"]:
    """Show a run while it goes on: a picture on a terminal, lines elsewhere. Give what hears the events."""
    progress = Progress(console)
    if not console.is_terminal:
        yield progress
        return
    with Live(progress, console=console, refresh_per_second=REDRAWS_PER_SECOND, transient=True):
        yield progress


class Progress:
    """Hears a journal's events, and is the picture of the run."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._fold: Fold | None = None
        self._titles: dict[str, str] = {}

    def hear(self, event: Event, fold: Fold) -> None:
        """Take an event; print its line where nothing is redrawn."""
        self._fold = fold
        if self._console.is_terminal:
            return
        if event.step is None:
            self._titles = {step.id: step.title for step in fold.view.steps()}
        for line in event_lines(event, self._titles, full=False):
            self._console.print(Text(line), soft_wrap=True)

    def __rich__(self) -> RenderableType:
        return run_picture(self._fold.view) if self._fold else Text("starting")


class _Facts(dict[str, object]):
    """An event's facts for a text; what is missing is empty."""

    def __missing__(self, key: str) -> str:
        return ""


_TEXTS = {
    Kind.RUN_STARTED: "run {run} started by {who} on {host}",
    Kind.RUN_RESUMED: "run resumed by {who} on {host}",
    Kind.STOP_ASKED: "stop asked for: running steps come to their end, no other begins",
    Kind.RUN_DONE: "run done",
    Kind.RUN_FAILED: "run failed: {reason}",
    Kind.RUN_STOPPED: "run stopped: {reason}",
    Kind.RUN_ABORTED: "run aborted by {who}: {why}",
    Kind.ROLLBACK_BEGUN: "rollback begun by {who}: run {by}",
    Kind.ROLLBACK_DONE: "rolled back by run {by}",
    Kind.CHECKPOINT_REACHED: "undone by run {by}: {stages}",
    Kind.CHECKPOINTS_DROPPED: "checkpoints dropped by {who}: run {by}",
    Kind.GATE_OPENED: "GATE {gate}: {title}; open until {expires}",
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
    Kind.SKIPPED: "skipped by {who}: {why}",
}


def _headline(view: RunView, now: datetime, *, interrupted: bool) -> Text:
    state = "interrupted" if interrupted else str(view.state)
    spent = view.elapsed(now)
    done = sum(step.state.passed for step in view.steps())
    count = sum(1 for _ in view.steps())
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
    going = [step for step in stage.steps if step.state.open]
    last = now if going else max((step.ended for step in stage.steps if step.ended), default=now)
    spent = (last - stage.began).total_seconds() if stage.began else 0
    done = sum(step.state.passed for step in stage.steps)
    times = (
        f"{duration(int(spent))} / {duration(stage.estimate)}" if stage.began else duration(stage.estimate)
    )
    table.add_row(
        Text(mark, style=style),
        Text(stage.name, style="bold" if stage.began else "dim"),
        f"{done}/{len(stage.steps)}",
        times,
    )
    for step in going[:SHOWN_STEPS]:
        _add_step(table, step, now)
    if len(going) > SHOWN_STEPS:
        table.add_row("", f"  and {len(going) - SHOWN_STEPS} more", "", "")


def _add_step(table: Table, step: StepView, now: datetime) -> None:
    mark, style = MARKS[step.state]
    spent = (now - step.attempt_began).total_seconds() if step.attempt_began else 0
    what = Text.assemble(("  " + mark + " ", style), step.title, (f"  {step.last_line}", "dim"))
    what.truncate(76, overflow="ellipsis")
    table.add_row("", what, step.host, f"{duration(int(spent))} / {duration(step.estimate)}")


def _gate(gate: GateView, now: datetime) -> Text:
    """Return what the run waits for, what that decision is based on, and how it is given."""
    basis = "".join(f"\n    {line}" for line in gate.basis)
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
