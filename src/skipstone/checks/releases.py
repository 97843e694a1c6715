"""Questions about the way from one release to the other."""

from collections.abc import Iterator

from skipstone.catalog.limits import is_supported, refusals
from skipstone.catalog.release import Release, Status
from skipstone.catalog.route import find_route, shortest
from skipstone.checks.check import Check, Upgrade
from skipstone.checks.finding import Finding
from skipstone.checks.suites import SUITES
from skipstone.cloud.model import Host
from skipstone.errors import InputError


class ReleaseIsKnown(Check):
    """It is known which release the cloud runs.

    Floors, blockers and skew are all counted from it.
    Source: Skipstone's own rule. May go: never.
    """

    id = "release-unknown"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find a cloud without a release, or with one that the catalog does not have."""
        if upgrade.source is None:
            yield self.inhibitor(
                "the cloud's release is not known",
                where=upgrade.cloud.name,
                evidence=f"discovery says {upgrade.cloud.release or 'nothing'}",
                remedy="see that packages could be listed on the controllers, and discover again",
            )


class ReleasesAreAlike(Check):
    """All packages of OpenStack, on all hosts, are of the cloud's release.

    Anything else is an upgrade that was never finished, or a host that was forgotten in an earlier one.
    Source: Debian's package versions, by major number. May go: never.
    """

    id = "releases-mixed"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find hosts with packages of other releases."""
        for host in upgrade.reachable:
            strange = [
                f"{name} is {release.title}"
                for name, release in _releases(upgrade, host)
                if upgrade.source and release != upgrade.source
            ]
            if strange and upgrade.source:
                yield self.warning(
                    f"packages of another release than {upgrade.source.title}",
                    where=host.name,
                    evidence=", ".join(strange),
                    remedy="finish the upgrade that this host is in the middle of",
                )


def _releases(upgrade: Upgrade, host: Host) -> Iterator[tuple[str, Release]]:
    """Yield each service with packages on a host, and each release that these belong to."""
    for service in upgrade.catalog.services:
        versions = {package.version for package in host.packages if package.source in service.sources}
        found = {upgrade.catalog.release_of(service.name, version) for version in versions}
        yield from ((service.name, release) for release in sorted(release for release in found if release))


class TargetIsLater(Check):
    """The target is not older than the cloud.

    Schemas have no way back: no service has a downgrade since Kilo.
    Source: the services' migration tools. May go: never.
    """

    id = "target-older"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find a target before the cloud's release."""
        if upgrade.source and upgrade.target < upgrade.source:
            yield self.inhibitor(
                f"{upgrade.target.title} is older than {upgrade.source.title}",
                where=upgrade.cloud.name,
                evidence=f"{upgrade.target.version} comes before {upgrade.source.version}",
                remedy="name a later release; to go back, roll back the run that brought the cloud here",
            )


class RouteIsDirect(Check):
    """Every service's databases can go from the cloud's release to the target in one sync.

    A release's schema code reads databases from a certain release on, and asks for conversions that only
    older code can do. In place, only the target's code is there.
    Source: the catalog's schema floors and blockers, read from the services' code. May go: when a strategy
    takes databases through the stops of a route.
    """

    id = "route-has-stops"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find services that the target's code refuses to take from the source."""
        if upgrade.source is None or upgrade.target <= upgrade.source:
            return
        for service in upgrade.services:
            for refusal in refusals(upgrade.catalog, service, upgrade.source, upgrade.target):
                yield self.inhibitor(
                    f"{service.name}'s databases need a stop before {upgrade.target.title}",
                    where=service.name,
                    evidence=f"{refusal.text} ({refusal.evidence})",
                    remedy=_stops(upgrade, upgrade.source),
                )


def _stops(upgrade: Upgrade, source: Release) -> str:
    """Return the stops to make instead, as a remedy; those that Debian ships, where they suffice."""
    catalog, target = upgrade.catalog, upgrade.target
    shipped = [
        release
        for release in catalog.between(source, target)
        if release.debian or release in {source, target}
    ]
    chain = shortest(
        shipped,
        lambda one, other: (
            not any(True for service in upgrade.services for _ in refusals(catalog, service, one, other))
        ),
    )
    try:
        chain = (
            chain or find_route(catalog, source, target, [each.name for each in upgrade.services]).releases
        )
    except InputError as error:
        return f"{error}: take users' data to a new cloud"
    return f"upgrade to {', then '.join(release.title for release in chain[1:-1])} first"


class JumpIsSupported(Check):
    """Upstream supports going from the cloud's release to the target in one hop.

    What code can read and what upstream tests are two things: a jump over more than one release, or from
    one SLURP release over another, is nobody's promise but what was tried.
    Source: openstack/governance, resolution 20220210 on the release cadence. May go: never.
    """

    id = "jump-unsupported"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find a hop that upstream does not support."""
        source, target = upgrade.source, upgrade.target
        if source is None or target <= source or is_supported(upgrade.catalog, source, target):
            return
        chain = find_route(upgrade.catalog, source, target).supported
        yield self.warning(
            f"upstream does not support going from {source.title} to {target.title} in one hop",
            where=upgrade.cloud.name,
            evidence="supported: " + ", ".join(release.title for release in chain),
            remedy="rehearse it on a copy of this cloud's databases before the day",
        )


class TargetIsPackaged(Check):
    """A Debian suite carries the target.

    In place, services come from the operating system's packages.
    Source: Debian's package lists. May go: when other deployments can be upgraded.
    """

    id = "target-not-packaged"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find a target without a suite."""
        if upgrade.moves and upgrade.target.debian is None:
            later = [release for release in upgrade.catalog.newer_than(upgrade.target) if release.debian]
            remedy = (
                f"the next one with packages is {later[0].title}" if later else "choose an earlier release"
            )
            yield self.inhibitor(
                f"no Debian suite carries {upgrade.target.title}",
                where=upgrade.cloud.name,
                evidence="the catalog names no suite for it",
                remedy=remedy,
            )


class SuiteIsStable(Check):
    """It is known which servers the target's Debian suite brings.

    MariaDB, RabbitMQ and libvirt are upgraded with the operating system. In a suite that is not released yet
    their versions still move, so that no check can say whether they can read what is there.
    Source: Debian's package lists. May go: never.
    """

    id = "suite-unknown"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find a target in a suite whose servers are not listed here."""
        suite = upgrade.target.debian
        if upgrade.moves and suite and suite not in SUITES:
            yield self.unknown(
                f"which servers {suite} brings is not known",
                where=upgrade.cloud.name,
                evidence=f"{upgrade.target.title} is in {suite}; known are {', '.join(SUITES)}",
                remedy="wait for its release, or choose a target in a released suite",
            )


class TargetIsMaintained(Check):
    """The target still gets fixes from upstream.

    A cloud is upgraded to get them; the target may still be a good stop on the way.
    Source: series_status.yaml of openstack/releases. May go: never.
    """

    id = "target-end-of-life"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find a target that has reached its end of life."""
        if upgrade.moves and upgrade.target.status is Status.END_OF_LIFE:
            ended = f" on {upgrade.target.end_of_life}" if upgrade.target.end_of_life else ""
            yield self.warning(
                f"{upgrade.target.title} gets no fixes any more",
                where=upgrade.cloud.name,
                evidence=f"end of life{ended}",
                remedy="go on to a maintained release soon",
            )
