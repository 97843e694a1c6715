"""The system of one host: kept in a snapshot where that is possible, then upgraded."""

from skipstone.cloud.model import Host
from skipstone.plan.strategies.in_place.layout import HELD_UNITS, Layout
from skipstone.plan.strategies.in_place.preparation import MIB, seconds_for
from skipstone.steps.packages import UpgradePackages
from skipstone.steps.providers import provider
from skipstone.steps.snapshot import TakeSnapshot
from skipstone.steps.step import Impact, Reversibility

COPY_RATE = 50 * MIB
"""Bytes a second that small files are copied at."""


def has_switch(host: Host) -> bool:
    """Say whether a host runs Open vSwitch."""
    return host.package("openvswitch-switch") is not None


def reversibility(host: Host) -> Reversibility:
    """Return how what is done to a host's system is undone: by its snapshot, or not at all."""
    return Reversibility.FROM_BACKUP if host.snapshots else Reversibility.NONE


def take_snapshot(
    layout: Layout, host: Host, *, step: str, needs: tuple[str, ...], impact: Impact = Impact.NONE
) -> tuple[TakeSnapshot, ...]:
    """Return the step that keeps a host's system as it is; none where nothing can take snapshots there."""
    if not host.snapshots:
        return ()
    data = sum(map(layout.size, layout.services)) if host == layout.database else 0
    size = 0 if provider(host.snapshots).atomic else (host.installed or 0) + data
    return (
        TakeSnapshot(
            id=step,
            title=f"Keep the system of {host.name} as it is, in a snapshot",
            host=host.name,
            needs=needs,
            deadline=300 + seconds_for(size, rate=MIB),
            estimate=seconds_for(size, rate=COPY_RATE, least=3),
            impact=impact,
            provider=host.snapshots,
            name=layout.id,
            directory=f"{layout.directory}/snapshot",
            switch=has_switch(host),
        ),
    )


def upgrade_packages(
    layout: Layout, host: Host, *, step: str, impact: Impact = Impact.NONE, needs: tuple[str, ...] = ()
) -> UpgradePackages:
    """Return the step that upgrades a host's packages."""
    return UpgradePackages(
        id=step,
        title=f"Upgrade {host.name} to {layout.target.debian} and {layout.target.title}",
        host=host.name,
        needs=needs,
        deadline=5400,
        estimate=200,
        impact=impact,
        reversibility=reversibility(host),
        add=layout.new_packages(host),
        hold=HELD_UNITS,
        directory=f"{layout.directory}/apt",
        old_suite=layout.source.debian or "",
        new_suite=layout.target.debian or "",
    )
