"""Questions about hosts: can they be reached, is there room, do their clocks agree."""

from collections.abc import Iterator, Mapping
from statistics import median
from types import MappingProxyType

from skipstone.checks.check import Check, Upgrade, listed
from skipstone.checks.finding import Finding
from skipstone.cloud.model import Asked, Filesystem, Host
from skipstone.cloud.system import BTRFS, COPY, HOOK, KEPT

MIB = 1 << 20
GIB = 1 << 30

PACKAGES_NEED: Mapping[str, int] = MappingProxyType({"/var/lib/skipstone/PLAN/apt": 1 * GIB, "/usr": 1 * GIB})
"""Bytes free for a move to the next Debian: downloads, and old beside new while dpkg unpacks.

Measured on the lab's controller from Debian 12 to 13, then doubled.
"""

KERNEL_NEEDS = 256 * MIB
"""Bytes free in a separate /boot for one more kernel and its initramfs."""

DUMP_PLACE = "/var/lib/skipstone"
"""Where the plan's dumps lie on the database host: at worst as large as the data."""

SCRATCH_PLACE = "/var/tmp"  # noqa: S108 - a name to compare mounts with, nothing is written
"""Where a dump is restored once, into a scratch server of this size before any data."""

SCRATCH_NEEDS = 256 * MIB

SNAPSHOT_PLACE, SNAPSHOT_NEEDS = f"/{KEPT}", 2 * GIB
"""Where a host's system is kept, and what that pins once its packages are others (measured on the lab).

A copy takes what is installed, and as much again while it comes back.
"""

DATA_PLACE = "/var/lib/mysql"
"""Where migrations rebuild tables: at worst all of them once more."""

COPIED_DATA_PLACE = f"{DATA_PLACE}/{KEPT}"
"""Where a copy of the data is kept, on its file system, and once more while it comes back."""

DATA_UNITS = ("glance-api", "cinder-volume")
"""Units that write users' data, maybe to disks of their host."""

CLOCK_SPREAD = 5.0
"""Seconds between two hosts' clocks beyond which heartbeats and token times begin to lie."""


class HostsReachable(Check):
    """Every host of the inventory could be asked.

    A host that cannot be reached can neither be upgraded nor left safely on an unknown release.
    Source: Skipstone's own rule. May go: never.
    """

    id = "host-unreachable"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find hosts without a session, with what ssh said."""
        said = {problem.where: problem for problem in upgrade.cloud.problems if problem.asked is Asked.SSH}
        for host in upgrade.cloud.hosts:
            if not host.reachable:
                problem = said.get(host.name)
                yield self.inhibitor(
                    f"host {host.name} ({host.address}) cannot be reached",
                    where=host.name,
                    evidence=problem.evidence or problem.what if problem else "no session was opened",
                    remedy=(problem.remedy if problem else "")
                    or "make it reachable over SSH or take it out of the inventory, then discover again",
                )


class DiskHasRoom(Check):
    """Every host has room for the new packages, and a database host for a dump and a restored copy of it.

    apt and dpkg stop halfway on a full disk, and so does MariaDB.
    Source: measured on the lab (Debian 12 to 13). May go: never.
    """

    id = "disk-full"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find file systems with less room than all that will be put on them."""
        for host in upgrade.reachable:
            if not host.filesystems:
                yield self.unknown(
                    "free disk space is not known", where=host.name, evidence="no file system was listed"
                )
            for filesystem, needs in _needs(upgrade, host):
                need = sum(needs.values())
                if filesystem.free < need:
                    yield self.inhibitor(
                        f"{filesystem.mount} has too little room",
                        where=host.name,
                        evidence=f"{_gib(filesystem.free)} free, {_gib(need)} needed: "
                        + ", ".join(f"{_gib(size)} for {place}" for place, size in needs.items()),
                        remedy=f"free or add {_gib(need - filesystem.free)} on {filesystem.mount}",
                    )


class SystemsCanBeKept(Check):
    """The system of every host that changes it can be kept in a snapshot.

    Where it cannot, nothing of Skipstone's brings the old operating system back: the upgrade of its packages
    is the point of no return.
    Source: Skipstone's own rule (docs/adr/0005-snapshots.md). May go: never.
    """

    id = "no-snapshot"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find hosts that leave their Debian suite and of which no provider can take a snapshot."""
        hosts = [host.name for host in upgrade.reachable if upgrade.leaves(host) and not host.snapshots]
        if hosts:
            yield self.warning(
                f"{len(hosts)} hosts cannot be kept in a snapshot",
                where=upgrade.cloud.name,
                evidence="something is mounted inside the system's directories, or their file system cannot"
                f" let two change places, or the inventory says so: {listed(hosts)}",
                remedy="make snapshots of these hosts yourself before gate `outage`; once their packages are"
                " upgraded, Skipstone cannot bring them back",
            )


class MachinesHoldNoInstances(Check):
    """No host that a hook brings back as a whole machine runs instances.

    Its hypervisor boots or resumes it at its snapshot: instances inside would end, or wake up in the past.
    Source: Skipstone's own rule (docs/adr/0005-snapshots.md). May go: never.
    """

    id = "machine-with-instances"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find computes that a hook is to keep."""
        for host in upgrade.reachable:
            if host.snapshots == HOOK and host.unit("nova-compute"):
                yield self.inhibitor(
                    f"{host.name} is a compute, and a hook is to keep it",
                    where=host.name,
                    evidence=f"snapshots: {HOOK} in the inventory, and nova-compute is there",
                    remedy="let another provider keep its system (`snapshots: copy`), or none, then discover"
                    " again",
                )


