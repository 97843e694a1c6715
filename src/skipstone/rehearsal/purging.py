"""What purging soft-deleted rows first would save: the same dumps carried twice, and compared."""

from collections.abc import Iterator

from skipstone.catalog import Outcome, Purpose
from skipstone.rehearsal.report import CommandReport, PurgeReport, RehearsalReport, ServiceReport


def compared(plain: RehearsalReport, purged: RehearsalReport) -> tuple[PurgeReport, ...]:
    """Return what purging did for each service that has commands for it."""
    before = {service.service: service for service in plain.services}
    found = (_compared(before[service.service], service) for service in purged.services)
    return tuple(report for report in found if report)


def _compared(plain: ServiceReport, purged: ServiceReport) -> PurgeReport | None:
    purges = [command for command in _commands(purged) if command.purpose == Purpose.PURGE]
    if not purges:
        return None
    failed = [command for command in purges if command.outcome not in (Outcome.DONE, Outcome.WARNING)]
    return PurgeReport(
        service=plain.service,
        rows=_rows(plain) - _rows(purged),
        seconds=sum(command.seconds for command in purges),
        without=plain.seconds,
        with_it=purged.seconds - sum(command.seconds for command in purges),
        failed=failed[0].output.strip().rpartition("\n")[2] or "no word why" if failed else "",
    )


def _commands(service: ServiceReport) -> Iterator[CommandReport]:
    for stop in service.stops:
        yield from stop.commands


def _rows(service: ServiceReport) -> int:
    """Return the rows that a service has in the end."""
    return sum(table.after or 0 for database in service.databases for table in database.tables)
