"""The control plane: from its stop to the moment when every API of the target release answers."""

from itertools import chain

from skipstone.catalog.service import Place, Purpose, Service
from skipstone.cloud.command import OPERATOR
from skipstone.cloud.model import Host
from skipstone.plan.ordering import CLIENTS_AT_ONCE, at_most
from skipstone.plan.plan import Stage
from skipstone.plan.strategies.in_place.configuration import (
    check_conversion,
    check_policies,
    deploy_configuration,
)
from skipstone.plan.strategies.in_place.layout import Layout
from skipstone.plan.strategies.in_place.preparation import (
    MIB,
    by_table,
    download_still,
    seconds_for,
)
from skipstone.plan.strategies.in_place.system import (
    has_switch,
    reversibility,
    take_snapshot,
    upgrade_packages,
)
from skipstone.plan.strategies.in_place.versions import keep_versions_still
from skipstone.steps.backup import CheckBackups, DumpStoppedDatabases
from skipstone.steps.broker import RenewBroker, StartBroker
from skipstone.steps.compute import ReloadVirtualSwitch
from skipstone.steps.database import CheckStatus, MigrateOnline, SyncDatabase, WaitForDatabaseServer
from skipstone.steps.services import AskApi, StartServices, StopServices, WaitForAgents, WaitForApi
from skipstone.steps.step import Impact, Step
from skipstone.steps.workloads import WaitForWorkloads

BROKER_UNITS = ("rabbitmq-server",)


def stop(layout: Layout) -> Stage:
    """Stop and block every service of the control hosts, then keep what nothing writes to any more."""
    looks = _look(layout)
    # the last of them: nothing that takes long comes between it and the stop
    looks = (*looks, _wait_for_workloads(layout, needs=tuple(step.id for step in looks)))
    checked = tuple(step.id for step in looks)
    stops = tuple(_stop(layout, host, needs=checked) for host in layout.controls)
    stopped = tuple(step.id for step in stops)
    snapshots = (
        take_snapshot(layout, host, step=f"stop.snapshot.{host.name}", needs=stopped, impact=Impact.API_DOWN)
        for host in layout.controls
    )
    kept = tuple(chain.from_iterable(snapshots))
    size = sum(layout.size(service) for service in layout.services)
    dump = DumpStoppedDatabases(
        id="stop.dump",
        title=f"Dump every database once more, now that nothing writes{by_table(layout)}",
        host=layout.database.name,
        needs=(*stopped, *(step.id for step in kept if step.host == layout.database.name)),
        deadline=600 + seconds_for(size, rate=MIB),
        estimate=seconds_for(size),
        impact=Impact.API_DOWN,
        directory=f"{layout.directory}/databases/stopped",
        databases=layout.database_names,
        by_table=layout.large_databases,
    )
    steps = (*looks, *stops, *kept, dump)
    return Stage(name="stop", title="Stop the control plane", steps=steps)


def _look(layout: Layout) -> tuple[Step, ...]:
    """See, while everything still runs, that what the upgrade and its way back need is there."""
    backups = (check_backups(layout, host) for host in layout.prepared)
    packages = (_see_packages(layout, host) for host in layout.controls)
    conversions = (
        check_conversion(layout, host, step=f"stop.configuration.{host.name}") for host in layout.controls
    )
    return (*backups, *chain.from_iterable(packages), *chain.from_iterable(conversions))


def _wait_for_workloads(layout: Layout, needs: tuple[str, ...]) -> Step:
    def database(service: str) -> str:
        known = (
            name for found in layout.services if found.name == service for name in layout.databases(found)
        )
        return next(known, "")

    return WaitForWorkloads(
        id="stop.workloads",
        title="Wait until no instance, volume or stack is halfway",
        host=layout.database.name,
        needs=needs,
        deadline=660,
        estimate=2,
        instances=layout.cell_database,
        volumes=database("cinder"),
        stacks=database("heat"),
    )


def _see_packages(layout: Layout, host: Host) -> tuple[Step, ...]:
    """See that the packages of both releases are there, the new ones first: they say what is replaced."""
    fetched = download_still(layout, host, step=f"stop.download.{host.name}")
    kept = keep_versions_still(layout, host, step=f"stop.versions.{host.name}", needs=(fetched.id,))
    return (fetched, *kept)


def check_backups(layout: Layout, host: Host) -> Step:
    """Return the step that sees that a host's backups are still there."""
    dumps = (f"{layout.directory}/databases/running",) if host == layout.database else ()
    definitions = (f"{layout.directory}/broker/definitions.json",) if host == layout.broker else ()
    return CheckBackups(
        id=f"stop.backups.{host.name}",
        title=f"See that the backups of {host.name} are still there",
        host=host.name,
        deadline=600,
        estimate=1,
        directories=(f"{layout.directory}/configuration", *dumps),
        files=definitions,
        once_more=dumps,
    )


