"""The report of a rehearsal as one HTML page, or as JSON."""

from datetime import datetime, timedelta
from pathlib import Path

from skipstone.cloud.cloudfile import write_privately
from skipstone.rehearsal.report import CommandReport, DatabaseReport, RehearsalReport, StopReport, TableChange
from skipstone.views.page import pages
from skipstone.views.rehearsal import ENDINGS, PHASES, last_lines, needs, prediction, slowest
from skipstone.views.timeline import Axis, Bar, Lane, Section, Style, Timeline, ticks

LEGEND: dict[Style, str] = {
    Style.STAGE: "schema",
    Style.STEP: "online data migrations",
    Style.FAILED: "failed",
}


def write_rehearsal(report: RehearsalReport, path: Path) -> None:
    """Write a report as a page where the file's name ends in ``.html``, else as JSON.

    Only its owner may read it: commands' last words can quote rows. Raise InputError where it cannot be
    written.
    """
    text = render(report) if path.suffix == ".html" else report.model_dump_json(indent=2) + "\n"
    write_privately(path, lambda file: file.write(text))


def render(report: RehearsalReport) -> str:
    """Return the page."""
    return (
        pages()
        .get_template("rehearsal.html.j2")
        .render(
            report=report,
            timeline=draw(report),
            legend=LEGEND,
            endings=ENDINGS,
            phases=PHASES,
            prediction=list(prediction(report)),
            needs=list(needs(report)),
            slowest=slowest(report),
            last_lines=last_lines,
            rows_of=rows_of,
            rows_before=_rows_before(report),
        )
    )


def draw(report: RehearsalReport) -> Timeline | None:
    """Return when each service's commands ran, stop by stop; None where none was run."""
    every = [command for service in report.services for stop in service.stops for command in stop.commands]
    if not every:
        return None
    began = min(command.began for command in every)
    seconds = max(command.began + command.seconds for command in every) - began
    axis = Axis(report.began + timedelta(seconds=began), seconds)
    sections = (
        Section(service.service, tuple(_lane(stop, report.began, axis) for stop in service.stops))
        for service in report.services
    )
    return Timeline(ticks(seconds), tuple(sections))


def _lane(stop: StopReport, zero: datetime, axis: Axis) -> Lane:
    bad = bool(ENDINGS[stop.ended])
    bars = tuple(
        _bar(command, zero, axis, last=command is stop.commands[-1] and bad) for command in stop.commands
    )
    figure = f"{stop.seconds:.1f} s" if stop.commands else "nothing to do"
    return Lane(stop.title, "", bars, stop.ended.value if bad else figure, bad)


def _bar(command: CommandReport, zero: datetime, axis: Axis, *, last: bool) -> Bar:
    begin = zero + timedelta(seconds=command.began)
    end = begin + timedelta(seconds=command.seconds)
    style = (
        Style.FAILED if last else Style.STEP if command.purpose == "online-data-migrations" else Style.STAGE
    )
    return axis.bar(begin, end, style, f"{command.command} ({command.seconds:.1f} s)")


def rows_of(database: DatabaseReport) -> list[TableChange]:
    """Return the tables that hold rows, came or went: those that changed first, then the largest."""
    told = [table for table in database.tables if table.before or table.before != table.after]
    return sorted(told, key=lambda table: (table.before == table.after, -(table.before or 0), table.table))


def _rows_before(report: RehearsalReport) -> dict[str, int]:
    """Return the rows of each table (``nova.instances``) as the copies came."""
    return {
        f"{database.name}.{table.table}": table.before or 0
        for service in report.services
        for database in service.databases
        for table in database.tables
    }
