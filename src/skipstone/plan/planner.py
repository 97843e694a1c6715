"""From a Cloud and a target to a Plan; pure."""

from dataclasses import replace
from typing import NamedTuple

from skipstone import __version__
from skipstone.catalog.catalog import Catalog
from skipstone.catalog.release import Release
from skipstone.catalog.route import Route, find_route
from skipstone.checks.check import listed
from skipstone.checks.finding import Finding, Severity
from skipstone.cloud.fingerprint import digest_from, fingerprint_of
from skipstone.cloud.model import Cloud
from skipstone.collecting import collecting_later
from skipstone.errors import Inhibited, InputError
from skipstone.plan.configuration import Carrying, configuration
from skipstone.plan.plan import GATE_EXPIRES, Plan
from skipstone.plan.rehearsed import expect_same, findings_of, timed
from skipstone.plan.rollout import Rollout
from skipstone.plan.strategies import in_place
from skipstone.plan.strategies.in_place import Handling, Suites
from skipstone.rehearsal.report import RehearsalReport


class Limits(NamedTuple):
    """How many steps of a stage may run at the same time: in all, and on the hosts of one zone."""

    at_once: int | None = None
    per_zone: int | None = None


def staying(cloud: Cloud, release: Release) -> Release:
    """Return a release as it is where the hosts stay on their Debian: an archive has its packages for that.

    Raise InputError where the hosts run different ones, or it is not known which.
    """
    found = {host.os.codename if host.os else "unknown" for host in cloud.hosts}
    if len(found) != 1 or "unknown" in found:
        raise InputError(
            "the hosts are not all on one known operating system, so it cannot stay",
            where=cloud.name,
            evidence=f"found: {', '.join(sorted(found))}",
            remedy="discover again with every host reachable; bring all hosts to one suite first",
        )
    evidence = {**release.evidence, "debian": f"said of {cloud.name}: its archive has the release for it"}
    return release.model_copy(update={"debian": found.pop(), "evidence": evidence})


STRATEGIES = {"in-place": in_place.stages}


@collecting_later()
def make_plan(
    cloud: Cloud,
    catalog: Catalog,
    target: Release,
    *,
    findings: tuple[Finding, ...],
    strategy: str = "in-place",
    suites: Suites | None = None,
    gate_expires: int = GATE_EXPIRES,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    carrying: Carrying = Carrying(),  # noqa: B008 - frozen
    handling: Handling = Handling(),  # noqa: B008 - frozen
    rollout: Rollout = Rollout(),  # noqa: B008 - frozen
    rehearsal: RehearsalReport | None = None,
) -> Plan:
    """Return the plan that carries ``cloud`` to ``target``.

    ``suites`` are given where the hosts stay on their Debian, and ``target`` is then as ``staying`` says.
    ``findings`` are the checks' answers for this target, a ``rehearsal``'s come to them; a gate waits
    ``gate_expires`` seconds; ``carrying`` says what is wanted of the configuration's conversion, which has
    findings of its own; ``handling`` says what becomes of the computes' instances, ``rollout`` how the
    computes are taken. Raise Inhibited where a finding forbids the upgrade, InputError where the strategy
    cannot upgrade such a cloud, PlanRefused where the rehearsal was of another.
    """
    if rehearsal:
        expect_same(rehearsal, cloud, catalog.release(cloud.release or rehearsal.source), target)
        findings = (*findings, *findings_of(rehearsal, cloud))
    _refuse_inhibited(cloud, target, findings)
    if cloud.release is None:
        raise InputError(
            "the release of this cloud is not known",
            where=cloud.name,
            remedy="Discover again with every control host reachable; its packages tell the release.",
        )
    source = catalog.release(cloud.release)
    if suites:
        source = staying(cloud, source)
        _named(cloud, suites)
    route = find_route(catalog, source, target, cloud.services)
    _one_hop(route)
    _same_distribution(cloud, source, target)
    fingerprint = fingerprint_of(cloud)
    name = f"{cloud.name}-{source.codename}-{target.version}-{digest_from(fingerprint)[:8]}"
    suites = suites or Suites(source.debian or "", target.debian or "")
    layout = in_place.Layout(
        name, cloud, catalog, source, target, suites, findings, handling=handling, rollout=rollout
    )
    hosts = (*layout.controls, *layout.computes)
    converted = configuration(hosts, layout.services, source, target, carrying)
    _refuse_inhibited(cloud, target, converted.findings)
    findings = (*findings, *converted.findings, *_postponed(rollout))
    layout = replace(layout, findings=findings, conversions=converted.files)
    roots = {service.name: layout.api_root(service) for service in layout.services}
    stages = tuple(stage.model_copy(update=limits._asdict()) for stage in STRATEGIES[strategy](layout))
    if rehearsal:
        stages = timed(stages, rehearsal)
    return Plan(
        id=name,
        skipstone=__version__,
        strategy=strategy,
        cloud=cloud.name,
        source=source.codename,
        target=target.codename,
        route=tuple(release.codename for release in route.releases),
        findings=findings,
        endpoints={service: root for service, root in roots.items() if root},
        zones={host.name: host.zone for host in cloud.hosts if host.zone},
        stages=stages,
        gates=tuple(
            gate.model_copy(update={"expires": gate_expires}) for gate in in_place.gates(stages, rollout)
        ),
        fingerprint=fingerprint,
    )


