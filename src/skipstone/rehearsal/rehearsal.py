"""An upgrade of databases, tried on copies of them: load, look whose they are, carry, ask, compare."""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from skipstone.catalog import Catalog, Release
from skipstone.catalog.route import Route, find_route
from skipstone.errors import InputError
from skipstone.rehearsal.asking import ApiDone, Audience
from skipstone.rehearsal.carrying import StopDone, Workshop, has_arrived
from skipstone.rehearsal.checking import check
from skipstone.rehearsal.configuration import write_configurations
from skipstone.rehearsal.counting import count
from skipstone.rehearsal.databases import (
    LoadedDatabase,
    identify,
    redirect_cells,
)
from skipstone.rehearsal.dumps import Dump, find_dumps
from skipstone.rehearsal.facts import Held, read
from skipstone.rehearsal.fastforward import Stop, expect_commands, releases, stops
from skipstone.rehearsal.identity import with_keys
from skipstone.rehearsal.isolation import isolate
from skipstone.rehearsal.loading import Loaded, load_all
from skipstone.rehearsal.meter import Meter
from skipstone.rehearsal.namespace import LoopbackNetwork
from skipstone.rehearsal.report import CheckReport, Phase, RehearsalReport
from skipstone.rehearsal.reporting import (
    api_report,
    check_report,
    dump_report,
    service_report,
    taken_report,
)
from skipstone.rehearsal.server import PrivateServer
from skipstone.rehearsal.standing import source_of
from skipstone.rehearsal.taking import take_over
from skipstone.rehearsal.watcher import Watcher
from skipstone.toolchain.toolchain import Toolchain

LOADS_AT_ONCE = 4
"""Dumps that are loaded side by side: the server's work, not ours, is the limit."""


@dataclass(frozen=True)
class Wish:
    """What shall be rehearsed; ``source`` is what the operator believes, None leaves it to the schemas.

    ``apis`` says whether the target's APIs are started on the result and asked, ``purge`` whether what is
    deleted anyway is removed first. ``directory`` holds the server's files, ``program`` is its mariadbd: None
    is the machine's own.
    """

    dumps: Path
    target: Release
    source: Release | None = None
    every_release: bool = False
    isolated: bool = True
    apis: bool = True
    purge: bool = False
    directory: Path | None = None
    program: Path | None = None


@dataclass
class _Clock:
    watcher: Watcher
    began: float = field(default_factory=time.monotonic)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    phases: dict[Phase, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, phase: Phase, total: int = 0) -> Iterator[None]:
        self.watcher.phase(phase, total)
        began = time.monotonic()
        yield
        self.phases[phase] = self.phases.get(phase, 0.0) + time.monotonic() - began


def rehearse(
    catalog: Catalog, wish: Wish, toolchain: Callable[[Release], Toolchain], watcher: Watcher | None = None
) -> RehearsalReport:
    """Carry the databases of a directory of dumps to a release, on a server of our own.

    Raise InputError where the dumps cannot be used, or contradict ``wish.source``, or isolation is wished and
    impossible. What the releases' code makes of the data is never an error: it is in the report.
    """
    clock = _Clock(watcher or Watcher())
    prefix = isolate() if wish.isolated else ()
    dumps = find_dumps(wish.dumps)
    with ExitStack() as stack:
        with clock.phase(Phase.SERVER):
            server = stack.enter_context(PrivateServer(wish.directory, wish.program))
        meter = stack.enter_context(Meter(server.directory, server.pid))
        loaded = _load(server, dumps, clock)
        tables = {content.name: content.tables for one in loaded for content in one.contents}
        databases, nobodys = identify(server, catalog, tables)
        source = _source(catalog, wish, databases)
        takings, databases = take_over(server, catalog, databases, source, wish.target)
        route = _route(catalog, wish, source, databases)
        chains = stops(catalog, route, purge=wish.purge, taken=[one.recipe.id for one in takings])
        toolchains = _toolchains(chains, toolchain, clock)
        redirect_cells(server, databases)
        with clock.phase(Phase.COUNT):
            before = count(server, databases)
            held = _held(server, catalog, databases) if wish.apis else {}
        workshop = Workshop(
            server=server,
            catalog=catalog,
            toolchains=toolchains,
            configurations=_configurations(server, catalog, databases),
            databases=databases,
            prefix=prefix,
            began=clock.began,
            watcher=clock.watcher,
        )
        processor = meter.processor()
        made = _carry(workshop, chains, clock)
        processor = meter.processor() - processor
        with clock.phase(Phase.COUNT):
            after = count(server, databases)
        arrived = tuple(name for name in chains if has_arrived(chains[name], made[name]))
        taken = meter.taken(sum(dump.size for dump in dumps), processor)
        audience = Audience(
            server=server,
            catalog=catalog,
            release=route.target,
            toolchain=toolchains[route.target],
            databases=databases,
            arrived=arrived,
            passed={name: [stop.release for stop in chain] for name, chain in chains.items()},
            held=held,
            watcher=clock.watcher,
        )
        asked = _ask(audience, prefix, clock) if wish.apis else ()
        return RehearsalReport(
            began=clock.started,
            source=route.source.version,
            target=route.target.version,
            server=server.query("SELECT version()")[0][0],
            isolated=wish.isolated,
            dumps=tuple(map(dump_report, loaded)),
            nobodys=nobodys,
            services=tuple(
                service_report(catalog, chains[name], made[name], _own(databases, name), (before, after))
                for name in chains
            ),
            taken_over=tuple(map(taken_report, takings)),
            checks=_checked(workshop, route, arrived, clock),
            apis=tuple(map(api_report, asked)),
            phases=clock.phases,
            taken=taken,
        )


