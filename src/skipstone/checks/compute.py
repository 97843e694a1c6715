"""Questions about computes: does the new control plane accept them, do the new computes start."""

from collections.abc import Iterator

from skipstone.catalog.release import ComputeLevel, Release
from skipstone.checks.check import Check, Upgrade
from skipstone.checks.finding import Finding
from skipstone.checks.suites import SUITES
from skipstone.checks.versions import numbers, packed
from skipstone.cloud.hostname import short
from skipstone.cloud.model import Hypervisor

COMPUTE = "nova-compute"


def _level(release: Release) -> ComputeLevel | None:
    nova = release.services.get("nova")
    return nova.compute if nova else None


class ComputesWithinSkew(Check):
    """No nova-compute is older than the target's control plane accepts.

    With an older one conductor and scheduler do not start, and nova-api stays "active" without an
    application loaded. ``disable_compute_service_check_for_ffu`` lets them start, on upgraded computes too
    while one is old; it does not make old and new compatible beyond what RPC versions allow.
    Source: nova/objects/service.py, OLDEST_SUPPORTED_SERVICE_VERSION; the lab (Zed computes at 2025.1).
    Since: Wallaby. May go: never.
    """

    id = "computes-too-old"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find computes below the level that the target's nova names."""
        level = _level(upgrade.target)
        if level is None or level.accepts is None:
            return
        for agent in upgrade.cloud.agents:
            if agent.binary != COMPUTE:
                continue
            if agent.version is None:
                yield self.unknown(
                    "the compute's service version is not known",
                    where=agent.host,
                    evidence="no version in nova's service list",
                )
            elif agent.version < level.accepts:
                yield self._too_old(upgrade, agent.host, agent.version, level.accepts)

    def _too_old(self, upgrade: Upgrade, host: str, found: int, accepted: int) -> Finding:
        title = "nova-compute is older than the new control plane accepts"
        evidence = f"service version {found}; {upgrade.target.title} accepts {accepted} and later"
        skew = upgrade.catalog.service("nova").skew
        if skew and skew.workaround.covers(upgrade.target):
            return self.warning(
                title,
                where=host,
                evidence=evidence,
                remedy=f"{skew.workaround} on every host of nova, until the last compute is upgraded",
                handled_by="prepare.ffu-workaround",
            )
        return self.inhibitor(
            title,
            where=host,
            evidence=evidence,
            remedy="stop at a release in between, or upgrade the computes together with the control plane",
        )


class LibvirtWithinFloor(Check):
    """libvirt and QEMU are recent enough for the target's nova-compute.

    It refuses to start on older ones. In place, the operating system brings newer ones along.
    Source: nova/virt/libvirt/driver.py, MIN_LIBVIRT_VERSION and MIN_QEMU_VERSION. May go: never.
    """

    id = "libvirt-too-old"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find hypervisors below the floor that the target's operating system does not lift above it."""
        level = _level(upgrade.target)
        if level is None:
            return
        for hypervisor in upgrade.cloud.hypervisors:
            if hypervisor.type.lower() not in {"qemu", "kvm"}:
                continue
            libvirt = hypervisor.libvirt or _libvirt_of(upgrade, hypervisor.host)
            below = list(_below(level, packed(hypervisor.version), libvirt))
            if below:
                yield self._too_old(upgrade, level, hypervisor, "; ".join(below))
            elif libvirt is None and level.libvirt:
                yield self.unknown(
                    "libvirt's version is not known",
                    where=hypervisor.host,
                    evidence="neither nova nor the host's packages tell it",
                )

    def _too_old(
        self, upgrade: Upgrade, level: ComputeLevel, hypervisor: Hypervisor, evidence: str
    ) -> Finding:
        title = "libvirt or QEMU is older than the target's nova-compute accepts"
        suite = SUITES.get(upgrade.target.debian or "")
        if suite and not list(_below(level, suite.qemu, suite.libvirt)):
            return self.warning(
                title,
                where=hypervisor.host,
                evidence=f"{evidence}; {upgrade.target.debian} brings {suite.libvirt} and {suite.qemu}",
                remedy="upgrade the operating system of this host together with nova-compute",
                handled_by="computes",
            )
        return self.inhibitor(
            title,
            where=hypervisor.host,
            evidence=evidence,
            remedy="upgrade the operating system first",
        )


def _libvirt_of(upgrade: Upgrade, name: str) -> str | None:
    """Return the version of libvirt's packages on the host of this name, or None."""
    versions = [
        package.version
        for host in upgrade.reachable
        if short(host.name) == short(name)
        for package in host.packages
        if package.source == "libvirt"
    ]
    return versions[0] if versions else None


def _below(level: ComputeLevel, qemu: str, libvirt: str | None) -> Iterator[str]:
    """Yield what is below the floor, in words."""
    if level.qemu and numbers(qemu) < numbers(level.qemu):
        yield f"QEMU {qemu}, {level.qemu} needed"
    if level.libvirt and libvirt and numbers(libvirt) < numbers(level.libvirt):
        yield f"libvirt {libvirt}, {level.libvirt} needed"
