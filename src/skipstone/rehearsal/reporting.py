"""The report of a rehearsal, out of what was done."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict

from skipstone.catalog import Catalog
from skipstone.rehearsal.carrying import MoveDone, StopDone
from skipstone.rehearsal.counting import Counted
from skipstone.rehearsal.databases import LoadedDatabase, schema_of
from skipstone.rehearsal.fastforward import Stop
from skipstone.rehearsal.guards import Trouble
from skipstone.rehearsal.loading import Loaded
from skipstone.rehearsal.report import (
    CommandReport,
    DatabaseReport,
    DumpReport,
    ServiceReport,
    StopReport,
    TableChange,
    TableWork,
    TroubleReport,
)


def dump_report(loaded: Loaded) -> DumpReport:
    """Return what was made of one dump."""
    return DumpReport(
        where=loaded.dump.where,
        size=loaded.dump.size,
        databases=tuple(content.name for content in loaded.contents),
        seconds=loaded.seconds,
        left_out=loaded.left_out,
    )


def service_report(
    catalog: Catalog,
    chain: Iterable[Stop],
    made: Iterable[StopDone],
    databases: tuple[LoadedDatabase, ...],
    counted: tuple[Mapping[str, Counted], Mapping[str, Counted]],
) -> ServiceReport:
    """Return what became of one service's databases, counted before and after."""
    before, after = counted
    chain = tuple(chain)
    return ServiceReport(
        service=chain[0].service,
        databases=tuple(_database(one, before[one.name], after[one.name]) for one in databases),
        stops=tuple(_stop(catalog, done, databases) for done in made),
        planned=tuple(stop.release.version for stop in chain),
    )


def _database(one: LoadedDatabase, before: Counted, after: Counted) -> DatabaseReport:
    return DatabaseReport(
        name=one.name,
        known_as=one.known_as,
        heads=one.heads,
        size=before.size,
        rows=sum(before.rows.values()),
        tables=_tables(before.rows, after.rows),
    )


def _tables(before: Mapping[str, int], after: Mapping[str, int]) -> tuple[TableChange, ...]:
    return tuple(
        TableChange(table=table, before=before.get(table), after=after.get(table))
        for table in sorted({*before, *after})
    )


def _stop(catalog: Catalog, done: StopDone, databases: tuple[LoadedDatabase, ...]) -> StopReport:
    schema = done.stop.release.services[done.stop.service].schema_
    wanted = {one.name: schema.heads.get(schema_of(catalog, one.known_as), ()) for one in databases}
    return StopReport(
        release=done.stop.release.version,
        title=done.stop.release.title,
        ended=done.ended,
        commands=tuple(map(_command, done.moves)),
        troubles=tuple(map(_trouble, done.troubles)),
        heads=dict(done.found),
        wanted=wanted if done.stop.synced else {},
    )


def _command(done: MoveDone) -> CommandReport:
    return CommandReport(
        command=" ".join(done.move.invocation.argv(())),
        purpose=done.move.purpose,
        began=done.began,
        seconds=done.seconds,
        rounds=done.rounds,
        code=done.code,
        outcome=done.outcome,
        output=done.output,
        tables=tuple(TableWork(**asdict(one)) for one in done.touched),
    )


def _trouble(trouble: Trouble) -> TroubleReport:
    blocker = trouble.blocker
    return TroubleReport(
        check=blocker.id,
        database=blocker.database,
        rows=trouble.rows,
        effect=blocker.effect,
        condition=blocker.condition,
        remedy=blocker.remedy,
        evidence=blocker.evidence,
        after=trouble.after,
    )
