"""The Cloud: an immutable snapshot of what was found.

Everything after discovery reads this and nothing else, so a saved Cloud is all that planning and checking
need. Unknown is always told apart from zero or absent: what could not be asked is ``None`` and has a
``Problem``. No secret is ever stored: configuration comes masked, and its hash is taken of the original.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)
from pydantic.dataclasses import dataclass


class Fact(BaseModel):
    """Base of everything discovered: frozen, and unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy; what is derived of the original (``cached_property``) is derived anew."""
        copied = super().model_copy(update=update, deep=deep)
        for name in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[name]
        return copied


class OperatingSystem(Fact):
    """What ``/etc/os-release`` says: ``id`` is ``debian``, ``codename`` is ``bookworm``, version ``12``."""

    id: str
    version: str
    codename: str


class Package(Fact):
    """One installed package: Debian version, source package, and the suite it came from if apt knows."""

    name: str
    version: str
    source: str
    origin: str | None = None
    status: str = "installed"


class Unit(Fact):
    """One systemd service unit as ``systemctl`` reports it."""

    name: str
    load: str
    active: str
    sub: str
    enabled: str


class ConfigFile(Fact):
    """One configuration file: hash of the original bytes, and its text without comments and secrets.

    ``text`` is None for keys, binary files and what is too large or of no interest: only the hash is known.
    ``left_out`` are the numbers of the lines that ``text`` is without (``1-4,17``); None is not known.
    ``shipped`` says that it is as its package brought it, which replaces it in an upgrade; None: it was
    edited, is no package's, or nobody has looked.
    """

    path: str
    sha256: str
    size: int
    text: str | None = None
    left_out: str | None = None
    shipped: Literal[True] | None = None


class Filesystem(Fact):
    """One mounted file system, sizes in bytes."""

    mount: str
    size: int
    free: int


class AptSource(Fact):
    """One file that names package sources, with the suites it names (credentials masked)."""

    path: str
    suites: tuple[str, ...]
    text: str


class Host(Fact):
    """One host; everything but its name and address is unknown where it could not be reached."""

    name: str
    address: str
    groups: tuple[str, ...]
    reachable: bool
    zone: str | None = None
    boot_id: str | None = None
    os: OperatingSystem | None = None
    kernel: str | None = None
    cpus: int | None = None
    memory_total: int | None = None
    memory_available: int | None = None
    clock_offset: float | None = None
    filesystems: tuple[Filesystem, ...] = ()
    packages: tuple[Package, ...] = ()
    units: tuple[Unit, ...] = ()
    config_files: tuple[ConfigFile, ...] = ()
    apt_sources: tuple[AptSource, ...] = ()
    policy_rc_d: str | None = None
    apt_lock_holder: str | None = None
    dpkg_audit: str = ""
    installed: int | None = None
    """Bytes of all installed packages."""
    snapshots: str = ""
    """Provider that keeps the system (``steps/providers.py``, ``steps/machine.py``), or nothing."""
    snapshot_hook: str = ""
    """Program on the operator's machine that keeps the whole machine, where the provider is ``hook``."""
    reinstall_hook: str = ""
    """Program on the operator's machine that installs it anew, where one is named."""

    @field_validator("packages", "units", "config_files", "apt_sources", mode="wrap")
    @classmethod
    def _once(cls, data: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:  # noqa: ANN401
        """Make what hosts share once: who reads thousands gives a dict, for what the same data became."""
        known: dict[int, Any] | None = info.context
        if known is None:
            return handler(data)
        if id(data) not in known:
            new = [item for item in data if id(item) not in known]
            known.update((id(item), made) for item, made in zip(new, handler(new), strict=True))
            known[id(data)] = tuple(known[id(item)] for item in data)
        return known[id(data)]

    def package(self, name: str) -> Package | None:
        """Return the installed package of this name, or None."""
        return self._packages.get(name)

    def unit(self, name: str) -> Unit | None:
        """Return the unit of this name (without ``.service``), or None."""
        return self._units.get(name)

    @cached_property
    def _packages(self) -> dict[str, Package]:
        return {package.name: package for package in reversed(self.packages)}

    @cached_property
    def _units(self) -> dict[str, Unit]:
        return {unit.name: unit for unit in reversed(self.units)}


class Table(Fact):
    """Rows of one table: counted, or the server's estimate where ``exact`` is false (very large tables).

    ``soft_deleted`` is None where the table does not keep deleted rows, or could not be counted in time.
    """

    name: str
    rows: int
    exact: bool = True
    soft_deleted: int | None = None


class Database(Fact):
    """One database: schema heads as found (alembic revisions, or ``migrate:86``), sizes in bytes.

    ``known_as`` is the catalog's name for it (``nova_cell0``), whatever it is called here; None is ``name``.
    """

    name: str
    service: str
    known_as: str | None = None
    heads: tuple[str, ...]
    size: int
    charset: str
    collation: str
    tables: tuple[Table, ...] = ()


class DatabaseServer(Fact):
    """The database server that was asked on ``host``.

    ``conditions`` are the catalog's data questions: blocker id -> number of offending rows.
    """

    host: str
    version: str
    datadir_size: int
    variables: dict[str, str] = Field(default_factory=dict)
    conditions: dict[str, int] = Field(default_factory=dict)


class Broker(Fact):
    """One RabbitMQ node."""

    host: str
    version: str
    feature_flags: dict[str, str] = Field(default_factory=dict)
    users: tuple[str, ...] = ()
    vhosts: tuple[str, ...] = ()


class Agent(Fact):
    """One row of a service list: a nova or cinder service, a neutron agent, a heat engine.

    ``heartbeat`` is the age in seconds at the time of discovery; ``version`` is nova's service version;
    ``zone`` the availability zone of a nova or cinder service.
    """

    service: str
    binary: str
    host: str
    alive: bool
    enabled: bool
    heartbeat: float | None = None
    version: int | None = None
    zone: str | None = None


class Aggregate(Fact):
    """One host aggregate of nova's; ``zone`` where it makes an availability zone."""

    name: str
    zone: str | None = None
    hosts: tuple[str, ...] = ()


class Hypervisor(Fact):
    """One compute node as nova sees it; versions as reported (``7002011`` is QEMU 7.2.11)."""

    host: str
    type: str
    version: int
    running_vms: int
    libvirt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Instance:
    """One server; ``addresses`` are fixed and floating, in that order.

    It is no ``Fact``, which takes a kilobyte more, of each of some hundred thousand.
    """

    id: str
    name: str
    project: str
    host: str | None = None
    status: str
    task: str | None = None
    addresses: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()


class Network(Fact):
    """One network and how many ports it has."""

    id: str
    name: str
    external: bool
    type: str | None = None
    ports: int


class Volume(Fact):
    """One volume, size in GiB."""

    id: str
    name: str
    status: str
    size: int
    type: str | None = None


class Stack(Fact):
    """One heat stack."""

    id: str
    name: str
    status: str


class Endpoint(Fact):
    """One endpoint of keystone's catalog; ``service_type`` is keystone's word (``compute``)."""

    service_type: str
    service_name: str
    interface: str
    region: str
    url: str


class Role(Fact):
    """One keystone role and the users of the service project that hold it."""

    name: str
    service_users: tuple[str, ...] = ()


class Counts(Fact):
    """How many items the APIs list, for what has no model of its own; None is not known."""

    projects: int | None = None
    users: int | None = None
    images: int | None = None
    flavors: int | None = None
    ports: int | None = None
    routers: int | None = None
    floating_ips: int | None = None


class Asked(StrEnum):
    """What a problem's question was put to."""

    SSH = "ssh"
    API = "api"
    DATABASE = "database"
    BROKER = "broker"
    PACKAGES = "packages"


class Problem(Fact):
    """Something that could not be asked: not a pass, and not a traceback."""

    asked: Asked
    where: str
    what: str
    evidence: str = ""
    remedy: str = ""


class Cloud(Fact):
    """All that was found. ``release`` is the codename that most of the packages belong to."""

    format: Literal[1] = 1
    name: str
    taken_at: datetime
    skipstone: str
    release: str | None = None
    hosts: tuple[Host, ...]
    services: tuple[str, ...] = ()
    database_servers: tuple[DatabaseServer, ...] = ()
    databases: tuple[Database, ...] = ()
    brokers: tuple[Broker, ...] = ()
    agents: tuple[Agent, ...] = ()
    aggregates: tuple[Aggregate, ...] | None = None
    hypervisors: tuple[Hypervisor, ...] = ()
    instances: tuple[Instance, ...] = ()
    networks: tuple[Network, ...] = ()
    volumes: tuple[Volume, ...] = ()
    stacks: tuple[Stack, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    roles: tuple[Role, ...] = ()
    counts: Counts | None = None
    problems: tuple[Problem, ...] = ()

    def host(self, name: str) -> Host:
        """Return the host of this name; raise KeyError where there is none."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Host]:
        return {host.name: host for host in self.hosts}

    def hosts_in(self, group: str) -> tuple[Host, ...]:
        """Return the hosts of a group, in the inventory's order."""
        return tuple(host for host in self.hosts if group in host.groups)
