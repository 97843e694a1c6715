"""Reports of rehearsals that never were, for what reads them."""

from datetime import UTC, datetime

from skipstone.cloud.model import Cloud
from skipstone.rehearsal.report import (
    CommandReport,
    DatabaseReport,
    DumpReport,
    Ended,
    Origin,
    Phase,
    Reading,
    RehearsalReport,
    ServiceReport,
    StopReport,
    TroubleReport,
)

BEGAN = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
SECONDS = {"sync": 6.25, "online-data-migrations": 100.5}
TROUBLE = TroubleReport(
    check="cinder-null-use-quota",
    database="cinder",
    rows=2,
    effect="breaks",
    condition="a volume says nothing of use_quota",
    remedy="cinder-manage db online_data_migrations",
    evidence="cinder",
)


MENDED = TROUBLE.model_copy(update={"mended": True, "remedy": "UPDATE volumes SET use_quota = 1"})


def report_of(
    cloud: Cloud, *, live: bool = True, guarded: str = "", failed: str = "", mended: str = ""
) -> RehearsalReport:
    """Return the report of a rehearsal of a Zed cloud to 2025.1; services can go wrong, or be mended."""
    services = dict.fromkeys(database.service for database in cloud.databases)
    return RehearsalReport(
        origin=Origin(cloud=cloud.name, plan="p", limit=50.0) if live else None,
        began=BEGAN,
        source="2022.2",
        target="2025.1",
        server="10.11",
        isolated=True,
        dumps=tuple(_dump(database.name, live=live) for database in cloud.databases),
        nobodys=(),
        services=tuple(
            ServiceReport(
                service=service,
                databases=_databases(cloud, service),
                stops=(
                    _stop(
                        service,
                        guarded=service == guarded,
                        failed=service == failed,
                        troubles=(TROUBLE,) * (service == guarded) + (MENDED,) * (service == mended),
                    ),
                ),
                planned=("2025.1",),
            )
            for service in services
        ),
        phases={Phase.CARRY: 111.4},
    )


def _dump(name: str, *, live: bool) -> DumpReport:
    reading = Reading(at=BEGAN, seconds=9.0, waited=2.0) if live else None
    return DumpReport(where=name, size=10, databases=(name,), seconds=1.0, left_out={}, reading=reading)


def _databases(cloud: Cloud, service: str) -> tuple[DatabaseReport, ...]:
    return tuple(
        DatabaseReport(
            name=database.name,
            known_as=database.known_as or database.name,
            heads=database.heads,
            size=database.size,
            rows=sum(table.rows for table in database.tables),
        )
        for database in cloud.databases
        if database.service == service
    )


def _stop(service: str, *, guarded: bool, failed: bool, troubles: tuple[TroubleReport, ...]) -> StopReport:
    commands = tuple(
        CommandReport(
            command=f"{service}-manage {purpose}",
            purpose=purpose,
            began=1.0,
            seconds=seconds,
            rounds=1,
            code=int(failed),
            outcome="error" if failed else "done",
            output="it is broken\n" if failed else "",
        )
        for purpose, seconds in SECONDS.items()
    )
    return StopReport(
        release="2025.1",
        title="2025.1 Epoxy",
        ended=Ended.GUARDED if guarded else Ended.FAILED if failed else Ended.DONE,
        commands=() if guarded else commands,
        troubles=troubles,
        heads={},
        wanted={},
    )
