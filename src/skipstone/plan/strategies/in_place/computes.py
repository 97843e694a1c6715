"""The computes, one at a time under their running instances, and what only the last of them allows."""

from skipstone.catalog.service import Place, Purpose
from skipstone.cloud.model import Host
from skipstone.plan.plan import Stage
from skipstone.plan.strategies.in_place.control import (
    agents_alive,
    migrate_online,
    status_checks,
    wait_for_api,
)
from skipstone.plan.strategies.in_place.layout import Layout
from skipstone.plan.strategies.in_place.preparation import WORKAROUND, workaround_hosts, workaround_text
from skipstone.plan.strategies.in_place.system import (
    has_switch,
    reversibility,
    take_snapshot,
    upgrade_packages,
)
from skipstone.steps.compute import (
    AdoptInstances,
    ConfirmServiceVersion,
    NoteServiceVersion,
    RecordInstances,
    ReloadVirtualSwitch,
)
from skipstone.steps.configuration import RemoveFile
from skipstone.steps.database import RunCommand
from skipstone.steps.services import StartServices, StopServices
from skipstone.steps.step import Impact, Step

VIRTUALISATION_UNITS = ("libvirtd",)


def computes(layout: Layout) -> tuple[Stage, ...]:
    """Return two stages: the compute with the fewest instances as a sample, then the others."""
    hosts = sorted(layout.computes, key=lambda host: (_instances(layout, host), host.name))
    stages = (
        _one_by_one(layout, hosts[:1], "sample", "Upgrade the first compute"),
        _one_by_one(layout, hosts[1:], "computes", "Upgrade the other computes, one at a time"),
    )
    return tuple(stage for stage in stages if stage.steps)


def _one_by_one(layout: Layout, hosts: list[Host], name: str, title: str) -> Stage:
    """One chain of steps per host, the next host's after the last one's."""
    steps: list[Step] = []
    for host in hosts:
        steps += _compute(layout, host, needs=(steps[-1].id,) if steps else ())
    return Stage(name=name, title=title, steps=tuple(steps))


def _instances(layout: Layout, host: Host) -> int:
    return sum(instance.host == host.name for instance in layout.cloud.instances)


def _compute(layout: Layout, host: Host, needs: tuple[str, ...]) -> list[Step]:
    """Record, stop, keep, upgrade, exchange the switch, adopt the instances, start, confirm: a chain."""
    prefix, directory = f"computes.{host.name}", f"{layout.directory}/instances"
    chain: list[Step] = [
        RecordInstances(
            id=f"{prefix}.record",
            title=f"Write down what runs on {host.name}",
            host=host.name,
            needs=needs,
            deadline=60,
            estimate=1,
            directory=directory,
        ),
        StopServices(
            id=f"{prefix}.stop",
            title=f"Stop the agents of {host.name}; instances run on",
            host=host.name,
            needs=(f"{prefix}.record",),
            deadline=300,
            estimate=5,
            stop=tuple(reversed(layout.units(host))),
        ),
    ]
    chain += _keep(layout, host, needs=(chain[-1].id,))
    chain += (
        upgrade_packages(layout, host, step=f"{prefix}.packages", needs=(chain[-1].id,)),
        AdoptInstances(
            id=f"{prefix}.adopt",
            title=f"Start the new libvirt on {host.name} and see that it adopts every instance",
            host=host.name,
            needs=(f"{prefix}.packages",),
            deadline=300,
            estimate=8,
            reversibility=reversibility(host),
            directory=directory,
            units=VIRTUALISATION_UNITS,
        ),
    )
    if has_switch(host):
        chain.append(
            ReloadVirtualSwitch(
                id=f"{prefix}.switch",
                title=f"Bring the virtual switch of {host.name} to its new version",
                host=host.name,
                needs=(chain[-1].id,),
                deadline=300,
                estimate=8,
            )
        )
    return [*chain, *_start(layout, host, needs=(chain[-1].id,))]


