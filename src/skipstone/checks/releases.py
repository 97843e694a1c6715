"""Questions about the way from one release to the other."""

from collections.abc import Iterator

from skipstone.catalog.release import Release, Status
from skipstone.checks.check import Check, Upgrade
from skipstone.checks.finding import Finding
from skipstone.cloud.model import Host


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


class TargetIsMaintained(Check):
    """The target still gets fixes from upstream.

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
