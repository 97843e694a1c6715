"""Where things are in one cloud, in the words that the stages need: pure look-ups on Cloud and Catalog."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

from skipstone.catalog.catalog import Catalog
from skipstone.catalog.release import Release
from skipstone.catalog.service import Daemon, Kind, Place, Purpose, Service
from skipstone.checks.finding import Finding
from skipstone.cloud.hostname import short
from skipstone.cloud.model import Agent, Cloud, Host
from skipstone.errors import InputError
from skipstone.plan.rollout import Rollout
from skipstone.plan.strategies.in_place.fleet import Fleet
from skipstone.plan.strategies.in_place.method import Choice, Computes, Method, choose
from skipstone.plan.strategies.in_place.moving import Traffic, traffic_of
from skipstone.plan.waves import ComputeHost, Wave, waves_of
from skipstone.steps.backup import ROOT
from skipstone.steps.conversion import ConvertedFile

LARGE = 256 << 20
"""Bytes of a database from which on it is dumped by table."""

HELD_UNITS = ("openvswitch-switch", "ovs-vswitchd", "ovsdb-server", "ovs-record-hostname", "libvirt-guests")
"""Units that no package script may touch.

Debian 13's openvswitch-switch stops the switch before it is unpacked and starts it when it is configured:
minutes in an upgrade of everything. libvirt-guests would shut the instances down.
"""


class Suites(NamedTuple):
    """The suite that an upgrade takes the packages from now, and the one it takes the target's from."""

    old: str
    new: str


@dataclass(frozen=True)
class Handling:
    """What the operator asks for of the computes' instances.

    ``returning`` brings back what was moved off a host once it is upgraded; ``on_stuck`` is the rule for
    what cannot be moved (``skipstone drain --on-stuck``). ``force_complete`` lets a migration that does not
    end complete, ``cold`` lets those that are off be moved. ``migrations`` limits how many are on their way
    at a time in all, ``per_target`` to one host.
    """

    computes: Computes = Computes.STAY
    returning: bool = False
    on_stuck: Literal["pause", "leave", "cold"] = "pause"
    migrations: int | None = None
    per_target: int | None = None
    force_complete: bool = False
    cold: bool = False


