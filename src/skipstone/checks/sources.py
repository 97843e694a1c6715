"""Questions about package sources: will apt find the target's packages, and only those."""

import re
from collections.abc import Iterator

from skipstone.checks.check import Check, Upgrade, listed
from skipstone.checks.finding import Finding
from skipstone.checks.suites import ORDER
from skipstone.cloud.model import AptSource, Host

POCKETS = ("", "-updates", "-security", "/updates", "-backports", "-backports-sloppy", "-proposed-updates")
"""What Debian itself puts behind a codename in the name of a suite."""

DEBIAN = "debian"

STEP = 2
"""Releases at the two ends of one upgrade of Debian."""


class SourcesAreKnown(Check):
    """Every package source can be switched to the target's suite, and none is from elsewhere.

    In place a suite's codename is replaced. A suite that only looks like Debian's
    (``bookworm-zed-backports``) has no counterpart in the target; one without the codename stays as it is,
    and its packages with it.
    Source: Skipstone's package steps, sources.list(5). May go: never.
    """

    id = "apt-sources"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find hosts with nothing to switch, suites that cannot be switched, and those left as they are."""
        for host in upgrade.reachable:
            if host.os is None or not upgrade.leaves(host):
                continue
            if host.os.id != DEBIAN:
                yield self._unlike(host, host.os.id)
                continue
            codename = host.os.codename
            if not any(suite == codename for source in host.apt_sources for suite in source.suites):
                yield self.inhibitor(
                    f"no package source names {codename}",
                    where=host.name,
                    evidence=listed([f"{s.path}: {' '.join(s.suites)}" for s in host.apt_sources]) or "none",
                    remedy=f"name {codename} in the package sources, instead of stable or testing",
                )
            for source in host.apt_sources:
                yield from self._foreign(host, codename, source)

    def _unlike(self, host: Host, system: str) -> Finding:
        return self.inhibitor(
            f"packages of {system} cannot be upgraded in place yet",
            where=host.name,
            evidence=f"/etc/os-release: ID={system}",
            remedy="plan another strategy for this host",
        )

    def _foreign(self, host: Host, codename: str, source: AptSource) -> Iterator[Finding]:
        """Yield the suites of one file that are not Debian's own."""
        ours = {codename + pocket for pocket in POCKETS}
        for suite in sorted(set(source.suites) - ours):
            if re.match(rf"{codename}\b", suite):
                yield self.inhibitor(
                    f"suite {suite} has no counterpart in the target",
                    where=host.name,
                    evidence=f"{source.path} names {suite}",
                    remedy=f"disable {source.path}, or replace it by the target's counterpart",
                )
            else:
                yield self.warning(
                    f"suite {suite} stays as it is",
                    where=host.name,
                    evidence=f"{source.path} names {suite}",
                    remedy="see that its packages work on the target's operating system, or disable it",
                )


class SuitesAreNeighbours(Check):
    """No release of Debian is skipped on the way.

    OpenStack may skip releases, Debian may not: its packages convert what the release before left, and no
    older one.
    Source: Debian's release notes ("direct upgrades from releases older than ... are not supported").
    May go: never.
    """

    id = "suite-skipped"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find hosts that are further than one release away from the target's suite."""
        target = upgrade.target.debian
        for host in upgrade.reachable:
            if target not in ORDER or host.os is None or host.os.codename not in ORDER:
                continue
            way = ORDER[ORDER.index(host.os.codename) : ORDER.index(target) + 1]
            if len(way) > STEP:
                yield self.inhibitor(
                    f"{host.os.codename} cannot be upgraded to {target} in one step",
                    where=host.name,
                    evidence=f"Debian's way is {', '.join(way)}",
                    remedy=f"upgrade the cloud to a release in {way[1]} first",
                )
