"""What a rehearsal says to a plan: findings, and measured times in the place of guesses. Pure.

Times are taken as they were measured: how much faster or slower the cloud's own server is than the machine
of the rehearsal is known by nobody, and a factor would only look like knowledge.
"""

from collections.abc import Iterator
from itertools import chain
from math import ceil

from skipstone.catalog.release import Release
from skipstone.catalog.service import Purpose
from skipstone.checks.finding import Finding, Severity
from skipstone.cloud.model import Cloud
from skipstone.errors import PlanRefused
from skipstone.plan.plan import Stage
from skipstone.plan.repeating import Entry, Repeat, Steps, entries_of, made
from skipstone.rehearsal.report import READS_AT_ONCE, Ended, RehearsalReport, ServiceReport
from skipstone.steps.backup import DumpDatabases, DumpStoppedDatabases
from skipstone.steps.database import MigrateOnline, SyncDatabase
from skipstone.steps.step import Step

REHEARSED, FAILED, OTHER_ROWS = "databases-rehearsed", "rehearsal-failed", "rehearsal-of-other-rows"
OTHER_ANSWERS, MENDED = "rehearsal-other-answers", "rehearsal-mended-copies"

DRIFT = 0.2
"""Part by which rows may have become more or fewer since the rehearsal before its times are doubted."""

PATIENCE = 4
"""How many times longer than in the rehearsal a step may take before it is given up."""
"""As the rehearsal reads them; ``DumpStoppedDatabases`` makes as many as its host has processors."""


def expect_same(report: RehearsalReport, cloud: Cloud, source: Release, target: Release) -> None:
    """Raise PlanRefused where a rehearsal was of another cloud, of other releases, or of other databases."""
    wanted = [f"{source.version} → {target.version}", *sorted(_databases_of(cloud))]
    found = [f"{report.source} → {report.target}", *sorted(_databases_in(report))]
    if report.origin and report.origin.cloud != cloud.name:
        wanted, found = [f"cloud {cloud.name}", *wanted], [f"cloud {report.origin.cloud}", *found]
    if wanted != found:
        missing = [f"not rehearsed: {line}" for line in wanted if line not in found]
        raise PlanRefused(
            "the rehearsal is not one of this plan's databases",
            where=cloud.name,
            evidence="\n".join([*missing, *(f"rehearsed: {line}" for line in found if line not in wanted)]),
            remedy="rehearse this cloud's databases: `skipstone rehearse plan.yaml -i inventory.yaml`",
        )


def findings_of(report: RehearsalReport, cloud: Cloud) -> tuple[Finding, ...]:
    """Return what forbids the upgrade, what is to be looked at, and what the rehearsal was of."""
    failed = chain.from_iterable(_failures(service) for service in report.services if not service.passed)
    return (
        *failed,
        *_mended(report),
        *_other_answers(report),
        *_other_rows(report, cloud),
        _rehearsed(report),
    )


