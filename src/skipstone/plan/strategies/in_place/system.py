"""The system of one host: kept in a snapshot where that is possible, then upgraded."""

from skipstone.cloud.model import Host
from skipstone.cloud.system import HOOK
from skipstone.plan.strategies.in_place.layout import HELD_UNITS, Layout
from skipstone.plan.strategies.in_place.preparation import MIB, seconds_for
from skipstone.steps.machine import LeaveMachineSnapshot, SettleMachine, TakeMachineSnapshot
from skipstone.steps.packages import UpgradePackages
from skipstone.steps.providers import provider
from skipstone.steps.snapshot import TakeSnapshot
from skipstone.steps.step import Impact, Reversibility, Step

COPY_RATE = 50 * MIB
"""Bytes a second that small files are copied at."""

HOOK_DEADLINE = 1800
"""Seconds that a hypervisor may take for a snapshot, and a machine until it answers again."""


def has_switch(host: Host) -> bool:
    """Say whether a host runs Open vSwitch."""
    return host.package("openvswitch-switch") is not None


def reversibility(host: Host) -> Reversibility:
    """Return how what is done to a host's system is undone: by its snapshot, or not at all."""
    return Reversibility.FROM_BACKUP if host.snapshots else Reversibility.NONE


def take_snapshot(
    layout: Layout, host: Host, *, step: str, needs: tuple[str, ...], impact: Impact = Impact.NONE
) -> tuple[Step, ...]:
    """Return the steps that keep a host's system as it is; none where nothing can take snapshots there."""
    if not host.snapshots:
        return ()
    if host.snapshots == HOOK:
        return _keep_machine(layout, host, step=step, needs=needs, impact=impact)
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


def _keep_machine(
    layout: Layout, host: Host, *, step: str, needs: tuple[str, ...], impact: Impact
) -> tuple[Step, ...]:
    """Return the steps that let a hypervisor keep a host; a mark is made before, and taken away after."""
    directory = f"{layout.directory}/machine"
    settle = SettleMachine(
        id=f"{step}.settle",
        title=f"Mark {host.name} as it is",
        host=host.name,
        needs=needs,
        deadline=HOOK_DEADLINE,
        estimate=2,
        impact=impact,
        directory=directory,
    )
    take = TakeMachineSnapshot(
        id=step,
        title=f"Keep the machine {host.name} as it is, by its hypervisor",
        needs=(settle.id,),
        deadline=HOOK_DEADLINE,
        estimate=30,
        impact=impact,
        hook=host.snapshot_hook,
        machine=host.name,
        name=layout.id,
        directory=directory,
    )
    leave = LeaveMachineSnapshot(
        id=f"{step}.leave",
        title=f"Note on {host.name} that it goes on from its snapshot",
        host=host.name,
        needs=(take.id,),
        deadline=300,
        estimate=2,
        impact=impact,
        directory=directory,
    )
    return (settle, take, leave)


def upgrade_packages(
    layout: Layout, host: Host, *, step: str, impact: Impact = Impact.NONE, needs: tuple[str, ...] = ()
) -> UpgradePackages:
    """Return the step that upgrades a host's packages."""
    kept = layout.keeps_versions(host)
    return UpgradePackages(
        id=step,
        title=f"Upgrade {host.name} to {layout.suites.new} and {layout.target.title}",
        host=host.name,
        needs=needs,
        deadline=5400,
        estimate=200,
        impact=impact,
        reversibility=Reversibility.EXACT if kept else reversibility(host),
        add=layout.new_packages(host),
        hold=HELD_UNITS,
        directory=f"{layout.directory}/apt",
        old_suite=layout.suites.old,
        new_suite=layout.suites.new,
        kept=kept,
    )
