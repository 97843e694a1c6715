"""The report as one HTML page: it needs no network, and reads well in print and in the dark."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from skipstone.impact.measurement import InstanceImpact
from skipstone.views.crowd import crowd_of
from skipstone.views.measure import duration, megabytes
from skipstone.views.report import Report, write_text
from skipstone.views.timeline import LEGEND, draw
from skipstone.views.verification import WORDS, counted, describe

MOST = 100
"""Rows of a table that are shown: the gravest first; all are in the JSON."""


def write_page(report: Report, path: Path) -> None:
    """Write the page; raise InputError where that is not possible."""
    write_text(path, render(report))


def pages() -> Environment:
    """Return where the templates are, with the filters that they share."""
    found = Environment(
        loader=PackageLoader("skipstone.views"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {
        "span": span,
        "moment": moment,
        "megabytes": megabytes,
        "describe": describe,
        "counted": counted,
        "gravest": gravest,
        "names": names,
    }
    return found


def render(report: Report) -> str:
    """Return the page."""
    template = pages().get_template("report.html.j2")
    weights = {weight: word for weight, (word, _) in WORDS.items()}
    return template.render(
        report=report,
        timeline=draw(report),
        legend=LEGEND,
        weights=weights,
        excuses=_excuses(report),
        crowds={stage.name: crowd_of(stage) for stage in report.run.stages},
        most=MOST,
    )


def _excuses(report: Report) -> list[str]:
    """Return a line for every probe that could not ask, with the reasons and how often."""
    return [
        f"{stream.name} {stream.kind}: {reason} ({count})"
        for stream in (report.impact.apis if report.impact else ())
        for reason, count in stream.excuses.items()
    ]


def span(seconds: float | None, nothing: str = "none") -> str:
    """Return a duration in words; None was not measured."""
    if seconds is None:
        return "not measured"
    return duration(seconds) if seconds else nothing


def gravest(instances: Iterable[InstanceImpact]) -> list[InstanceImpact]:
    """Return instances, those first that were booted anew, or had the longest gap."""

    def grave(one: InstanceImpact) -> tuple[bool, float]:
        gaps = [stream.longest_gap for stream in (one.ping, one.tcp, one.boot) if stream]
        return not one.rebooted, -max(gaps, default=0.0)

    every = list(instances)
    return sorted(every, key=grave) if len(every) > MOST else every


def names(hosts: Sequence[str], most: int = 6) -> str:
    """Return names, of very many only the first."""
    more = f" and {len(hosts) - most} more" if len(hosts) > most else ""
    return ", ".join(hosts[:most]) + more


def moment(when: datetime | None) -> str:
    """Return a time as people write it, in UTC."""
    return f"{when:%Y-%m-%d %H:%M:%S} UTC" if when else "not yet"