def _stop(layout: Layout, host: Host, needs: tuple[str, ...]) -> Step:
    running = layout.units(host)
    network = layout.units(host, place=Place.NETWORK)
    broker = BROKER_UNITS if host == layout.broker else ()
    coming = tuple(unit for unit in layout.target_units(host) if unit not in running)
    return StopServices(
        id=f"stop.services.{host.name}",
        title=f"Stop and block the services of {host.name}",
        host=host.name,
        needs=needs,
        deadline=300,
        estimate=15,
        impact=Impact.API_DOWN,
        stop=(*reversed([unit for unit in running if unit not in network]), *network, *broker),
        block=coming,
        first=tuple(unit for service in layout.services for unit in layout.answering(host, service)),
    )


def packages(layout: Layout) -> Stage:
    """Operating system and OpenStack of the control hosts, all at once; their configuration before them."""
    return Stage(
        name="packages",
        title="Upgrade the packages of the control hosts",
        steps=tuple(chain.from_iterable(_upgrade(layout, host) for host in layout.controls)),
    )


def _upgrade(layout: Layout, host: Host) -> tuple[Step, ...]:
    deploy = deploy_configuration(
        layout, host, step=f"packages.configuration.{host.name}", impact=Impact.API_DOWN
    )
    needs, step = tuple(step.id for step in deploy), f"packages.{host.name}"
    return (
        *deploy,
        upgrade_packages(layout, host, step=step, needs=needs, impact=Impact.API_DOWN),
        *check_policies(
            layout, host, step=f"packages.policies.{host.name}", needs=(step,), impact=Impact.API_DOWN
        ),
    )


def databases(layout: Layout) -> Stage:
    """Bring up the database server and the broker, then migrate every service's schema and data."""
    server = WaitForDatabaseServer(
        id="databases.server",
        title="See that the database server runs with its new version",
        host=layout.database.name,
        deadline=600,
        estimate=5,
        impact=Impact.API_DOWN,
    )
    steps = [step for service in layout.services for step in _migrate(layout, service, server.id)]
    return Stage(
        name="databases",
        title="Migrate the databases",
        steps=(server, _broker(layout), *steps),
    )


def _broker(layout: Layout) -> Step:
    if not layout.must_handle("databases.broker"):
        return StartBroker(
            id="databases.broker",
            title="Start the broker",
            host=layout.broker.name,
            deadline=300,
            estimate=15,
            impact=Impact.API_DOWN,
        )
    return RenewBroker(
        id="databases.broker",
        title="Start the new broker with the old users; its queues are made anew",
        host=layout.broker.name,
        deadline=300,
        estimate=25,
        impact=Impact.API_DOWN,
        reversibility=reversibility(layout.broker),
        directory=f"{layout.directory}/broker",
    )