@dataclass(frozen=True)
class Layout:
    """A cloud seen by the in-place strategy.

    ``id`` is the plan's, and names its directory on the hosts. ``findings`` say what the plan must take care
    of: steps that mend something are there because a check found it. ``conversions`` are the files that are
    converted, by host. ``rollout`` says which computes go together, and which are postponed.
    """

    id: str
    cloud: Cloud
    catalog: Catalog
    source: Release
    target: Release
    suites: Suites
    findings: tuple[Finding, ...]
    conversions: Mapping[str, tuple[ConvertedFile, ...]] = field(default_factory=dict)
    handling: Handling = Handling()
    rollout: Rollout = field(default_factory=Rollout)

    @property
    def directory(self) -> str:
        """Directory of this upgrade on every host."""
        return f"{ROOT}/{self.id}"

    def keeps_versions(self, host: Host) -> bool:
        """Say whether a host comes back to its packages' versions: nothing else keeps it, and it can."""
        stays = self.source.debian == self.target.debian and not self.installs_anew(host)
        return stays and not host.snapshots

    @cached_property
    def services(self) -> tuple[Service, ...]:
        """The catalog's services that this cloud runs, in the catalog's order."""
        return tuple(service for service in self.catalog.services if service.name in self.cloud.services)

    @cached_property
    def computes(self) -> tuple[Host, ...]:
        """Hosts that run nova-compute, in the inventory's order."""
        return tuple(host for host in self.cloud.hosts if host.unit("nova-compute"))

    def instances(self, host: Host) -> int:
        """Return how many instances nova has on a host."""
        return self._fleet.instances(host)

    @cached_property
    def _fleet(self) -> Fleet:
        return Fleet(self.cloud, self.computes)

    @cached_property
    def waves(self) -> tuple[Wave, ...]:
        """The computes as they are upgraded: a sample, then the others, the postponed ones last."""
        return waves_of(self.compute_hosts, self.rollout)

    def choice(self, host: Host) -> Choice:
        """Return whether a compute is drained before its upgrade, and why."""
        return self._choices[host.name]

    def installs_anew(self, host: Host) -> bool:
        """Say whether a host is a compute that is installed anew: nothing but its identity comes back."""
        return host.name in self._choices and self.choice(host).method is Method.REINSTALL

    @cached_property
    def _choices(self) -> dict[str, Choice]:
        system, asked = self.source.debian != self.target.debian, self.handling.computes
        return {host.name: choose(self._fleet, host, asked, system=system) for host in self.computes}

    @cached_property
    def traffic(self) -> Mapping[str, Traffic]:
        """What each compute that is drained shares with others of its wave, by name."""
        drained = (name for name, choice in self._choices.items() if choice.method is not Method.STAY)
        limits = self.handling.migrations, self.handling.per_target
        return traffic_of(self.waves, frozenset(drained), *limits)

    @cached_property
    def controls(self) -> tuple[Host, ...]:
        """Every other host that runs a daemon of a service, the database or the broker."""
        return tuple(
            host
            for host in self.cloud.hosts
            if not host.unit("nova-compute")
            and (self.units(host) or {"database", "broker"} & set(host.groups))
        )

    def expect_apart(self) -> None:
        """Raise InputError where a compute is a control host too.

        Control hosts are upgraded at once with the APIs down, computes later and one by one under their
        instances: a host of both kinds would be upgraded at the wrong moment, whichever that is.
        """
        for host in self.computes:
            groups = sorted({"database", "broker"} & set(host.groups))
            found = (*(f"the {group}" for group in groups), *self.units(host, place=Place.CONTROL))
            alone = [unit for unit in found if unit not in self.units(host, place=Place.COMPUTE)]
            if alone:
                raise InputError(
                    f"{host.name} runs nova-compute, and {', '.join(alone)} of the control plane",
                    where=host.name,
                    evidence="a host that is both is not upgraded by this version",
                    remedy="drain it and remove nova-compute, or move those services to another host",
                )

    @cached_property
    def postponed(self) -> tuple[Host, ...]:
        """Computes that are left alone until everything else is upgraded."""
        return tuple(host for host in self.computes if host.name in self.rollout.postponed)

    @cached_property
    def prepared(self) -> tuple[Host, ...]:
        """Every host but those: what is prepared while everything runs."""
        return (*self.controls, *(host for host in self.computes if host.name not in self.rollout.postponed))

    def _only(self, group: str, what: str) -> Host:
        hosts = self.cloud.hosts_in(group)
        if len(hosts) != 1:
            raise InputError(
                f"the in-place strategy needs exactly one host with {what}; the inventory names {len(hosts)}",
                where=f"group {group}",
                remedy=f"List one host in group {group}. Clusters are not upgraded by this version.",
            )
        return hosts[0]

    @cached_property
    def database(self) -> Host:
        """The host of the database server."""
        return self._only("database", "the database server")

    @cached_property
    def broker(self) -> Host:
        """The host of the broker."""
        return self._only("broker", "the broker")

    def home(self, service: Service) -> Host:
        """Return the host whose commands carry the service's databases: the database server's own.

        A migration that failed starts again from the dump in the same job, so both must be on one host.
        """
        names = {unit for daemon in service.daemons_of(Kind.API) if (unit := self._unit(daemon))}
        if not any(self.database.unit(name) for name in names):
            raise InputError(
                f"{self.database.name} holds the databases, but not the commands of {service.name}",
                where=self.database.name,
                remedy=f"Install the packages of {service.name}'s API there (masked); this version migrates"
                " on the database host.",
            )
        return self.database

    def _unit(self, daemon: Daemon) -> str | None:
        return self._units.get(daemon.name)

    @cached_property
    def _units(self) -> Mapping[str, str]:
        """The source release's units by the daemons' names: they are asked for on every host."""
        daemons = (daemon for service in self.catalog.services for daemon in service.daemons)
        return {daemon.name: unit.name for daemon in daemons if (unit := daemon.unit(self.source))}

    def runs(self, host: Host, daemon: Daemon) -> bool:
        """Say whether a host runs a daemon: its unit is there and starts by itself."""
        unit = host.unit(self._unit(daemon) or "")
        return unit is not None and (unit.active == "active" or unit.enabled == "enabled")

    def units(
        self, host: Host, *, place: Place | None = None, service: Service | None = None
    ) -> tuple[str, ...]:
        """Return the units of the services' daemons that run on a host, in the order in which they start."""
        services = (service,) if service else self.services
        return tuple(
            name
            for found in services
            for daemon in found.daemons
            if (place is None or place in daemon.where) and self.runs(host, daemon)
            if (name := self._unit(daemon))
        )

    def target_units(
        self, host: Host, *, place: Place | None = None, service: Service | None = None
    ) -> tuple[str, ...]:
        """Return the same daemons' units by the names that the target release's packages give them."""
        services = (service,) if service else self.services
        return tuple(
            unit.name
            for found in services
            for daemon in found.daemons
            if (place is None or place in daemon.where) and self._wanted(host, found, daemon)
            if (unit := daemon.unit(self.target))
        )

    def _wanted(self, host: Host, service: Service, daemon: Daemon) -> bool:
        """Say whether a daemon belongs on a host after the upgrade.

        One that the source release does not have (a split-off worker) goes where its service's API runs.
        """
        if self._unit(daemon):
            return self.runs(host, daemon)
        return not daemon.optional and any(self.runs(host, api) for api in service.daemons_of(Kind.API))

    def new_packages(self, host: Host) -> tuple[str, ...]:
        """Return packages of daemons that the target release split off: no upgrade brings them by itself."""
        return tuple(
            unit.package
            for service in self.services
            for daemon in service.daemons
            if self._unit(daemon) is None and self._wanted(host, service, daemon)
            if (unit := daemon.unit(self.target))
        )

    def target_packages(self, host: Host) -> tuple[str, ...]:
        """Return the packages of the daemons that belong on a host after the upgrade."""
        found = (
            unit.package
            for service in self.services
            for daemon in service.daemons
            if self._wanted(host, service, daemon) and (unit := daemon.unit(self.target))
        )
        return tuple(dict.fromkeys(found))

    def databases(self, service: Service) -> tuple[str, ...]:
        """Return the service's databases that exist in this cloud, by the names that they have here.

        Raise InputError where one is there several times: nova with more than one cell beside cell0.
        """
        return tuple(found for known in service.databases if (found := self._here(service, known.name)))

    def _here(self, service: Service, known_as: str) -> str | None:
        """Return what a database of the catalog is called here, or None where it is not there."""
        found = [
            database.name
            for database in self.cloud.databases
            if database.service == service.name and (database.known_as or database.name) == known_as
        ]
        if len(found) > 1:
            raise InputError(
                f"{service.name} has several databases of the kind {known_as}, and this version upgrades one",
                where=self.cloud.name,
                evidence=f"databases: {', '.join(found)}",
                remedy="rehearse several cells from dumps (`skipstone rehearse --dumps`), and upgrade them by"
                " hand, with each cell's own configuration",
            )
        return found[0] if found else None

    @cached_property
    def cell_database(self) -> str:
        """The database of nova's cell: of its computes and instances."""
        return self._here(self.catalog.service("nova"), "nova") or "nova"

    @cached_property
    def network_database(self) -> str:
        """The database of neutron, and of what it knows of its agents."""
        return self._here(self.catalog.service("neutron"), "neutron") or "neutron"

    def heads(self, service: Service) -> dict[str, tuple[str, ...]]:
        """Return the heads that each database must reach, where the catalog knows them."""
        schema = self.target.services[service.name].schema_
        return {
            name: heads
            for known in service.databases
            if (name := self._here(service, known.name))
            if (heads := schema.point_heads.get(known.schema_, schema.heads.get(known.schema_, ())))
        }

    def size(self, service: Service) -> int:
        """Return the bytes of the service's databases."""
        return sum(database.size for database in self.cloud.databases if database.service == service.name)

    @cached_property
    def database_names(self) -> tuple[str, ...]:
        """Return every service's databases, in the order of the services."""
        return tuple(name for service in self.services for name in self.databases(service))

    @cached_property
    def large_databases(self) -> tuple[str, ...]:
        """Return those of them that are dumped and loaded table by table, several at a time.

        A small one is quicker in one go: nova has more than a hundred tables, and each would need a client.
        """
        sizes = {database.name: database.size for database in self.cloud.databases}
        return tuple(name for name in self.database_names if sizes[name] >= LARGE)

    def commands(self, service: Service, purpose: Purpose, release: Release | None = None) -> tuple[str, ...]:
        """Return a release's command lines for a purpose, the target's where none is named."""
        found = service.invocations(purpose, release or self.target)
        return tuple(" ".join(line.argv(service.config_files)) for line in found)

    def api_root(self, service: Service) -> str | None:
        """Return the root of the service's public endpoint: the URL without its version and project parts."""
        for endpoint in self.cloud.endpoints:
            if endpoint.service_type in service.types and endpoint.interface == "public":
                return re.sub(r"/v\d[^/]*(/.*)?$", "", endpoint.url).rstrip("/")
        return None

    def answering(self, host: Host, service: Service) -> tuple[str, ...]:
        """Return the units with which a host answers users of a service, by the source release's names."""
        names = {self._unit(daemon) for daemon in service.daemons_of(Kind.API) if not daemon.optional}
        return tuple(unit for unit in self.units(host, service=service) if unit in names)

    def api_servers(self, service: Service) -> tuple[tuple[Host, tuple[str, ...]], ...]:
        """Return the control hosts that will serve a service's API, each with the units that do."""
        names = {unit.name for daemon in service.daemons_of(Kind.API) if (unit := daemon.unit(self.target))}
        found = (
            (host, tuple(unit for unit in self.target_units(host, service=service) if unit in names))
            for host in self.controls
        )
        return tuple((host, units) for host, units in found if units)

    def compute_service(self, host: Host) -> Agent | None:
        """Return what nova says of a host's nova-compute, or None where it says nothing."""
        return self._compute_services.get(short(host.name))

    @cached_property
    def _compute_services(self) -> dict[str, Agent]:
        found = (agent for agent in reversed(self.cloud.agents) if agent.binary == "nova-compute")
        return {short(agent.host): agent for agent in found}

    def network_agents(self, host: Host) -> tuple[Agent, ...]:
        """Return the living, enabled agents of neutron on a host."""
        return tuple(self._network_agents.get(short(host.name), ()))

    @cached_property
    def _network_agents(self) -> dict[str, list[Agent]]:
        found: dict[str, list[Agent]] = {}
        for agent in self.agents("neutron", self.cloud.hosts):
            found.setdefault(short(agent.host), []).append(agent)
        return found

    @cached_property
    def compute_hosts(self) -> tuple[ComputeHost, ...]:
        """What the waves are made of: how many instances are on each compute, and what it shares."""
        aggregates: dict[str, list[str]] = {}
        for aggregate in self.cloud.aggregates or ():
            for name in aggregate.hosts:
                aggregates.setdefault(short(name), []).append(aggregate.name)
        known = self.cloud.aggregates is not None
        return tuple(
            ComputeHost(
                name=host.name,
                instances=self.instances(host),
                zone=service.zone if (service := self.compute_service(host)) else None,
                aggregates=tuple(aggregates.get(short(host.name), ())) if known else None,
                rack=host.zone,
            )
            for host in self.computes
        )

    def agents(self, service: str, hosts: tuple[Host, ...]) -> tuple[Agent, ...]:
        """Return the living, enabled agents of a service on some hosts."""
        names = {short(host.name) for host in hosts}
        return tuple(
            agent
            for agent in self.cloud.agents
            if agent.service == service and agent.alive and agent.enabled and short(agent.host) in names
        )

    def must_handle(self, step: str) -> bool:
        """Say whether a finding counts on the plan's step (or steps) of this id prefix."""
        return step in self._handling

    @cached_property
    def _handling(self) -> frozenset[str | None]:
        return frozenset(finding.handled_by for finding in self.findings)