def _keep(layout: Layout, host: Host, needs: tuple[str, ...]) -> list[Step]:
    """Keep the host's system, and what nova has to know of it again when that is brought back."""
    prefix, service = f"computes.{host.name}", layout.compute_service(host)
    if not host.snapshots:
        return []
    notes: list[Step] = []
    if service and service.version is not None:
        notes = [
            NoteServiceVersion(
                id=f"{prefix}.version",
                title=f"Note the service version that nova has of {host.name}",
                host=layout.database.name,
                needs=needs,
                deadline=60,
                estimate=1,
                compute=service.host,
                version=service.version,
            )
        ]
    needs = tuple(step.id for step in notes) or needs
    return [*notes, *take_snapshot(layout, host, step=f"{prefix}.snapshot", needs=needs)]


def _start(layout: Layout, host: Host, needs: tuple[str, ...]) -> list[Step]:
    """Start the host's agents, and see in nova's own records that the new one reports."""
    start = StartServices(
        id=f"computes.{host.name}.start",
        title=f"Start the agents of {host.name}",
        host=host.name,
        needs=needs,
        deadline=600,
        estimate=15,
        units=layout.target_units(host),
    )
    level = layout.target.services["nova"].compute
    if level is None or level.level is None:
        return [start]
    confirm = ConfirmServiceVersion(
        id=f"computes.{host.name}.confirm",
        title=f"See that nova-compute on {host.name} reports version {level.level}",
        host=layout.database.name,
        needs=(start.id,),
        deadline=300,
        estimate=15,
        compute=host.name,
        version=level.level,
    )
    return [start, confirm]


def verify(layout: Layout) -> Stage:
    """Wait until every agent of the cloud is alive again."""
    return Stage(
        name="verify-computes", title="Verify the computes", steps=agents_alive(layout, "verify-computes")
    )


def finish(layout: Layout) -> Stage:
    """Take away what only the mixed time needed, run what needs every compute upgraded, and ask nova."""
    removals = _remove_workarounds(layout)
    restarts = _restart_nova(layout, needs=tuple(step.id for step in removals)) if removals else ()
    steps: list[Step] = [*removals, *restarts]
    after = tuple(step.id for step in steps)
    for service in layout.services:
        online = migrate_online(layout, service, stage="finish", needs=after, impact=Impact.NONE)
        steps += online
        steps += (
            RunCommand(
                id=f"finish.{service.name}.{number}",
                title=f"Run `{command}`",
                host=layout.home(service).name,
                needs=after,
                deadline=900,
                estimate=8,
                user=service.user,
                command=command,
            )
            for number, command in enumerate(layout.commands(service, Purpose.AFTER_START), start=1)
        )
    nova = tuple(service for service in layout.services if service.name == "nova")
    checks = status_checks(layout, "finish", nova)
    waits = tuple(step.id for step in steps)
    return Stage(
        name="finish",
        title="Finish",
        steps=(*steps, *(check.model_copy(update={"needs": waits}) for check in checks)),
    )


def _remove_workarounds(layout: Layout) -> tuple[Step, ...]:
    return tuple(
        RemoveFile(
            id=f"finish.ffu-workaround.{host.name}",
            title=f"Remove the workaround for older computes from {host.name}",
            host=host.name,
            deadline=60,
            estimate=1,
            path=WORKAROUND,
            text=workaround_text(),
            owner="root:nova",
            mode="0640",
        )
        for host in workaround_hosts(layout)
    )


def _restart_nova(layout: Layout, needs: tuple[str, ...]) -> tuple[Step, ...]:
    """Nova reads the lowest compute version once, at its start: only a restart lifts the RPC pin."""
    nova = next(service for service in layout.services if service.name == "nova")
    hosts = [host for host in layout.controls if layout.target_units(host, place=Place.CONTROL, service=nova)]
    restarts = tuple(
        StartServices(
            id=f"finish.restart-nova.{host.name}",
            title=f"Restart nova on {host.name} without the workaround",
            host=host.name,
            needs=needs,
            deadline=600,
            estimate=15,
            impact=Impact.API_DOWN,
            restart=True,
            units=layout.target_units(host, place=Place.CONTROL, service=nova),
        )
        for host in hosts
    )
    started = tuple(step.id for step in restarts)
    return (*restarts, *wait_for_api(layout, nova, "finish.restart-nova.answers", started))
