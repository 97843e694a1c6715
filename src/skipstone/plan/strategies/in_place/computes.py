"""The computes, in waves under their running instances, and what only the last of them allows."""

from collections.abc import Iterable, Iterator

from skipstone.catalog.service import Place, Purpose
from skipstone.cloud.model import Host
from skipstone.errors import InputError
from skipstone.plan.plan import Stage
from skipstone.plan.repeating import Steps, entries_of, outlines_of
from skipstone.plan.strategies.in_place.auditing import audit_allocations
from skipstone.plan.strategies.in_place.cohorts import steps_of
from skipstone.plan.strategies.in_place.configuration import (
    check_conversion,
    check_policies,
    convert,
    deploy_configuration,
)
from skipstone.plan.strategies.in_place.control import (
    agents_alive,
    check_backups,
    migrate_online,
    status_checks,
    wait_for_api,
)
from skipstone.plan.strategies.in_place.draining import drain_first, open_again, why_they_stay
from skipstone.plan.strategies.in_place.layout import Layout
from skipstone.plan.strategies.in_place.preparation import (
    WORKAROUND,
    back_up_configuration,
    download,
    download_still,
    keep,
    place_workaround,
    workaround_hosts,
    workaround_text,
)
from skipstone.plan.strategies.in_place.reinstalling import (
    confirm_identity,
    expect_reinstallable,
    install_anew,
)
from skipstone.plan.strategies.in_place.reporting import confirm_reports
from skipstone.plan.strategies.in_place.system import (
    has_switch,
    reversibility,
    take_snapshot,
    upgrade_packages,
)
from skipstone.plan.strategies.in_place.versions import keep_versions_still
from skipstone.plan.waves import Wave
from skipstone.plan.window import longest
from skipstone.steps.compute import (
    AdoptInstances,
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
    """Return a stage for each wave: a sample of the computes, then the others, the postponed ones last."""
    expect_reinstallable(layout)
    hosts = {host.name: host for host in layout.computes}
    stages = tuple(_stage(layout, wave, [hosts[name] for name in wave.hosts]) for wave in layout.waves)
    _expect_windows_fit(layout, stages)
    return stages


def _stage(layout: Layout, wave: Wave, hosts: Iterable[Host]) -> Stage:
    """Return a wave's stage: a group of steps for each host, one after the other."""
    return Stage(
        name=wave.name,
        title=wave.title,
        steps=Steps(steps_of(layout, hosts, lambda host: tuple(_group(layout, host)))),
        lanes=wave.limits,
        groups=wave.hosts,
        failures=layout.rollout.failures,
        windows=layout.rollout.windows,
    )


def _group(layout: Layout, host: Host) -> Iterator[Step]:
    late = _prepare_late(layout, host) if host.name in layout.rollout.postponed else ()
    needs = tuple(step.id for step in late[-1:])
    looks = check_conversion(layout, host, step=f"computes.{host.name}.configuration", needs=needs)
    needs = tuple(step.id for step in looks) or needs
    make = _anew if layout.installs_anew(host) else _compute
    for step in (*late, *looks, *make(layout, host, needs=needs)):
        yield step.model_copy(update={"group": host.name})


def _prepare_late(layout: Layout, host: Host) -> tuple[Step, ...]:
    """Return what other hosts had done to them while everything was prepared, one step after the other."""
    steps = (
        *convert(layout, (host,)),
        *back_up_configuration(layout, (host,)),
        *download(layout, (host,)),
        *keep(layout, (host,)),
        *place_workaround(layout, host),
        check_backups(layout, host),
    )
    needs = ((), *((step.id,) for step in steps))
    return tuple(step.model_copy(update={"needs": need}) for step, need in zip(steps, needs, strict=False))


def _expect_windows_fit(layout: Layout, stages: Iterable[Stage]) -> None:
    """Raise InputError where a host takes longer than any window is open: it would never begin."""
    windows = layout.rollout.windows
    room = longest(windows)
    for stage in stages if windows else ():
        host, seconds = max(stage.seconds.items(), key=lambda item: item[1])
        if seconds > room:
            raise InputError(
                f"no maintenance window is long enough for {host}, which takes about {seconds} s",
                where=", ".join(map(str, windows)),
                remedy=f"give a longer one, or none{_sooner(layout, host)}",
            )


def _sooner(layout: Layout, host: str) -> str:
    """Return, as the end of a remedy, what lets a host be done sooner that waits for others' migrations."""
    traffic = layout.traffic.get(host)
    if not traffic or traffic.hosts == 1:
        return ""
    return (
        f"; {traffic.hosts:,} hosts are drained at a time, with {traffic.at_once:,} migrations:"
        " fewer (--down) or more (--migrations) let each be done sooner"
    )


def _compute(layout: Layout, host: Host, needs: tuple[str, ...]) -> list[Step]:
    """Drain, look, note, stop, keep, configure, upgrade, exchange the switch, adopt, start, open: a chain."""
    prefix, directory = f"computes.{host.name}", f"{layout.directory}/instances"
    drained = drain_first(layout, host, needs=needs)
    needs = tuple(step.id for step in drained) or needs
    fetched = download_still(layout, host, step=f"{prefix}.download", needs=needs)
    versions = keep_versions_still(layout, host, step=f"{prefix}.versions", needs=(fetched.id,))
    chain: list[Step] = [
        *drained,
        fetched,
        *versions,
        RecordInstances(
            id=f"{prefix}.record",
            title=f"Write down what runs on {host.name}{why_they_stay(layout, host)}",
            host=host.name,
            needs=tuple(step.id for step in versions) or (fetched.id,),
            deadline=60,
            estimate=1,
            directory=directory,
        ),
        _stop(layout, host, needs=(f"{prefix}.record",)),
    ]
    chain += _keep(layout, host, needs=(chain[-1].id,))
    chain += deploy_configuration(layout, host, step=f"{prefix}.deploy", needs=(chain[-1].id,))
    chain.append(upgrade_packages(layout, host, step=f"{prefix}.packages", needs=(chain[-1].id,)))
    chain += check_policies(layout, host, step=f"{prefix}.policies", needs=(chain[-1].id,))
    chain.append(
        AdoptInstances(
            id=f"{prefix}.adopt",
            title=f"Start the new libvirt on {host.name} and see that it adopts every instance",
            host=host.name,
            needs=(chain[-1].id,),
            deadline=300,
            estimate=8,
            reversibility=reversibility(host),
            directory=directory,
            units=VIRTUALISATION_UNITS,
        )
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
    chain += _start(layout, host, needs=(chain[-1].id,))
    return [*chain, *open_again(layout, host, needs=(chain[-1].id,))]


def _anew(layout: Layout, host: Host, needs: tuple[str, ...]) -> list[Step]:
    """Drain, stop, configure, keep what makes it itself, install, bring that back, start, open: a chain.

    The configuration is converted in its place before it is kept, so it comes back as the target's.
    """
    prefix = f"computes.{host.name}"
    chain: list[Step] = [*drain_first(layout, host, needs=needs)]
    chain.append(_stop(layout, host, needs=(chain[-1].id,)))
    chain += deploy_configuration(layout, host, step=f"{prefix}.deploy", needs=(chain[-1].id,))
    chain += install_anew(layout, host, libvirt=VIRTUALISATION_UNITS, needs=(chain[-1].id,))
    chain += _start(layout, host, needs=(chain[-1].id,))
    chain += confirm_identity(layout, host, needs=(chain[-1].id,))
    return [*chain, *open_again(layout, host, needs=(chain[-1].id,))]


def _stop(layout: Layout, host: Host, needs: tuple[str, ...]) -> Step:
    run_on = "" if layout.installs_anew(host) else "; instances run on"
    return StopServices(
        id=f"computes.{host.name}.stop",
        title=f"Stop the agents of {host.name}{run_on}",
        host=host.name,
        needs=needs,
        deadline=300,
        estimate=5,
        stop=tuple(reversed(layout.units(host))),
    )


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
                database=layout.cell_database,
            )
        ]
    needs = tuple(step.id for step in notes) or needs
    return [*notes, *take_snapshot(layout, host, step=f"{prefix}.snapshot", needs=needs)]


