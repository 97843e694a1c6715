"""Questions about packages: is dpkg whole and free, and what will it leave as it is."""

from collections.abc import Iterator
from fnmatch import fnmatch
from functools import lru_cache

from skipstone.checks.check import Check, Upgrade, listed
from skipstone.checks.finding import Finding, Severity

WHOLE = frozenset({"installed", "config-files", "not-installed", "hold"})
"""dpkg states of a package with nothing left to do."""

LEFTOVERS = ("*.dpkg-dist", "*.dpkg-new", "*.dpkg-old", "*.ucf-dist", "*.ucf-new", "*.ucf-old")
"""What dpkg and ucf leave beside a configuration file that an operator had changed."""


class PackagesAreWhole(Check):
    """No package is half installed or half configured.

    apt refuses to work on top of a broken package, or repairs it at the worst moment.
    Source: dpkg(1), --audit. May go: never.
    """

    id = "packages-half-installed"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find what ``dpkg --audit`` says, and packages in a state in between."""
        for host in upgrade.reachable:
            broken = [
                f"{package.name} {package.status}" for package in host.packages if package.status not in WHOLE
            ]
            if broken or host.dpkg_audit.strip():
                yield self.inhibitor(
                    "packages are half installed",
                    where=host.name,
                    evidence=listed(broken) or host.dpkg_audit.strip(),
                    remedy="dpkg --configure -a && apt-get --fix-broken install",
                )


class AptIsFree(Check):
    """Nobody else holds the lock of apt or dpkg.

    An upgrade that waits for a lock waits with the APIs down; two that do not wait damage each other.
    Source: apt's own locking. May go: never.
    """

    id = "apt-locked"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find hosts where a process held a lock during discovery."""
        for host in upgrade.reachable:
            if host.apt_lock_holder:
                yield self.inhibitor(
                    "another program holds the package lock",
                    where=host.name,
                    evidence=host.apt_lock_holder,
                    remedy="let it end, stop unattended-upgrades and apt-daily; discover again",
                )


class NoPolicyRcdBlocksRestarts(Check):
    """No policy-rc.d keeps packages from restarting their services.

    With restarts blocked, the old sshd executes the new binary ("-R not supported here") and nobody can log
    in any more; polkit loses its place on the bus. Seen twice from Debian 12 to 13.
    Source: the lab, OpenSSH 9.2 to 10.0. May go: never.
    """

    id = "policy-rc-d"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find any policy-rc.d: what it does to a restart is not known until it is asked."""
        for host in upgrade.reachable:
            if host.policy_rc_d is not None:
                yield self.inhibitor(
                    "policy-rc.d blocks service restarts during the upgrade",
                    where=host.name,
                    evidence=f"/usr/sbin/policy-rc.d: {listed(host.policy_rc_d.strip().splitlines(), 3)}",
                    remedy="remove /usr/sbin/policy-rc.d; the plan masks units where services must stay down",
                )


class NothingIsHeldOrPinned(Check):
    """No package is held, and no pin outweighs the target's suite.

    A held package keeps its dependencies back, so that half of a service may be upgraded.
    Source: apt_preferences(5), apt-mark(8). May go: never.
    """

    id = "packages-held"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find held packages and files of preferences."""
        for host in upgrade.reachable:
            held = [package.name for package in host.packages if package.status == "hold"]
            pins = [
                file.path
                for file in host.config_files
                if fnmatch(file.path, "/etc/apt/preferences*") and "Pin-Priority" in (file.text or "")
            ]
            if held:
                yield self.inhibitor(
                    "packages are held back",
                    where=host.name,
                    evidence=listed(held),
                    remedy=f"apt-mark unhold {' '.join(held)}, or take the hold into account by hand",
                )
            if pins:
                yield self.warning(
                    "package pins may keep the target's packages away",
                    where=host.name,
                    evidence=listed(pins),
                    remedy="remove pins that name the old suite or old versions",
                )


class ConffilesWillBeKept(Check):
    """No changed configuration file meets a new version from a package.

    dpkg would ask; the plan answers for all: ours is kept, the package's lies beside it as ``.dpkg-dist``.
    This says so beforehand, because what a new default would have brought is then missing. The plan
    converts the services' own options, policies, pipelines (``paste``) and what starts them; what is not
    OpenStack's stays as it is.
    Source: dpkg(1), --force-confold. May go: when the plan merges what packages ship.
    """

    id = "conffiles-kept"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find hosts whose packages change and whose services have configuration."""
        places = tuple(f"{directory}/" for service in upgrade.services for directory in service.config_dirs)
        for host in upgrade.reachable:
            files = [
                file.path
                for file in host.config_files
                if file.path.startswith(places) and not _is_leftover(file.path)
            ]
            if files and upgrade.leaves(host):
                yield Finding(
                    id=self.id,
                    severity=Severity.INFO,
                    title="no package's configuration file replaces ours; new versions are put beside them",
                    where=host.name,
                    evidence=f"{len(files)} files of the services: {listed(files, 4)}",
                    remedy="afterwards compare with the *.dpkg-dist and *.ucf-dist files beside them",
                    handled_by="packages",
                )


class NoConffileAwaitsMerge(Check):
    """No file is left over from an earlier upgrade that kept the operator's configuration.

    It says that defaults of an earlier release were never looked at; the next upgrade will overwrite it.
    Source: the lab (uwsgi files, qemu.conf). May go: never.
    """

    id = "conffiles-unmerged"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find dpkg's and ucf's leftovers."""
        for host in upgrade.reachable:
            left = [file.path for file in host.config_files if _is_leftover(file.path)]
            if left:
                yield self.warning(
                    "configuration files of an earlier upgrade were never merged",
                    where=host.name,
                    evidence=listed(left),
                    remedy="compare each with the file in use, then remove it",
                )


@lru_cache(maxsize=4096)
def _is_leftover(path: str) -> bool:
    return any(fnmatch(path, pattern) for pattern in LEFTOVERS)
