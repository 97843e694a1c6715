"""What a cloud uses, as far as release notes can be about it: settings, programs, versions. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from skipstone.catalog.catalog import Catalog
from skipstone.catalog.service import Service
from skipstone.cloud.model import Cloud, ConfigFile, Host
from skipstone.convert.inifile import Kind, Line, parse
from skipstone.errors import InputError

_CONFIGURATION = (".conf", ".ini")
_CHOICE = re.compile(r"(?<!extension)(?<!type)_drivers?$|^enabled_backends$|^stores$")
_EVERY_DRIVER = frozenset(
    {"agent", "cinder", "common", "driver", "drivers", "fibre", "file", "files", "interface", "iscsi"}
    | {"linux", "log", "neutron", "noop", "nova", "virt", "volume"}
)
_NUMBERS = re.compile(r"^(?:\d+:)?(\d+(?:\.\d+)*)")


@dataclass(frozen=True, order=True)
class Setting:
    """One line of a service's configuration; its value is never shown."""

    host: str
    path: str
    section: str
    option: str
    value: str = field(repr=False)

    @property
    def place(self) -> str:
        """Where it is set."""
        return f"{self.host}:{self.path} [{self.section}] {self.option}"


@dataclass(frozen=True)
class Usage:
    """What was found of a cloud.

    ``unread`` are services whose configuration is not known, or not all of it: nothing is left out for them.
    ``programs`` are names of packages, units, agents and hypervisors. ``versions`` is the oldest version of
    each service's packages; ``servers`` the database servers and brokers with theirs, as text; ``running``
    has versions of what services stand on, by product: nothing where a host was not reached.
    """

    cloud: str
    services: tuple[str, ...]
    settings: Mapping[str, tuple[Setting, ...]]
    unread: Mapping[str, str]
    programs: frozenset[str]
    versions: Mapping[str, str]
    servers: Mapping[str, str]
    running: Mapping[str, tuple[str, ...]]

    def has(self, pattern: re.Pattern[str]) -> bool:
        """Whether a program's name, or a line ``section/option=value``, fits; empty sections do not count."""
        return bool(pattern.search(self._traces))

    def drivers(self, service: str) -> frozenset[str]:
        """Return the words of the drivers that a service is set to, without those that all have."""
        values = (each.value for each in self.settings.get(service, ()) if _CHOICE.search(each.option))
        words = (word for value in values for word in re.findall(r"[a-z0-9]{3,}", value.lower()))
        return frozenset(words) - _EVERY_DRIVER

    @cached_property
    def _traces(self) -> str:
        lines = (
            f"{setting.section}/{setting.option}={setting.value}"
            for settings in self.settings.values()
            for setting in settings
        )
        return "\n".join([*self.programs, *lines])


def usage_of(cloud: Cloud, catalog: Catalog) -> Usage:
    """Return what a discovered cloud uses."""
    services = catalog.in_order(cloud.services)
    settings: dict[str, tuple[Setting, ...]] = {}
    unread: dict[str, str] = {}
    for service in services:
        faults: list[str] = []
        settings[service.name] = tuple(_settings(cloud, service, faults))
        if faults or not settings[service.name]:
            unread[service.name] = ", ".join(faults) or "no configuration of it was found"
    return Usage(
        cloud=cloud.name,
        services=tuple(service.name for service in services),
        settings=settings,
        unread=unread,
        programs=frozenset(_programs(cloud)),
        versions={service.name: found for service in services if (found := _version(cloud, service))},
        servers=dict(_servers(cloud)),
        running=_running(cloud),
    )


def _settings(cloud: Cloud, service: Service, faults: list[str]) -> Iterator[Setting]:
    """Yield what a service's files set; what cannot be known becomes a fault."""
    for host in cloud.hosts:
        if not host.reachable:
            faults.append(f"{host.name} was not reached")
        for file in _files(host, service):
            lines = _lines(file)
            if lines is None:
                faults.append(f"{host.name}:{file.path} was not read")
            for line in lines or ():
                yield Setting(host.name, file.path, line.section, line.key, line.value)


def _files(host: Host, service: Service) -> Iterator[ConfigFile]:
    places = tuple(f"{directory}/" for directory in service.config_dirs)
    return (
        file
        for file in host.config_files
        if file.path.startswith(places) and file.path.endswith(_CONFIGURATION)
    )


def _lines(file: ConfigFile) -> Iterable[Line] | None:
    """Return the lines that set something, or None where that is not known."""
    if file.text is None:
        return None
    try:
        return [line for line in parse(file.text, file.path) if line.kind is Kind.OPTION]
    except InputError:
        return None


def _programs(cloud: Cloud) -> Iterator[str]:
    for host in cloud.hosts:
        yield from (package.name for package in host.packages)
        yield from (unit.name for unit in host.units)
    yield from (agent.binary for agent in cloud.agents)
    yield from (hypervisor.type for hypervisor in cloud.hypervisors)


def _version(cloud: Cloud, service: Service) -> str | None:
    """Return the oldest upstream version of a service's packages, or None."""
    found = (
        match[1]
        for host in cloud.hosts
        for package in host.packages
        if package.source in service.sources and (match := _NUMBERS.match(package.version))
    )
    return min(found, key=numbers, default=None)


def numbers(version: str) -> tuple[int, ...]:
    """Return a version's numbers: versions are compared by them."""
    return tuple(map(int, version.split(".")))


def is_at_least(version: str, other: str) -> bool:
    """Whether a version is another, or a later one of the same release: a newer release may lack it."""
    return numbers(version)[0] == numbers(other)[0] and numbers(version) >= numbers(other)


def _servers(cloud: Cloud) -> Iterator[tuple[str, str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for server in cloud.database_servers:
        found["database"].append(f"{server.version} on {server.host}")
    for broker in cloud.brokers:
        found["broker"].append(f"RabbitMQ {broker.version} on {broker.host}")
    return ((kind, ", ".join(texts)) for kind, texts in found.items())


def _running(cloud: Cloud) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, set[str]] = defaultdict(set)
    for product, version in _products(cloud):
        if number := _NUMBERS.match(version):
            found[product].add(number[1])
    whole = all(host.reachable for host in cloud.hosts)
    return {product: tuple(sorted(versions)) for product, versions in found.items()} if whole else {}


def _products(cloud: Cloud) -> Iterator[tuple[str, str]]:
    for server in cloud.database_servers:
        yield "mariadb" if "mariadb" in server.version.lower() else "mysql", server.version
    for broker in cloud.brokers:
        yield "rabbitmq", broker.version
    for hypervisor in cloud.hypervisors:
        if hypervisor.libvirt:
            yield "libvirt", hypervisor.libvirt
            number = hypervisor.version
            yield "qemu", f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"