def _postponed(rollout: Rollout) -> tuple[Finding, ...]:
    """Return what it means that computes are postponed, where some are."""
    if not rollout.postponed:
        return ()
    number = len(rollout.postponed)
    return (
        Finding(
            id="computes-postponed",
            severity=Severity.WARNING,
            title=f"{number} of the computes stay as they are until somebody approves gate `postponed`",
            where=listed(rollout.postponed),
            evidence="until then nova speaks to all computes as to the oldest, and what needs every compute"
            " upgraded is not done: the workaround stays, the last online migrations and nova's check wait",
            remedy="the run stops at the gate when that expires; `skipstone resume` goes on, even days later",
        ),
    )


def _refuse_inhibited(cloud: Cloud, target: Release, findings: tuple[Finding, ...]) -> None:
    forbidding = [finding for finding in findings if finding.severity is Severity.INHIBITOR]
    if forbidding:
        raise Inhibited(
            f"{len(forbidding)} findings forbid the upgrade of {cloud.name} to {target.title}",
            evidence="\n".join(f"{finding.id} {finding.where}: {finding.title}" for finding in forbidding),
            remedy="\n".join(f"{finding.id}: {finding.remedy}" for finding in forbidding),
        )


def _one_hop(route: Route) -> None:
    """Raise InputError where the way has stops: packages of releases in between come from nowhere."""
    if route.stops:
        names = ", ".join(stop.title for stop in route.stops)
        raise InputError(
            f"the way from {route.source.title} to {route.target.title} has stops: {names}",
            remedy=f"Upgrade to {route.stops[0].title} first. Why the stops are there:  skipstone route"
            f" --from {route.source.codename} --to {route.target.codename}",
        )


def _named(cloud: Cloud, suites: Suites) -> None:
    """Raise InputError where a host has no package source that names the old suite."""
    without = [
        host.name
        for host in cloud.hosts
        if not any(suites.old in source.suites for source in host.apt_sources)
    ]
    if without:
        raise InputError(
            f"no package source names the suite {suites.old}",
            where=", ".join(without),
            remedy="give the suite as /etc/apt/sources.list has it:  --suites OLD=NEW",
        )


def _same_distribution(cloud: Cloud, source: Release, target: Release) -> None:
    """Raise InputError where a release is in no Debian suite, or a host runs another one."""
    if not source.debian or not target.debian:
        unknown = source if not source.debian else target
        raise InputError(
            f"no Debian suite carries {unknown.title}",
            where=cloud.name,
            remedy="Choose a target that Debian ships (`skipstone route` shows the suites).",
        )
    for host in cloud.hosts:
        if host.os and (host.os.id != "debian" or host.os.codename != source.debian):
            found = f"{host.os.id} {host.os.codename}"
            raise InputError(
                f"{host.name} runs {found}; {source.title} comes with {source.debian}",
                where=host.name,
                remedy="This strategy takes system and OpenStack from one Debian suite to another.",
            )
