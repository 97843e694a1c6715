"""The steps that install a drained compute anew by the operator's hook, and make it the host that it was."""

from collections.abc import Iterator

from skipstone.catalog.service import Place
from skipstone.cloud.model import Host
from skipstone.errors import InputError
from skipstone.plan.strategies.in_place.layout import Layout
from skipstone.plan.strategies.in_place.method import Computes
from skipstone.steps.installation import InstallPackages
from skipstone.steps.reinstall import (
    ConfirmIdentity,
    DropIdentity,
    KeepIdentity,
    ReinstallHost,
    RestoreIdentity,
    SettleIdentity,
)
from skipstone.steps.step import Step

SYSTEM = ("ceph", "dnsmasq", "libvirt", "openvswitch", "ovn", "qemu")
"""Debian's source packages of what instances stand on, beside the services' own."""

_DRAINS = "libvirt-clients"
"""What a drain asks with; nothing of nova's needs it."""

_DEPENDENCIES = ("lib", "python3-")
"""Beginnings of package names that come with what needs them, under the names that the target gives them."""

_STATEFUL = (
    *("mariadb", "mysql", "rabbitmq-server", "redis-server", "etcd", "memcached", "haproxy", "keepalived"),
    *("ceph-mon@", "ceph-osd@", "ceph-mds@", "ceph-mgr@", "ovn-central", "ovn-ovsdb-server-nb"),
)
"""Units of what a host may carry beside instances; of one that ends with ``@`` there may be several."""


def expect_reinstallable(layout: Layout) -> None:
    """Raise InputError, which names every obstacle, where computes are to be installed anew and cannot be."""
    if layout.handling.computes is not Computes.REINSTALL:
        return
    found = [f"{host.name}: {why}" for host in layout.computes for why in _obstacles(layout, host)]
    if layout.handling.on_stuck == "leave":
        found.append("--on-stuck leave: what is left on a host that is installed anew is lost")
    if found:
        raise InputError(
            "computes cannot be installed anew",
            where=layout.cloud.name,
            evidence="\n".join(found),
            remedy="see to it and discover again; or plan with --computes drain, which keeps their systems",
        )


def _obstacles(layout: Layout, host: Host) -> Iterator[str]:
    """Yield why a host cannot be installed anew; what is on it in the end only its drain knows."""
    if not host.reinstall_hook:
        yield "the inventory names no reinstall_hook for it"
    if others := [group for group in host.groups if group != Place.COMPUTE]:
        yield f"it is in the groups {', '.join(others)} too, and what these keep there would be lost"
    carried = [*_daemons(layout, host), *_units(host)]
    if carried:
        yield f"more than a compute runs there: {', '.join(carried)}"
    if len(layout.computes) == 1:
        yield "it is the only compute: its instances cannot be moved anywhere"


def _daemons(layout: Layout, host: Host) -> Iterator[str]:
    """Yield the services' daemons there that do not belong on a compute."""
    for service in layout.services:
        for daemon in service.daemons:
            if Place.COMPUTE not in daemon.where and layout.runs(host, daemon):
                yield daemon.name


def _units(host: Host) -> Iterator[str]:
    """Yield the units there that keep something of others."""
    for unit in host.units:
        name = unit.name.partition("@")[0] + ("@" if "@" in unit.name else "")
        if name in _STATEFUL and (unit.active == "active" or unit.enabled == "enabled"):
            yield unit.name


def install_anew(
    layout: Layout, host: Host, *, libvirt: tuple[str, ...], needs: tuple[str, ...]
) -> tuple[Step, ...]:
    """Return the steps from the old system, empty and stopped, to the new one with all but its agents."""
    prefix, plan = f"computes.{host.name}", layout.id
    debian = layout.target.debian or ""
    return (
        KeepIdentity(
            id=f"{prefix}.keep",
            title=f"Keep what makes {host.name} itself, on the operator's machine",
            needs=needs,
            deadline=600,
            estimate=10,
            compute=host.name,
            plan=plan,
        ),
        ReinstallHost(
            id=f"{prefix}.reinstall",
            title=f"Install {host.name} anew with {debian}, by the operator's hook: {_why(layout, host)}",
            needs=(f"{prefix}.keep",),
            deadline=7200,
            estimate=900,
            compute=host.name,
            plan=plan,
            hook=host.reinstall_hook,
            debian=debian,
            release=layout.target.version,
        ),
        RestoreIdentity(
            id=f"{prefix}.restore",
            title=f"Make the new system {host.name}, and boot it as that",
            needs=(f"{prefix}.reinstall",),
            deadline=1800,
            estimate=60,
            compute=host.name,
            plan=plan,
            hook=host.reinstall_hook,
            debian=debian,
        ),
        _packages(layout, host, step=f"{prefix}.packages", needs=(f"{prefix}.restore",)),
        SettleIdentity(
            id=f"{prefix}.settle",
            title=f"Bring back bridges, units and configuration of {host.name}, and start libvirt",
            host=host.name,
            needs=(f"{prefix}.packages",),
            deadline=600,
            estimate=15,
            directory=f"{layout.directory}/identity",
            units=libvirt,
        ),
    )


def _why(layout: Layout, host: Host) -> str:
    return f"{layout.choice(host).reasons[0]}; nothing brings the old system back"


def _packages(layout: Layout, host: Host, *, step: str, needs: tuple[str, ...]) -> InstallPackages:
    """Return the step that installs what the host's daemons need, and what else it had for instances."""
    wanted = layout.target_packages(host)
    sources = {*SYSTEM, *(source for service in layout.services for source in service.sources)}
    also = {
        package.name for package in host.packages if package.source in sources and _asked_for(package.name)
    }
    return InstallPackages(
        id=step,
        title=f"Install the packages of {layout.target.title} on {host.name}; none of its agents starts yet",
        host=host.name,
        needs=needs,
        deadline=5400,
        estimate=240,
        directory=f"{layout.directory}/apt",
        old_suite=layout.suites.old,
        new_suite=layout.suites.new,
        add=wanted,
        also=tuple(sorted({*also, _DRAINS} - set(wanted))),
        blocked=layout.target_units(host),
    )


def _asked_for(name: str) -> bool:
    """Say whether a package is there for its own sake, as far as its name tells."""
    return name.startswith("libvirt-") or not name.startswith(_DEPENDENCIES)


def confirm_identity(layout: Layout, host: Host, *, needs: tuple[str, ...]) -> tuple[Step, ...]:
    """Return the steps that see nova have the host as before, and then forget what was kept of it."""
    prefix = f"computes.{host.name}"
    return (
        ConfirmIdentity(
            id=f"{prefix}.identity",
            title=f"See that nova and placement have {host.name} as the host that it was",
            needs=needs,
            deadline=300,
            estimate=10,
            compute=host.name,
            plan=layout.id,
        ),
        DropIdentity(
            id=f"{prefix}.forget",
            title=f"Remove what was kept of {host.name}: it is there again",
            needs=(f"{prefix}.identity",),
            deadline=120,
            estimate=3,
            compute=host.name,
            plan=layout.id,
            directory=f"{layout.directory}/identity",
        ),
    )
