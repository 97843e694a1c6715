"""The report of a rehearsal, out of what was done."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict

from skipstone.catalog import Catalog
from skipstone.catalog.serving import Change, Difference
from skipstone.rehearsal.asking import ApiDone
from skipstone.rehearsal.carrying import MoveDone, StopDone
from skipstone.rehearsal.checking import Checked
from skipstone.rehearsal.comparing import Compared, Differing, made_on
from skipstone.rehearsal.counting import Counted
from skipstone.rehearsal.databases import LoadedDatabase, schema_of
from skipstone.rehearsal.fastforward import Stop
from skipstone.rehearsal.guards import Trouble
from skipstone.rehearsal.loading import Loaded
from skipstone.rehearsal.report import (
    ApiReport,
    CheckReport,
    CommandReport,
    DatabaseReport,
    DifferenceReport,
    DumpReport,
    ResourceReport,
    ServiceReport,
    StopReport,
    TableChange,
    TableWork,
    TakenOver,
    TroubleReport,
)
from skipstone.rehearsal.taking import Taking

EXAMPLES = 5
"""Rows of each way of differing that are in the report."""


def dump_report(loaded: Loaded) -> DumpReport:
    """Return what was made of one dump."""
    return DumpReport(
        where=loaded.dump.where,
        size=loaded.dump.size,
        databases=tuple(content.name for content in loaded.contents),
        seconds=loaded.seconds,
        left_out=loaded.left_out,
    )


def check_report(checked: Checked) -> CheckReport:
    """Return what a service's own upgrade check said."""
    made = checked.made
    return CheckReport(
        service=checked.service,
        command=" ".join(made.move.invocation.argv(())),
        code=made.code,
        outcome=made.outcome,
        seconds=made.seconds,
        found=checked.found,
        output=made.output,
    )


def taken_report(taking: Taking) -> TakenOver:
    """Return what was copied for a service without a database."""
    return TakenOver(
        service=taking.database.service,
        database=taking.database.name,
        origin=taking.origin,
        tables=taking.tables,
        recipe=taking.recipe.id,
        title=taking.recipe.title,
        advice=taking.recipe.note,
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
    chain, made = tuple(chain), tuple(made)
    service = catalog.service(chain[0].service)
    changes = made_on(service.changes, (done.stop.release for done in made))
    return ServiceReport(
        service=chain[0].service,
        databases=tuple(_database(one, before[one.name], after[one.name], changes) for one in databases),
        stops=tuple(_stop(catalog, done, databases) for done in made),
        planned=tuple(stop.release.version for stop in chain),
    )


def api_report(done: ApiDone) -> ApiReport:
    """Return what one API answered."""
    return ApiReport(
        service=done.service,
        asked=done.asked,
        seconds=done.seconds,
        resources=tuple(map(_resource, done.compared)),
        trouble=done.trouble,
    )


def _resource(compared: Compared) -> ResourceReport:
    held = compared.held
    groups: dict[tuple[str, str, Change | None], list[Differing]] = {}
    for one in compared.differing:
        groups.setdefault((one.difference, one.field, one.change), []).append(one)
    return ResourceReport(
        resource=held.resource.name,
        held=held.total,
        compared=compared.rows,
        fields=tuple(name for name in held.resource.fields if name not in held.left_out),
        left_out=dict(held.left_out),
        unread=held.unread,
        error=compared.error,
        differences=tuple(
            DifferenceReport(
                difference=difference,
                field=field,
                rows=len(found),
                examples=tuple(("/".join(one.key), one.before, one.after) for one in found[:EXAMPLES]),
                change=change.id if change else None,
                because=change.because if change else None,
            )
            for (difference, field, change), found in groups.items()
        ),
    )


def _database(
    one: LoadedDatabase, before: Counted, after: Counted, changes: Iterable[Change]
) -> DatabaseReport:
    own = tuple(change for change in changes if one.known_as in change.databases)
    return DatabaseReport(
        name=one.name,
        known_as=one.known_as,
        heads=one.heads,
        size=before.size,
        rows=sum(before.rows.values()),
        tables=tuple(
            _change(table, before.rows.get(table), after.rows.get(table), own)
            for table in sorted({*before.rows, *after.rows})
        ),
    )


def _change(table: str, before: int | None, after: int | None, changes: Iterable[Change]) -> TableChange:
    way = Difference.ADDED if (after or 0) > (before or 0) else Difference.MISSING
    known = (one for one in changes if table in one.tables and one.difference is way)
    made = next(known, None) if before != after else None
    return TableChange(
        table=table,
        before=before,
        after=after,
        change=made.id if made else None,
        because=made.because if made else None,
    )


def _stop(catalog: Catalog, done: StopDone, databases: tuple[LoadedDatabase, ...]) -> StopReport:
    # a release that a recipe starts from has not the service yet
    entry = done.stop.release.services.get(done.stop.service)
    heads = entry.schema_.heads if entry and done.stop.synced else {}
    wanted = {one.name: heads.get(schema_of(catalog, one.known_as), ()) for one in databases}
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
        remedy=(trouble.mended and blocker.mend) or blocker.advice,
        evidence=blocker.evidence,
        after=trouble.after,
        mended=trouble.mended,
    )
