"""The Cloud out of its parts: what only shows when all of them lie side by side. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from skipstone import __version__
from skipstone.catalog import Catalog, Release
from skipstone.cloud.host_facts import mask_known
from skipstone.cloud.hostname import short
from skipstone.cloud.masking import Secrets
from skipstone.cloud.model import (
    Agent,
    Broker,
    Cloud,
    Counts,
    Database,
    DatabaseServer,
    Endpoint,
    Host,
    Hypervisor,
    Problem,
    Stack,
)


@dataclass
class Parts:
    """What came in: of the hosts, of their databases and brokers, and of the APIs (fields of Cloud)."""

    hosts: tuple[Host, ...] = ()
    servers: tuple[DatabaseServer, ...] = ()
    databases: tuple[Database, ...] = ()
    brokers: tuple[Broker, ...] = ()
    stacks: tuple[Stack, ...] = ()
    nova_levels: dict[tuple[str, str], int] = field(default_factory=dict)
    fields: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def add_survey(self, fields: Mapping[str, tuple[Any, ...]], counts: Mapping[str, int]) -> None:
        """Add what one API answered; agents of several services become one list."""
        for name, items in fields.items():
            self.fields[name] = self.fields.get(name, ()) + items
        self.counts.update(counts)


def compose(name: str, taken_at: datetime, catalog: Catalog, parts: Parts, secrets: Secrets) -> Cloud:
    """Return the Cloud, every list in a fixed order, every known secret masked."""
    fields = dict(parts.fields)
    release = release_of(catalog, parts.hosts, parts.databases)
    problems = {(p.asked, p.where, p.what): _without_secrets(p, secrets) for p in parts.problems}
    return Cloud(
        name=name,
        taken_at=taken_at,
        skipstone=__version__,
        release=release.codename if release else None,
        hosts=tuple(mask_known(host, secrets) for host in parts.hosts),
        services=services_of(catalog, parts.hosts, fields.get("endpoints", ())),
        database_servers=parts.servers,
        databases=parts.databases,
        brokers=parts.brokers,
        agents=_agents(catalog, fields.pop("agents", ()), parts.nova_levels),
        hypervisors=tuple(_with_libvirt(item, parts.hosts) for item in fields.pop("hypervisors", ())),
        stacks=parts.stacks,
        counts=Counts(**parts.counts) if parts.counts else None,
        problems=tuple(problem for _, problem in sorted(problems.items())),
        **fields,
    )


def release_of(catalog: Catalog, hosts: Iterable[Host], databases: Iterable[Database]) -> Release | None:
    """Return the release of most packages; where no package is known, the one release of all schemas."""
    services = {source: service.name for service in catalog.services for source in service.sources}
    found = Counter(
        release
        for host in hosts
        for package in host.packages
        if package.source in services
        and (release := catalog.release_of(services[package.source], package.version))
    )
    if found:
        return max(found, key=lambda release: (found[release], release))
    schemas = {d.name: d.schema_ for service in catalog.services for d in service.databases}
    possible = [
        set(catalog.releases_at(schemas[database.known_as or database.name], database.heads))
        for database in databases
    ]
    common = set[Release].intersection(*possible) if possible else set()
    return common.pop() if len(common) == 1 else None


def services_of(catalog: Catalog, hosts: Iterable[Host], endpoints: Iterable[Endpoint]) -> tuple[str, ...]:
    """Return the services whose packages or endpoints were found, in the order in which they are upgraded."""
    sources = {package.source for host in hosts for package in host.packages}
    types = {endpoint.service_type for endpoint in endpoints}
    return tuple(
        service.name
        for service in catalog.services
        if sources & set(service.sources) or types & set(service.types)
    )


def _agents(
    catalog: Catalog, agents: Iterable[Agent], levels: Mapping[tuple[str, str], int]
) -> tuple[Agent, ...]:
    order = {service.name: index for index, service in enumerate(catalog.services)}
    known = (
        agent.model_copy(update={"version": levels.get((agent.host, agent.binary))})
        if agent.service == "nova"
        else agent
        for agent in agents
    )
    return tuple(sorted(known, key=lambda agent: (order[agent.service], agent.binary, agent.host)))


def _with_libvirt(hypervisor: Hypervisor, hosts: Iterable[Host]) -> Hypervisor:
    """Return the hypervisor with libvirt's version, which only its host's packages tell."""
    name = short(hypervisor.host)
    for host in hosts:
        package = host.package("libvirt-daemon") or host.package("libvirt0")
        if package and short(host.name) == name:
            version = package.version.split(":")[-1].split("-")[0]
            return hypervisor.model_copy(update={"libvirt": version})
    return hypervisor


def _without_secrets(problem: Problem, secrets: Secrets) -> Problem:
    evidence = secrets.everywhere(secrets.without_secrets(problem.evidence))
    return problem.model_copy(update={"evidence": evidence})