def said_of(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return those of a plan's findings that are a rehearsal's; empty where none was given."""
    return tuple(found for found in findings if found.id in {REHEARSED, OTHER_ROWS, OTHER_ANSWERS, MENDED})


def timed(stages: tuple[Stage, ...], report: RehearsalReport) -> tuple[Stage, ...]:
    """Return the stages with measured seconds where the rehearsal has done what a step does."""
    return tuple(
        stage.model_copy(
            update={"steps": Steps(_timed_entry(stage, entry, report) for entry in entries_of(stage.steps))}
        )
        for stage in stages
    )


def _timed_entry(stage: Stage, entry: Entry, report: RehearsalReport) -> Entry:
    """Return a step in full where it takes another time than its model."""
    if isinstance(entry, Repeat) and _measured(stage, entry.model.step, report) is None:
        return entry
    return _timed(stage, made(entry), report)


def _timed(stage: Stage, step: Step, report: RehearsalReport) -> Step:
    seconds = _measured(stage, step, report)
    if seconds is None:
        return step
    estimate = max(ceil(seconds), 1)
    return step.model_copy(update={"estimate": estimate, "deadline": max(step.deadline, PATIENCE * estimate)})


def _measured(stage: Stage, step: Step, report: RehearsalReport) -> float | None:
    match step:
        case SyncDatabase():
            return _command_seconds(report, step.service, Purpose.SYNC)
        case MigrateOnline() if stage.name == "databases":  # once more at the end, nothing is left to do
            return _command_seconds(report, step.service, Purpose.ONLINE_DATA_MIGRATIONS)
        case DumpDatabases():
            return sum(_dump_seconds(report), 0.0) or None
        case DumpStoppedDatabases():
            each = _dump_seconds(report)
            return max(sum(each) / READS_AT_ONCE, *each) if each else None
    return None


def _command_seconds(report: RehearsalReport, service: str, purpose: Purpose) -> float | None:
    """Return what the target's commands for a purpose took; None where none was run."""
    found = [
        command.seconds
        for one in report.services
        for stop in one.stops
        for command in stop.commands
        if one.service == service and stop.release == report.target and command.purpose == purpose
    ]
    return sum(found) if found else None


def _dump_seconds(report: RehearsalReport) -> list[float]:
    """Return what each database's dump took, without what the bandwidth limit cost; none for given dumps."""
    readings = [dump.reading for dump in report.dumps if dump.reading]
    return [reading.seconds - reading.waited for reading in readings]


def _failures(service: ServiceReport) -> Iterator[Finding]:
    last = service.stops[-1]
    for trouble in last.left:
        yield Finding(
            id=FAILED,
            severity=Severity.INHIBITOR,
            title=f"{service.service} did not arrive in the rehearsal:"
            f" it does not hold that {trouble.condition}",
            where=f"{service.service}, {last.title}",
            evidence=f"{trouble.rows} rows of {trouble.database} ({trouble.check})",
            remedy=trouble.remedy,
        )
    if last.ended is not Ended.GUARDED:
        command = last.commands[-1] if last.commands else None
        yield Finding(
            id=FAILED,
            severity=Severity.INHIBITOR,
            title=f"{service.service} did not arrive in the rehearsal: {last.ended}",
            where=f"{service.service}, {last.title}",
            evidence=f"{command.command}: {_last_line(command.output)}" if command else "",
            remedy="read the rehearsal's report, mend what it names, and rehearse again",
        )


def _mended(report: RehearsalReport) -> Iterator[Finding]:
    for service, stop, trouble in report.mended:
        yield Finding(
            id=MENDED,
            severity=Severity.WARNING,
            title=f"the rehearsal had to mend {service}'s copies before {stop.title}:"
            f" it did not hold that {trouble.condition}",
            where=trouble.database,
            evidence=f"{trouble.rows} rows ({trouble.check})",
            remedy=trouble.remedy,
        )


def _other_answers(report: RehearsalReport) -> Iterator[Finding]:
    for api in report.apis:
        if not api.passed:
            kinds = [one.resource for one in api.resources if not one.passed]
            yield Finding(
                id=OTHER_ANSWERS,
                severity=Severity.WARNING,
                title=f"in the rehearsal {api.service}'s new API did not answer what the old databases held",
                where=api.service,
                evidence=", ".join(kinds) or _last_line(api.trouble),
                remedy="read the rehearsal's report: what is not explained there is lost, or damaged, or a"
                " change that the catalog does not know",
            )


def _last_line(output: str) -> str:
    return next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "no output")


def _rehearsed(report: RehearsalReport) -> Finding:
    of = "the running cloud" if report.origin else "dumps"
    return Finding(
        id=REHEARSED,
        severity=Severity.INFO,
        title=f"the databases' migration was rehearsed on {report.began:%Y-%m-%d %H:%M} UTC"
        f" with copies of {of}: {report.verdict}, in {ceil(report.migration_seconds)} s",
        evidence="\n".join(f"{one.service}: {one.seconds:.1f} s" for one in report.services),
        remedy="its times are the estimates of the steps that migrate; rehearse again before the day",
    )


def _other_rows(report: RehearsalReport, cloud: Cloud) -> Iterator[Finding]:
    now = sum(table.rows for database in cloud.databases for table in database.tables)
    then = sum(database.rows for service in report.services for database in service.databases)
    if abs(now - then) > DRIFT * max(now, then):
        yield Finding(
            id=OTHER_ROWS,
            severity=Severity.WARNING,
            title=f"the databases hold {now:,} rows; in the rehearsal they held {then:,}",
            where=cloud.name,
            evidence=f"rehearsed on {report.began:%Y-%m-%d %H:%M} UTC",
            remedy="rehearse again: how long a migration takes follows the rows",
        )


def _databases_of(cloud: Cloud) -> Iterator[str]:
    for database in cloud.databases:
        yield _named(database.known_as or database.name, database.heads)


def _databases_in(report: RehearsalReport) -> Iterator[str]:
    for service in report.services:
        for database in service.databases:
            yield _named(database.known_as, database.heads)


def _named(known_as: str, heads: tuple[str, ...]) -> str:
    return f"{known_as} at {', '.join(sorted(heads))}"
