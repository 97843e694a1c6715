"""All checks put to one cloud."""

from collections.abc import Iterable

from skipstone.catalog.catalog import Catalog
from skipstone.catalog.release import Release
from skipstone.checks.check import Check, Upgrade
from skipstone.checks.finding import Finding, Severity
from skipstone.checks.registry import all_checks
from skipstone.cloud.model import Cloud
from skipstone.errors import ExitCode, UnknownRelease


def release_of(cloud: Cloud, catalog: Catalog) -> Release | None:
    """Return the cloud's release, or None where discovery did not learn it or the catalog has none such."""
    try:
        return catalog.release(cloud.release) if cloud.release else None
    except UnknownRelease:
        return None


def examine(
    cloud: Cloud, catalog: Catalog, target: Release, checks: Iterable[Check] | None = None
) -> tuple[Finding, ...]:
    """Return what the checks (all of them, unless given) find, the worst first.

    The order is that of severity, then id, place and title: the same input gives the same findings.
    """
    upgrade = Upgrade(cloud=cloud, catalog=catalog, source=release_of(cloud, catalog), target=target)
    asked = all_checks() if checks is None else checks
    found = {finding for check in asked for finding in check.ask(upgrade)}
    return tuple(sorted(found, key=lambda f: (-f.severity.rank, f.id, f.where, f.title, f.evidence)))


def verdict(findings: Iterable[Finding]) -> ExitCode:
    """Return the exit code: REFUSED for an inhibitor or an unanswered question, WARNINGS for warnings."""
    worst = max((finding.severity.rank for finding in findings), default=Severity.INFO.rank)
    if worst >= Severity.UNKNOWN.rank:
        return ExitCode.REFUSED
    return ExitCode.WARNINGS if worst >= Severity.WARNING.rank else ExitCode.DONE
