"""What the carried databases hold, and what the target's APIs answered on them, on a terminal."""

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from skipstone.rehearsal.report import ApiReport, Asked, DifferenceReport, ResourceReport, ServiceReport
from skipstone.views.measure import duration

WORDS = {"missing": "are missing", "added": "are new", "changed": "have another"}


def show_apis(apis: Sequence[ApiReport]) -> Iterator[RenderableType]:
    """Yield a table of the APIs, and below it what needs more words."""
    if not apis:
        return
    yield "\nthe new APIs on the copies, against what the old databases held:"
    table = Table("API", "first answer", "compared", "", box=None)
    for api in apis:
        first = duration(api.seconds) if api.asked is Asked.ANSWERED else ""
        counts = ", ".join(f"{one.compared:,} {one.resource}" for one in api.resources if not one.unread)
        table.add_row(api.service, first, escape(counts), _ending(api))
    yield table
    for api in apis:
        yield from _more(api)


def show_rows(services: Sequence[ServiceReport]) -> Iterator[RenderableType]:
    """Yield which tables have more or fewer rows afterwards, and why; empty ones come and go untold."""
    groups: dict[str, list[str]] = {}
    for service in services:
        for database in service.databases:
            for one in database.changes:
                if one.before or one.after:
                    told = f"{database.name}.{one.table} {_rows(one.before)} → {_rows(one.after)}"
                    groups.setdefault(one.because or "", []).append(told)
    if groups:
        yield "\ntables that have other rows than before:"
    for because, found in groups.items():
        why = escape(because) or "[yellow]unexplained[/]"
        yield Padding(f"{escape(', '.join(found))}: {why}", (0, 2))


def _rows(count: int | None) -> str:
    return "none" if count is None else f"{count:,}"


def _ending(api: ApiReport) -> str:
    if api.asked is Asked.LEFT_OUT:
        return "[yellow]not asked[/]"
    if api.asked is Asked.SILENT:
        return "[red]does not answer[/]"
    return "[green]the same[/]" if api.passed else "[red]not the same[/]"


def _more(api: ApiReport) -> Iterator[RenderableType]:
    if api.trouble:
        yield f"\n{api.service}: {_ending(api)}"
        yield Padding(escape(api.trouble), (0, 2))
    for one in api.resources:
        name = f"{api.service}, {one.resource}"
        if one.error:
            yield f"\n[red]{name}[/]: {escape(one.error)}"
        yield from (f"{name}: {_not_compared(text)}" for text in _gaps(one))
        yield from (f"{name}: {_difference(found)}" for found in one.differences)


def _gaps(one: ResourceReport) -> Iterator[str]:
    if one.unread:
        yield one.unread
    yield from (f"{field}: {why}" for field, why in one.left_out.items())
    if not one.unread and not one.error and one.compared < one.held:
        yield f"{one.held - one.compared:,} of {one.held:,} rows: the first by their key are compared"


def _not_compared(text: str) -> str:
    return f"[yellow]not compared[/]: {escape(text)}"


def _difference(found: DifferenceReport) -> str:
    what = f"{found.rows:,} {WORDS[found.difference]} {found.field}".rstrip()
    key, before, after = found.examples[0]
    example = f"{key}: {before!r} → {after!r}" if found.field else key
    why = escape(found.because) if found.because else "[red]unexplained[/]"
    return f"{what} ({escape(example)}): {why}"
