"""Cases of the checks about hosts, packages, units, agents, and the way itself."""

from skipstone.checks import agents, discovery, hosts, packages, releases, sources, units
from skipstone.cloud.model import AptSource, Asked, Filesystem, OperatingSystem, Problem

from .case import INFO, UNKNOWN, WARNING, Case, agents_too, all_of
from .good_cloud import (
    AS_IT_IS,
    GIB,
    Change,
    agent,
    cloud_with,
    each_with,
    file_with,
    host_with,
    package,
    unit_with,
)


def _sources(*suites: str) -> Change:
    source = AptSource(path="/etc/apt/sources.list", suites=suites, text="")
    return host_with("cmp1", apt_sources=(source,))


def _installed(**changes: str) -> Change:
    fields = {"name": "libc6", "version": "2.36-9", "source": "glibc"} | changes
    return host_with("cmp1", packages=(package(**fields),))


SYSTEM_CASES = (
    Case(
        discovery.EveryQuestionWasAnswered,
        "api",
        cloud_with(problems=(Problem(asked=Asked.API, where="nova", what="401 Unauthorized"),)),
        UNKNOWN,
        where="nova",
    ),
    Case(releases.ReleaseIsKnown, "nothing", cloud_with(release=None), where="small"),
    Case(releases.ReleaseIsKnown, "not in the catalog", cloud_with(release="icehouse"), where="small"),
    Case(
        releases.ReleasesAreAlike,
        "yoga on cmp2",
        host_with("cmp2", packages=(package("nova-compute", "2:25.1.0-1", "nova"),)),
        WARNING,
        where="cmp2",
        evidence="nova is Yoga",
    ),
    Case(releases.TargetIsLater, "backward", cloud_with(), where="small", target="yoga"),
    Case(
        releases.RouteIsDirect,
        "victoria to 2025.1",
        cloud_with(release="victoria", services=("nova",)),
        where="nova",
        evidence="reads Xena",
    ),
    Case(
        releases.RouteIsDirect,
        "no chain at all",
        cloud_with(release="juno", services=("glance",)),
        where="glance",
        good=cloud_with(release="victoria"),
        good_target="zed",
    ),
    Case(
        releases.JumpIsSupported,
        "over two SLURP releases",
        cloud_with(),
        WARNING,
        where="small",
        evidence="2023.1 Antelope, 2024.1 Caracal, 2025.1 Epoxy",
        good_target="2023.1",
    ),
    Case(releases.TargetIsPackaged, "2024.2", cloud_with(), where="small", target="2024.2"),
    Case(
        releases.SuiteIsStable, "forky", AS_IT_IS, UNKNOWN, where="small", evidence="forky", target="2026.1"
    ),
    Case(releases.TargetIsMaintained, "2023.2", cloud_with(), WARNING, where="small", target="2023.2"),
    Case(
        hosts.HostsReachable,
        "refused",
        all_of(
            host_with("cmp2", reachable=False),
            cloud_with(
                problems=(Problem(asked=Asked.SSH, where="cmp2", what="x", evidence="connection refused"),)
            ),
        ),
        where="cmp2",
        evidence="connection refused",
    ),
    Case(
        hosts.DiskHasRoom,
        "root file system full",
        host_with("ctl1", filesystems=(Filesystem(mount="/", size=60 * GIB, free=GIB),)),
        where="ctl1",
        evidence="1.00 GiB free",
    ),
    Case(
        hosts.DiskHasRoom,
        "small /var/lib/mysql",
        host_with(
            "ctl1",
            filesystems=(
                Filesystem(mount="/", size=60 * GIB, free=40 * GIB),
                Filesystem(mount="/var/lib/mysql", size=GIB, free=100 << 20),
            ),
        ),
        where="ctl1",
        evidence="/var/lib/mysql",
    ),
    Case(
        hosts.DiskHasRoom,
        "no room for packages beside the dump",
        host_with(
            "ctl1",
            filesystems=(
                Filesystem(mount="/", size=60 * GIB, free=40 * GIB),
                Filesystem(mount="/var/lib/skipstone", size=2 * GIB, free=GIB),
            ),
        ),
        where="ctl1",
        evidence="1.00 GiB for /var/lib/skipstone/PLAN/apt, ",
    ),
    Case(
        hosts.DiskHasRoom,
        "small /boot",
        host_with(
            "cmp1",
            filesystems=(
                Filesystem(mount="/", size=60 * GIB, free=40 * GIB),
                Filesystem(mount="/boot", size=GIB // 2, free=100 << 20),
            ),
        ),
        where="cmp1",
        evidence="/boot",
    ),
    Case(
        hosts.DiskHasRoom,
        "no room for a snapshot",
        host_with("cmp1", filesystems=(Filesystem(mount="/", size=60 * GIB, free=3 * GIB),)),
        where="cmp1",
        evidence="2.00 GiB for /.skipstone",
    ),
    Case(
        hosts.DiskHasRoom,
        "no room for a copy",
        host_with(
            "cmp1",
            snapshots="copy",
            installed=2 * GIB,
            filesystems=(Filesystem(mount="/", size=60 * GIB, free=5 * GIB),),
        ),
        where="cmp1",
        evidence="4.00 GiB for /.skipstone",
    ),
    Case(
        hosts.DiskHasRoom,
        "no room for a copy of the databases",
        host_with(
            "ctl1",
            snapshots="copy",
            filesystems=(
                Filesystem(mount="/", size=60 * GIB, free=40 * GIB),
                Filesystem(mount="/var/lib/mysql", size=GIB // 2, free=1 << 20),
            ),
        ),
        where="ctl1",
        evidence="/var/lib/mysql/.skipstone",
    ),
    Case(
        hosts.MachinesHoldNoInstances,
        "a hook for a compute",
        host_with("cmp1", snapshots="hook"),
        where="cmp1",
        evidence="nova-compute",
    ),
    Case(
        hosts.MachinesHoldNoUserData,
        "a hook for a host with images",
        host_with("ctl1", snapshots="hook"),
        WARNING,
        where="ctl1",
        evidence="glance-api",
    ),
    Case(
        hosts.SystemsCanBeKept,
        "nothing can keep it",
        host_with("cmp1", snapshots=""),
        WARNING,
        where="small",
        evidence="cmp1",
    ),
    Case(hosts.DiskHasRoom, "not listed", host_with("cmp1", filesystems=()), UNKNOWN, where="cmp1"),
    Case(hosts.ClockIsRight, "ahead", host_with("cmp1", clock_offset=31.0), where="cmp1", evidence="31.0"),
    Case(hosts.ClockIsRight, "not read", host_with("cmp1", clock_offset=None), UNKNOWN, where="cmp1"),
    Case(
        hosts.OperatingSystemsAreAlike,
        "one host is further",
        host_with("cmp2", os=OperatingSystem(id="debian", version="13", codename="trixie")),
        WARNING,
        where="cmp2",
    ),
    Case(hosts.OperatingSystemsAreAlike, "not known", host_with("cmp2", os=None), UNKNOWN, where="cmp2"),
    Case(
        agents.InventoryIsComplete,
        "a third compute",
        agents_too(agent("nova", "nova-compute", "cmp3", 64)),
        where="cmp3",
        good=agents_too(agent("cinder", "cinder-volume", "ctl1.example.org@lvm")),
    ),
    Case(
        packages.PackagesAreWhole,
        "half configured",
        _installed(status="half-configured"),
        where="cmp1",
        evidence="libc6 half-configured",
    ),
    Case(packages.PackagesAreWhole, "audit", host_with("cmp1", dpkg_audit="libc6 is broken"), where="cmp1"),
    Case(
        packages.AptIsFree,
        "unattended-upgrades",
        host_with("cmp1", apt_lock_holder="4711 unattended-upgr"),
        where="cmp1",
        evidence="4711",
    ),
    Case(
        packages.NoPolicyRcdBlocksRestarts,
        "exit 101",
        host_with("cmp1", policy_rc_d="#!/bin/sh\nexit 101\n"),
        where="cmp1",
        evidence="exit 101",
    ),
    Case(sources.SourcesAreKnown, "stable", _sources("stable"), where="cmp1", evidence="stable"),
    Case(
        sources.SourcesAreKnown,
        "backports of OpenStack",
        _sources("bookworm", "bookworm-zed-backports"),
        where="cmp1",
        evidence="bookworm-zed-backports",
    ),
    Case(
        sources.SourcesAreKnown,
        "another vendor",
        _sources("bookworm", "any-version"),
        WARNING,
        where="cmp1",
    ),
    Case(
        sources.SourcesAreKnown,
        "not Debian",
        host_with("cmp1", os=OperatingSystem(id="ubuntu", version="22.04", codename="jammy")),
        where="cmp1",
        good=_sources("bookworm", "bookworm-security", "bookworm/updates", "bookworm-backports"),
    ),
    Case(
        sources.SuitesAreNeighbours,
        "bookworm to forky",
        cloud_with(),
        where="ctl1",
        evidence="bookworm, trixie, forky",
        target="2026.1",
    ),
    Case(packages.NothingIsHeldOrPinned, "held", _installed(status="hold"), where="cmp1", evidence="libc6"),
    Case(
        packages.NothingIsHeldOrPinned,
        "pinned",
        file_with("cmp1", "/etc/apt/preferences.d/nova", "Package: *\nPin: release n=x\nPin-Priority: 999\n"),
        WARNING,
        where="cmp1",
    ),
    Case(
        packages.ConffilesWillBeKept,
        "a move to another suite",
        all_of(host_with("cmp1", config_files=()), host_with("cmp2", config_files=())),
        INFO,
        where="ctl1",
        handled_by="packages",
        good_target="zed",
    ),
    Case(
        packages.NoConffileAwaitsMerge,
        "left by dpkg",
        file_with("cmp1", "/etc/libvirt/qemu.conf.dpkg-dist", "#"),
        WARNING,
        where="cmp1",
        evidence="qemu.conf.dpkg-dist",
    ),
    Case(
        units.DaemonsAreRunning,
        "conductor failed",
        unit_with("ctl1", "nova-conductor", active="failed", sub="failed"),
        where="ctl1",
        evidence="failed",
    ),
    Case(
        units.DaemonsAreRunning,
        "enabled and stopped",
        unit_with("ctl1", "mariadb", active="inactive", sub="dead"),
        where="ctl1",
        good=unit_with("cmp1", "libvirtd", active="inactive", sub="dead"),
    ),
    Case(
        units.DaemonsAreRunning,
        "crash loop",
        unit_with("ctl1", "nova-api", active="activating", sub="auto-restart"),
        where="ctl1",
    ),
    Case(
        units.DaemonsAreRunning,
        "something of no service",
        unit_with("ctl1", "backup-tool", active="failed", sub="failed"),
        WARNING,
        where="ctl1",
        good=unit_with("ctl1", "backup-tool", active="inactive", sub="dead"),
    ),
    Case(
        units.NoUnitMasked,
        "nova-compute",
        unit_with("cmp1", "nova-compute", load="masked", active="inactive", enabled="masked"),
        WARNING,
        where="cmp1",
        good=unit_with("cmp1", "sleep", load="masked", active="inactive", enabled="masked"),
    ),
    Case(agents.HeartbeatsAreFresh, "down", each_with("agents", alive=False), where="ctl1"),
    Case(
        agents.HeartbeatsAreFresh,
        "down and disabled",
        each_with("agents", alive=False, enabled=False),
        WARNING,
        where="ctl1",
    ),
    Case(
        agents.HeartbeatsAreFresh,
        "stale",
        each_with("agents", heartbeat=900.0),
        where="ctl1",
        evidence="900 s ago",
        good=each_with("agents", heartbeat=None),
    ),
)