def _start(layout: Layout, host: Host, needs: tuple[str, ...]) -> list[Step]:
    """Start the host's agents, and see in nova's and neutron's own records that they report."""
    start = StartServices(
        id=f"computes.{host.name}.start",
        title=f"Start the agents of {host.name}",
        host=host.name,
        needs=needs,
        deadline=600,
        estimate=15,
        units=layout.target_units(host),
    )
    return [start, *confirm_reports(layout, host, needs=(start.id,))]


def verify(layout: Layout) -> Stage:
    """Wait until every agent is alive again, but those of postponed computes."""
    return Stage(
        name="verify-computes",
        title="Verify the computes",
        steps=agents_alive(layout, "verify-computes", layout.prepared),
    )


def verify_postponed(layout: Layout) -> Stage:
    """Wait until the agents of the postponed computes are alive again."""
    return Stage(
        name="verify-postponed",
        title="Verify the postponed computes",
        steps=agents_alive(layout, "verify-postponed", layout.postponed),
    )


def finish(layout: Layout) -> Stage:
    """Take away what only the mixed time needed, run what needs every compute upgraded, and ask nova."""
    removals = Steps(steps_of(layout, workaround_hosts(layout), lambda host: (_remove_workaround(host),)))
    removed = tuple(step.id for step in outlines_of(removals))
    restarts = _restart_nova(layout, needs=removed) if removals else ()
    steps: list[Step] = [*restarts]
    after = (*removed, *(step.id for step in steps))
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
    waits = (*removed, *(step.id for step in steps))
    return Stage(
        name="finish",
        title="Finish",
        steps=Steps(
            (
                *entries_of(removals),
                *steps,
                *(check.model_copy(update={"needs": waits}) for check in checks),
                *audit_allocations(layout, needs=waits),
            )
        ),
    )


def _remove_workaround(host: Host) -> Step:
    return RemoveFile(
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