def _load(server: PrivateServer, dumps: tuple[Dump, ...], clock: _Clock) -> tuple[Loaded, ...]:
    sizes = [dump.sql_size for dump in dumps]
    with clock.phase(Phase.LOAD, 0 if None in sizes else sum(size or 0 for size in sizes)):
        return load_all(server, dumps, at_once=LOADS_AT_ONCE, progress=clock.watcher.advance)


def _source(catalog: Catalog, wish: Wish, databases: tuple[LoadedDatabase, ...]) -> Release:
    if not databases:
        raise InputError(
            "none of these dumps is a database of a service that Skipstone knows",
            where=str(wish.dumps),
            remedy=f"the services are: {', '.join(service.name for service in catalog.services)}",
        )
    return source_of(catalog, wish.dumps, databases, wish.source)


def _route(catalog: Catalog, wish: Wish, source: Release, databases: tuple[LoadedDatabase, ...]) -> Route:
    services = sorted({one.service for one in databases})
    return find_route(catalog, source, wish.target, services, every_release=wish.every_release)


def _toolchains(
    chains: Mapping[str, tuple[Stop, ...]], toolchain: Callable[[Release], Toolchain], clock: _Clock
) -> dict[Release, Toolchain]:
    needed = releases(chains)
    found: dict[Release, Toolchain] = {}
    with clock.phase(Phase.TOOLCHAINS, len(needed)):
        for release in needed:
            found[release] = toolchain(release)
            expect_commands(chains, found[release])
            clock.watcher.advance()
    return found


def _configurations(
    server: PrivateServer, catalog: Catalog, databases: tuple[LoadedDatabase, ...]
) -> dict[str, tuple[Path, ...]]:
    found: dict[str, tuple[Path, ...]] = {}
    for name in sorted({one.service for one in databases}):
        service, directory = catalog.service(name), server.directory / "services" / name
        keys = with_keys(service, directory)
        found[name] = write_configurations(server, service, _own(databases, name), directory, keys)
    return found


def _carry(
    workshop: Workshop, chains: Mapping[str, tuple[Stop, ...]], clock: _Clock
) -> dict[str, tuple[StopDone, ...]]:
    """Carry all services side by side, as the plan's stage does."""
    commands = sum(len(stop.prior) + len(stop.moves) for chain in chains.values() for stop in chain)
    with clock.phase(Phase.CARRY, commands), ThreadPoolExecutor(len(chains)) as pool:
        running = {name: pool.submit(workshop.carry, chain) for name, chain in chains.items()}
        try:
            return {name: one.result() for name, one in running.items()}
        except BaseException:
            workshop.stopping.set()
            raise


def _checked(
    workshop: Workshop, route: Route, arrived: tuple[str, ...], clock: _Clock
) -> tuple[CheckReport, ...]:
    with clock.phase(Phase.CHECK, len(arrived)):
        return tuple(map(check_report, check(workshop, route.target, arrived)))


def _held(
    server: PrivateServer, catalog: Catalog, databases: tuple[LoadedDatabase, ...]
) -> dict[str, tuple[Held, ...]]:
    """Return what the sources hold of what users see, per service."""
    services = [service for service in catalog.services if _own(databases, service.name)]
    return {
        service.name: tuple(read(server, databases, resource) for resource in service.resources)
        for service in services
    }


def _ask(audience: Audience, prefix: tuple[str, ...], clock: _Clock) -> tuple[ApiDone, ...]:
    with clock.phase(Phase.ASK, len(audience.arrived)), LoopbackNetwork(prefix) as network:
        return audience.ask(network.prefix)


def _own(databases: tuple[LoadedDatabase, ...], service: str) -> tuple[LoadedDatabase, ...]:
    return tuple(one for one in databases if one.service == service)