def _migrate(layout: Layout, service: Service, server: str) -> tuple[Step, ...]:
    """Sync, then online data migrations: services one beside the other, each in its own order."""
    home, size = layout.home(service).name, layout.size(service)
    sync = SyncDatabase(
        id=f"databases.{service.name}.sync",
        title=f"Migrate the schema of {service.name}",
        host=home,
        needs=(server,),
        deadline=1800 + seconds_for(size, rate=MIB // 4),
        estimate=seconds_for(size, rate=2 * MIB, least=8),
        impact=Impact.API_DOWN,
        reversibility=reversibility(layout.database),
        service=service.name,
        user=service.user,
        commands=layout.commands(service, Purpose.SYNC),
        databases=layout.databases(service),
        heads=layout.heads(service),
        database_host=layout.database.name,
        dumps=f"{layout.directory}/databases/stopped",
    )
    return (sync, *migrate_online(layout, service, stage="databases", needs=(sync.id,)))


def migrate_online(
    layout: Layout, service: Service, *, stage: str, needs: tuple[str, ...], impact: Impact = Impact.API_DOWN
) -> tuple[Step, ...]:
    """Return the step that runs a service's online data migrations to their end, if it has any."""
    return tuple(
        MigrateOnline(
            id=f"{stage}.{service.name}.online",
            title=f"Run the online data migrations of {service.name}",
            host=layout.home(service).name,
            needs=needs,
            deadline=7200,
            estimate=seconds_for(layout.size(service), rate=MIB, least=8),
            impact=impact,
            reversibility=reversibility(layout.database),
            service=service.name,
            user=service.user,
            command=command,
        )
        for command in layout.commands(service, Purpose.ONLINE_DATA_MIGRATIONS)
    )


def services(layout: Layout) -> Stage:
    """Start the services in the catalog's order; each waits for keystone and for what stands before it."""
    steps: list[Step] = []
    for service in layout.services:
        needs = tuple(step.id for step in steps if isinstance(step, StartServices))
        keystone = tuple(step.id for step in steps if step.id == "services.keystone.answers")
        steps += _start(layout, service, needs=(*needs[-1:], *keystone))
    switches = tuple(_switch(host) for host in layout.controls if has_switch(host))
    network = tuple(_network_agents(layout, host, steps) for host in layout.controls)
    return Stage(
        name="services",
        title="Start the control plane",
        steps=(*switches, *steps, *(step for step in network if step)),
    )


def _start(layout: Layout, service: Service, needs: tuple[str, ...]) -> list[Step]:
    hosts = [
        host for host in layout.controls if layout.target_units(host, place=Place.CONTROL, service=service)
    ]
    starts: list[Step] = [
        StartServices(
            id=f"services.{service.name}.{host.name}",
            title=f"Start {service.name} on {host.name}",
            host=host.name,
            needs=needs,
            deadline=600,
            estimate=10,
            impact=Impact.API_DOWN,
            units=layout.target_units(host, place=Place.CONTROL, service=service),
        )
        for host in hosts
    ]
    needs = tuple(step.id for step in starts)
    return [*starts, *wait_for_api(layout, service, f"services.{service.name}.answers", needs)]


def wait_for_api(layout: Layout, service: Service, step: str, needs: tuple[str, ...]) -> tuple[Step, ...]:
    """Return the step that asks a service until its application answers; none without an endpoint."""
    root, servers = layout.api_root(service), layout.api_servers(service)
    if root is None or not servers:
        return ()
    server, units = servers[0]
    return (
        WaitForApi(
            id=step,
            title=f"Ask {service.name} until it answers",
            needs=needs,
            deadline=180,
            estimate=10,
            impact=Impact.API_DOWN,
            url=root + service.api.path,
            statuses=service.api.statuses,
            server=server.name,
            units=units,
        ),
    )


def _switch(host: Host) -> Step:
    return ReloadVirtualSwitch(
        id=f"services.switch.{host.name}",
        title=f"Bring the virtual switch of {host.name} to its new version",
        host=host.name,
        deadline=300,
        estimate=10,
    )


def _network_agents(layout: Layout, host: Host, steps: list[Step]) -> Step | None:
    units = layout.target_units(host, place=Place.NETWORK)
    if not units:
        return None
    needs = [step.id for step in steps if step.id == "services.neutron.answers"]
    return StartServices(
        id=f"services.network-agents.{host.name}",
        title=f"Start the network agents of {host.name}",
        host=host.name,
        needs=(*needs, *((f"services.switch.{host.name}",) if has_switch(host) else ())),
        deadline=600,
        estimate=10,
        impact=Impact.INSTANCES_BLIP,
        units=units,
    )


def verify(layout: Layout) -> Stage:
    """Ask every API for something that its database holds, and wait for every agent that lived before.

    Nova's own upgrade check comes in the last stage: it fails while a compute of the old release lives.
    """
    others = tuple(service for service in layout.services if service.name != "nova")
    asks = tuple(
        AskApi(
            id=f"verify.{service.name}",
            title=f"Read from {service.name} through its API",
            deadline=180,
            estimate=5,
            command=service.api.read,
        )
        for service in layout.services
        if layout.api_root(service)
    )
    return Stage(
        name="verify",
        title="Verify the control plane",
        steps=(
            *at_most((*asks, *agents_alive(layout, "verify", layout.prepared)), CLIENTS_AT_ONCE),
            *status_checks(layout, "verify", others),
        ),
    )


def agents_alive(layout: Layout, stage: str, hosts: tuple[Host, ...]) -> tuple[Step, ...]:
    """Return steps that wait for the agents of hosts that were alive when the cloud was discovered."""
    lists = (
        ("nova", "openstack compute service list -f value -c Binary -c Host -c State", "{binary} {host} up"),
        (
            "neutron",
            "openstack network agent list -f value -c Host -c Alive -c Binary",
            "{host} True {binary}",
        ),
        ("cinder", "openstack volume service list -f value -c Binary -c Host -c State", "{binary} {host} up"),
    )
    found = ((name, command, line, layout.agents(name, hosts)) for name, command, line in lists)
    return tuple(
        WaitForAgents(
            id=f"{stage}.agents.{name}",
            title=f"Wait until {_agents(len(agents), name)} alive",
            host=OPERATOR,
            deadline=300,
            estimate=15,
            list_command=command,
            lines=tuple(line.format(binary=agent.binary, host=agent.host) for agent in agents),
        )
        for name, command, line, agents in found
        if agents
    )


def _agents(number: int, service: str) -> str:
    return f"the agent of {service} is" if number == 1 else f"all {number} agents of {service} are"


def status_checks(layout: Layout, stage: str, services: tuple[Service, ...]) -> tuple[Step, ...]:
    """Return the services' own upgrade checks, run with the target's code."""
    return tuple(
        CheckStatus(
            id=f"{stage}.{service.name}.status",
            title=f"Ask {service.name} whether its upgrade is in order",
            host=layout.home(service).name,
            deadline=300,
            estimate=6,
            service=service.name,
            user=service.user,
            command=command,
        )
        for service in services
        for command in layout.commands(service, Purpose.STATUS_CHECK)
    )
