"""The end of a run in the terminal: how long it took, and what users felt."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from skipstone.impact.measurement import Impact
from skipstone.impact.outage import Stream
from skipstone.impact.sample import Kind
from skipstone.run.state import RunState, StepState
from skipstone.views.page import span
from skipstone.views.report import Report, RunReport
from skipstone.views.verification import show_verification

BAD, GOOD, DIM = "bold red", "green", "dim"
_INSTANCES = 20


def show_summary(report: Report) -> RenderableType:
    """Return the summary of a report."""
    return Group(*_parts(report))


def _parts(report: Report) -> Iterator[RenderableType]:
    run, impact = report.run, report.impact
    style = GOOD if run.state is RunState.DONE else BAD
    yield Text.assemble(
        (f"{run.cloud}  {run.source} → {run.target}  ", "bold"),
        (str(run.state), style),
        f"  in {span(run.seconds)}",
    )
    yield _stages(run)
    if impact is None:
        yield Text("impact was not measured", style=DIM)
    else:
        yield _apis(impact)
        yield _instances(impact)
        yield from _remarks(impact)
    if report.verification:
        yield show_verification(report.verification)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style=DIM)
    for column in columns:
        # figures are headed by a word that ends in a blank
        table.add_column(column.strip(), justify="right" if column.endswith(" ") else "left")
    return table


def _stages(run: RunReport) -> Table:
    table = _table("stage", "state", "took ", "planned ")
    for stage in run.stages:
        style = {StepState.DONE: GOOD, StepState.FAILED: BAD}.get(stage.state, DIM)
        took = span(stage.seconds, "0 s") if stage.ended else ""
        table.add_row(stage.title, Text(stage.state, style), took, span(stage.estimate, "0 s"))
    return table


def _apis(impact: Impact) -> Table:
    table = _table("API", "longest read outage ", "in all ", "longest write outage ", "in all ")
    by_service: dict[str, dict[Kind, Stream]] = {}
    for stream in impact.apis:
        by_service.setdefault(stream.name, {})[stream.kind] = stream
    for name, streams in by_service.items():
        cells = [cell for kind in (Kind.READ, Kind.WRITE) for cell in _outage(streams.get(kind))]
        table.add_row(name, *cells)
    return table


def _outage(stream: Stream | None) -> tuple[Text, Text]:
    if stream is None or not stream.asked:
        return Text("not measured", DIM), Text("")
    style = BAD if stream.outages else GOOD
    open_ = "" if all(outage.ended for outage in stream.outages) else ", not over"
    return Text(span(stream.longest) + open_, style), Text(span(stream.total, ""))


def _instances(impact: Impact) -> RenderableType:
    table = _table("instance", "address", "pings ", "lost ", "longest gap ", "rebooted")
    gravest = sorted(impact.instances, key=lambda one: (not one.rebooted, -(one.ping.bad if one.ping else 0)))
    for one in gravest[:_INSTANCES]:
        ping = one.ping
        figures = (str(ping.asked), str(ping.bad), span(ping.longest_gap)) if ping else ("no ping", "", "")
        no = Text("no", GOOD) if one.boots else Text("not known", DIM)
        table.add_row(one.name, one.address, *figures, Text("yes", BAD) if one.rebooted else no)
    if len(gravest) > _INSTANCES:
        table.add_row(f"and {len(gravest) - _INSTANCES} more", "", "", "", "", "")
    return table


def _remarks(impact: Impact) -> Iterator[Text]:
    for blind in impact.blind:
        yield Text(f"no probes for {span(blind.seconds)} from {blind.start:%H:%M:%S} UTC", style="yellow")
    for line in impact.left_out:
        yield Text(f"not probed: {line}", style=DIM)
    if impact.left_behind:
        services = ", ".join(line.split(":")[0] for line in impact.left_behind)
        yield Text(f"the probes could not clean up after themselves: {services}", style="yellow")
