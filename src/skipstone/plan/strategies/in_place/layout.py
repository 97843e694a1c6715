"""Where things are in one cloud, in the words that the stages need: pure look-ups on Cloud and Catalog."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from skipstone.catalog.catalog import Catalog
from skipstone.catalog.release import Release
from skipstone.catalog.service import Daemon, Kind, Place, Purpose, Service
from skipstone.checks.finding import Finding
from skipstone.cloud.model import Agent, Cloud, Host
from skipstone.errors import InputError
from skipstone.steps.backup import ROOT

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
class Layout:
    """A cloud seen by the in-place strategy.

    ``id`` is the plan's, and names its directory on the hosts. ``findings`` say what the plan must take care
    of: steps that mend something are there because a check found it.
    """

    id: str
    cloud: Cloud
    catalog: Catalog
    source: Release
    target: Release
    suites: Suites
    findings: tuple[Finding, ...]

    @property
    def directory(self) -> str:
        """Directory of this upgrade on every host."""
        return f"{ROOT}/{self.id}"

    def keeps_versions(self, host: Host) -> bool:
        """Say whether a host comes back to its packages' versions: nothing else keeps it, and it can."""
        return self.source.debian == self.target.debian and not host.snapshots

    @cached_property
    def services(self) -> tuple[Service, ...]:
        """The catalog's services that this cloud runs, in the catalog's order."""
        return tuple(service for service in self.catalog.services if service.name in self.cloud.services)

    @cached_property
    def computes(self) -> tuple[Host, ...]:
        """Hosts that run nova-compute, in the inventory's order."""
        return tuple(host for host in self.cloud.hosts if host.unit("nova-compute"))

    @cached_property
    def controls(self) -> tuple[Host, ...]:
        """Every other host that runs a daemon of a service, the database or the broker."""
        return tuple(
            host
            for host in self.cloud.hosts
            if host not in self.computes and (self.units(host) or {"database", "broker"} & set(host.groups))
        )

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
        unit = daemon.unit(self.source)
        return unit.name if unit else None

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
            unit.name
            for found in services
            for daemon in found.daemons
            if (place is None or place in daemon.where) and self.runs(host, daemon)
            if (unit := daemon.unit(self.source))
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
        if daemon.unit(self.source):
            return self.runs(host, daemon)
        return not daemon.optional and host == self.home(service)

    def new_packages(self, host: Host) -> tuple[str, ...]:
        """Return packages of daemons that the target release split off: no upgrade brings them by itself."""
        return tuple(
            unit.package
            for service in self.services
            for daemon in service.daemons
            if daemon.unit(self.source) is None and self._wanted(host, service, daemon)
            if (unit := daemon.unit(self.target))
        )

    def databases(self, service: Service) -> tuple[str, ...]:
        """Return the service's databases that exist in this cloud."""
        found = {database.name for database in self.cloud.databases if database.service == service.name}
        return tuple(database.name for database in service.databases if database.name in found)

    def heads(self, service: Service) -> dict[str, tuple[str, ...]]:
        """Return the heads that each database must reach, where the catalog knows them."""
        schema = self.target.services[service.name].schema_
        wanted = {
            db.name: schema.point_heads.get(db.schema_, schema.heads.get(db.schema_, ()))
            for db in service.databases
        }
        return {name: wanted[name] for name in self.databases(service) if wanted[name]}

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

    def commands(self, service: Service, purpose: Purpose) -> tuple[str, ...]:
        """Return the target release's command lines for a purpose."""
        return tuple(
            " ".join(line.argv(service.config_files)) for line in service.invocations(purpose, self.target)
        )

    def api_root(self, service: Service) -> str | None:
        """Return the root of the service's public endpoint: the URL without its version and project parts."""
        for endpoint in self.cloud.endpoints:
            if endpoint.service_type in service.types and endpoint.interface == "public":
                return re.sub(r"/v\d[^/]*(/.*)?$", "", endpoint.url).rstrip("/")
        return None

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
        found = (agent for agent in self.cloud.agents if agent.binary == "nova-compute")
        return next((agent for agent in found if agent.host.partition(".")[0] == _short(host)), None)

    def agents(self, service: str, hosts: tuple[Host, ...]) -> tuple[Agent, ...]:
        """Return the living, enabled agents of a service on some hosts."""
        names = {_short(host) for host in hosts}
        return tuple(
            agent
            for agent in self.cloud.agents
            if agent.service == service and agent.alive and agent.enabled
            # ctl1.example.org@lvm: a fully qualified host name and, for cinder, a back end
            if re.split("[.@]", agent.host)[0] in names
        )

    def must_handle(self, step: str) -> bool:
        """Say whether a finding counts on the plan's step (or steps) of this id prefix."""
        return any(finding.handled_by == step for finding in self.findings)


def _short(host: Host) -> str:
    return host.name.partition(".")[0]