class MachinesHoldNoUserData(Check):
    """No host that a hook brings back as a whole machine serves images or volumes.

    What lies on disks that are in the snapshot goes back with it: images and volumes of users that were made
    since are lost, and volumes in use lose what was written.
    Source: Skipstone's own rule (docs/adr/0005-snapshots.md). May go: never.
    """

    id = "machine-with-data"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find hosts with a store of images or volumes that a hook is to keep."""
        for host in upgrade.reachable:
            stores = [name for name in DATA_UNITS if host.unit(name)]
            if host.snapshots == HOOK and stores:
                yield self.warning(
                    f"a hook is to bring {host.name} back whole, and users' data may lie there",
                    where=host.name,
                    evidence=f"{listed(stores)} runs there",
                    remedy="where images or volumes lie on this machine's own disks: leave these disks out of"
                    " the hook's snapshots, or choose another provider (`snapshots: copy`)",
                )


def _needs(upgrade: Upgrade, host: Host) -> Iterator[tuple[Filesystem, dict[str, int]]]:
    """Yield each file system of a host that something will be put on: place -> bytes."""
    wanted = dict(PACKAGES_NEED)
    dumped = sum(database.size for database in upgrade.cloud.databases)
    servers = [server for server in upgrade.cloud.database_servers if server.host == host.name]
    if servers:
        wanted |= {DUMP_PLACE: dumped, SCRATCH_PLACE: dumped + SCRATCH_NEEDS, DATA_PLACE: dumped}
    if host.snapshots == BTRFS:
        wanted[SNAPSHOT_PLACE] = SNAPSHOT_NEEDS
    if host.snapshots == COPY:
        wanted[SNAPSHOT_PLACE] = 2 * (host.installed or 0)
        if servers:
            wanted[COPIED_DATA_PLACE] = 2 * dumped
    if any(filesystem.mount == "/boot" for filesystem in host.filesystems):
        wanted["/boot"] = KERNEL_NEEDS
    for filesystem in host.filesystems:
        here = {place: size for place, size in wanted.items() if _holder(host, place) is filesystem}
        if here:
            yield filesystem, here


def _holder(host: Host, place: str) -> Filesystem | None:
    """Return the file system that a directory lies on: the one mounted nearest above it."""
    above = [
        filesystem
        for filesystem in host.filesystems
        if place == filesystem.mount or place.startswith(filesystem.mount.rstrip("/") + "/")
    ]
    return max(above, key=lambda filesystem: len(filesystem.mount), default=None)


def _gib(size: int) -> str:
    return f"{size / GIB:.2f} GiB"


class ClockIsRight(Check):
    """The hosts' clocks agree within five seconds.

    Services judge each other's heartbeats and tokens by their own clock: with clocks apart a living
    compute is "down", and a fresh token is from the future. Hosts are compared with each other, not with
    the operator's machine.
    Source: nova service_down_time, keystone token times. May go: never.
    """

    id = "clock-off"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find hosts whose clock is away from the middle of all clocks."""
        offsets = {host.name: host.clock_offset for host in upgrade.reachable}
        known = [offset for offset in offsets.values() if offset is not None]
        for name, offset in offsets.items():
            if offset is None:
                yield self.unknown("the clock was not read", where=name, evidence="no clock offset")
            elif abs(away := offset - median(known)) > CLOCK_SPREAD:
                yield self.inhibitor(
                    f"the clock is {abs(away):.1f} s {'ahead of' if away > 0 else 'behind'} the other hosts'",
                    where=name,
                    evidence=f"offset {offset:.1f} s, middle of all hosts {median(known):.1f} s",
                    remedy=f"repair time synchronisation (chrony, systemd-timesyncd) on {name}",
                )


class OperatingSystemsAreAlike(Check):
    """All hosts run the same release of the same operating system.

    Packages and operating system move together in place; a host that is elsewhere already is part of
    another, unfinished upgrade, or needs sources of its own.
    Source: Skipstone's own rule. May go: when plans are made per host.
    """

    id = "operating-systems-differ"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find hosts whose system is not the one that most hosts run."""
        codenames = [host.os.codename for host in upgrade.reachable if host.os]
        usual = max(sorted(set(codenames)), key=codenames.count, default="")
        for host in upgrade.reachable:
            if host.os is None:
                yield self.unknown(
                    "the operating system is not known", where=host.name, evidence="no /etc/os-release"
                )
            elif host.os.codename != usual:
                yield self.warning(
                    f"runs {host.os.id} {host.os.codename}, most hosts run {usual}",
                    where=host.name,
                    evidence=f"/etc/os-release: {host.os.id} {host.os.version}",
                    remedy="finish the upgrade that this host is in the middle of, or plan it apart",
                )
