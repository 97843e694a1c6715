"""The inventory: which hosts a cloud has, what each is for, and how to reach it.

Two forms are read: Skipstone's own YAML (``docs/reference/inventory.md``) and whatever
``ansible-inventory`` understands (``ansible.py``). An error names file, line and field.
"""

import difflib
import os
from collections.abc import Iterable
from enum import StrEnum
from itertools import product
from pathlib import Path

from pydantic import Field, field_validator

from skipstone.cloud.ansible import AnsibleHost, is_ansible, read_ansible
from skipstone.cloud.document import Document
from skipstone.cloud.model import Fact
from skipstone.cloud.system import HOOK
from skipstone.errors import InventoryError

REMEDY = "see docs/reference/inventory.md for the keys and an example"

NO_SNAPSHOTS = "none"
"""What an inventory says of a host whose system Skipstone shall not keep."""


class Group(StrEnum):
    """What a host is for; a host may be in several."""

    CONTROL = "control"
    NETWORK = "network"
    COMPUTE = "compute"
    DATABASE = "database"
    BROKER = "broker"


# what deployment tools call the same: kolla-ansible, openstack-ansible, TripleO, and plain usage
ANSIBLE_GROUPS: dict[Group, frozenset[str]] = {
    Group.CONTROL: frozenset({"control", "controller", "controllers", "control_hosts", "os-infra_hosts"}),
    Group.NETWORK: frozenset({"network", "networks", "networker", "network_hosts", "network_nodes"}),
    Group.COMPUTE: frozenset({"compute", "computes", "compute_hosts", "compute_nodes", "hypervisors"}),
    Group.DATABASE: frozenset({"database", "databases", "mariadb", "mysql", "galera", "galera_all"}),
    Group.BROKER: frozenset({"broker", "brokers", "rabbitmq", "rabbitmq_all"}),
}


class InventoryHost(Fact):
    """One host and how to reach it; what is None is left to ``ssh_config`` and SSH's own defaults.

    ``address`` is what ``ssh`` would be given: an address, a name, or an alias of ``ssh_config``.
    ``proxy_jump`` is as in ``ssh -J``. ``sudo`` means ``sudo -n``: no password is ever typed. ``zone`` is
    what it shares a fate with: a rack, an availability zone. ``snapshots`` names the provider that keeps its
    system (``steps/providers.py``), ``hook`` or ``none``; None leaves that to discovery. ``snapshot_hook`` is
    the program that ``hook`` calls, None with any other. ``reinstall_hook`` is the program that installs a
    compute anew (``steps/reinstall.py``).
    """

    name: str
    address: str
    groups: tuple[Group, ...] = Field(min_length=1)
    user: str | None = None
    port: int | None = None
    key_file: Path | None = None
    proxy_jump: str | None = None
    sudo: bool = False
    zone: str | None = None
    snapshots: str | None = None
    snapshot_hook: Path | None = None
    reinstall_hook: Path | None = None


class Inventory(Fact):
    """All hosts, in the order they are written, and where SSH and the cloud's API are configured.

    ``cloud`` is an entry of ``clouds_file``; where they are None, openstacksdk's own search and the
    environment (``OS_CLOUD``) decide.
    """

    name: str
    path: Path
    hosts: tuple[InventoryHost, ...]
    ssh_config: Path | None = None
    cloud: str | None = None
    clouds_file: Path | None = None

    def host(self, name: str) -> InventoryHost:
        """Return the host of this name; raise InventoryError, with the nearest name, where there is none."""
        for host in self.hosts:
            if host.name == name:
                return host
        names = [host.name for host in self.hosts]
        raise InventoryError(
            f"there is no host {name!r}", where=str(self.path), remedy=_nearest(name, names, "hosts")
        )

    def hosts_in(self, group: Group) -> tuple[InventoryHost, ...]:
        """Return the hosts of a group, in the inventory's order."""
        return tuple(host for host in self.hosts if group in host.groups)


class _HostEntry(Fact):
    """One value under ``hosts``."""

    address: str | None = Field(None, min_length=1)
    groups: tuple[Group, ...] = ()
    user: str | None = None
    port: int | None = Field(None, ge=1, le=65535)
    key_file: str | None = None
    proxy_jump: str | None = None
    sudo: bool | None = None
    zone: str | None = Field(None, min_length=1)
    snapshots: str | None = Field(None, min_length=1)
    snapshot_hook: str | None = Field(None, min_length=1)
    reinstall_hook: str | None = Field(None, min_length=1)


class _Defaults(Fact):
    """The value of ``defaults``: what a host has that does not say otherwise."""

    user: str | None = None
    port: int | None = Field(None, ge=1, le=65535)
    key_file: str | None = None
    proxy_jump: str | None = None
    sudo: bool = False
    snapshots: str | None = Field(None, min_length=1)
    snapshot_hook: str | None = Field(None, min_length=1)
    reinstall_hook: str | None = Field(None, min_length=1)


class _File(Fact):
    """The whole of Skipstone's own form."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    ssh_config: str | None = None
    cloud: str | None = None
    clouds_file: str | None = None
    ansible: str | None = None
    group_map: dict[Group, tuple[str, ...]] = Field(default_factory=dict)
    hosts: dict[str, _HostEntry] = Field(default_factory=dict)
    groups: dict[Group, tuple[str, ...]] = Field(default_factory=dict)
    defaults: _Defaults = _Defaults()

    @field_validator("hosts", mode="before")
    @classmethod
    def _bare_hosts(cls, hosts: object) -> object:
        """Allow ``cmp1:`` with nothing after it: its name is then its address."""
        return {name: entry or {} for name, entry in hosts.items()} if isinstance(hosts, dict) else hosts


def load_inventory(path: Path) -> Inventory:
    """Read an inventory of either form; raise InventoryError with file, line and field.

    Paths inside it are relative to it. Nothing is connected to.
    """
    if is_ansible(path):
        hosts = _from_ansible(path, read_ansible(path), {})
        return Inventory(name=path.resolve().stem, path=path, hosts=hosts)
    document = Document.read(path, error=InventoryError, remedy=REMEDY)
    file = document.validate(_File)
    return Inventory(
        name=file.name,
        path=path,
        hosts=_hosts(document, file),
        ssh_config=_existing(document, "ssh_config", file.ssh_config),
        cloud=file.cloud,
        clouds_file=_existing(document, "clouds_file", file.clouds_file),
    )


def expect_hooks(inventory: Inventory) -> None:
    """Raise InventoryError where a host's hooks cannot be called on this machine.

    Only who carries out a plan calls them: a worker reads the same inventory without them.
    """
    for key, host in product(("snapshot_hook", "reinstall_hook"), inventory.hosts):
        hook: Path | None = getattr(host, key)
        if hook and not (hook.is_file() and os.access(hook, os.X_OK)):
            raise InventoryError(
                f"{key}: there is no such program, or it may not be executed",
                where=f"{inventory.path}: {host.name}",
                evidence=str(hook),
                remedy="put it there, or name another one",
            )


def _hosts(document: Document, file: _File) -> tuple[InventoryHost, ...]:
    if file.ansible is not None:
        if file.hosts:
            raise document.fault("hosts come from here or from the Ansible inventory, not both", ("hosts",))
        source = _existing(document, "ansible", file.ansible)
        assert source is not None  # noqa: S101 - for the type checker: the text was not None
        return _from_ansible(source, read_ansible(source), file.group_map)
    if not file.hosts:
        raise document.fault("no hosts are named", ("hosts",))
    _check_groups(document, file)
    hosts = tuple(_host(document, file, name, entry) for name, entry in file.hosts.items())
    _check_addresses(document, hosts)
    return hosts


def _host(document: Document, file: _File, name: str, entry: _HostEntry) -> InventoryHost:
    by_group = [group for group, names in file.groups.items() if name in names]
    groups = tuple(group for group in Group if group in entry.groups or group in by_group)
    if not groups:
        raise document.fault("this host is in no group", ("hosts", name), remedy=f"groups: {_names(Group)}")
    defaults = file.defaults
    key_file = entry.key_file or defaults.key_file
    return InventoryHost(
        name=name,
        address=entry.address or name,
        groups=groups,
        user=entry.user or defaults.user,
        port=entry.port or defaults.port,
        key_file=_relative(document.path, key_file) if key_file else None,
        proxy_jump=entry.proxy_jump or defaults.proxy_jump,
        sudo=defaults.sudo if entry.sudo is None else entry.sudo,
        zone=entry.zone,
        snapshots=entry.snapshots or defaults.snapshots,
        snapshot_hook=_hook(document, file, name, entry),
        reinstall_hook=_installer(document, groups, entry.reinstall_hook or defaults.reinstall_hook),
    )


def _installer(document: Document, groups: tuple[Group, ...], value: str | None) -> Path | None:
    """Return the program that installs a compute anew; None for any other host."""
    return _relative(document.path, value) if value and Group.COMPUTE in groups else None


def _hook(document: Document, file: _File, name: str, entry: _HostEntry) -> Path | None:
    """Return the program that keeps a host's machine; None where another provider keeps its system."""
    if (entry.snapshots or file.defaults.snapshots) != HOOK:
        return None
    value = entry.snapshot_hook or file.defaults.snapshot_hook
    if value is None:
        place = ("hosts", name) if entry.snapshots else ("defaults",)
        raise document.fault(
            "snapshots: hook needs snapshot_hook:, the program to call", (*place, "snapshots")
        )
    return _relative(document.path, value)


def _check_groups(document: Document, file: _File) -> None:
    for group, names in file.groups.items():
        for index, name in enumerate(names):
            if name not in file.hosts:
                raise document.fault(
                    f"there is no host {name!r}",
                    ("groups", group, index),
                    remedy=_nearest(name, list(file.hosts), "hosts"),
                )


def _check_addresses(document: Document, hosts: Iterable[InventoryHost]) -> None:
    seen: dict[tuple[str, int | None], str] = {}
    for host in hosts:
        other = seen.setdefault((host.address, host.port), host.name)
        if other != host.name:
            raise document.fault(
                f"{other} has the same address", ("hosts", host.name, "address"), evidence=host.address
            )


def _from_ansible(
    path: Path, found: tuple[AnsibleHost, ...], group_map: dict[Group, tuple[str, ...]]
) -> tuple[InventoryHost, ...]:
    wanted = {group: frozenset(group_map.get(group, names)) for group, names in ANSIBLE_GROUPS.items()}
    hosts = []
    for host in found:
        groups = tuple(group for group, names in wanted.items() if names & set(host.groups))
        if groups:
            hosts.append(
                InventoryHost(
                    name=host.name,
                    address=host.address,
                    groups=groups,
                    user=host.user,
                    port=host.port,
                    key_file=host.key_file,
                    proxy_jump=host.proxy_jump,
                    sudo=host.become,
                )
            )
    if not hosts:
        seen = sorted({group for host in found for group in host.groups})
        raise InventoryError(
            "no host is in a group that Skipstone knows",
            where=str(path),
            evidence=f"groups found: {', '.join(seen) or 'none'}",
            remedy="say which groups are which with group_map: (docs/reference/inventory.md)",
        )
    return tuple(hosts)


def _existing(document: Document, key: str, value: str | None) -> Path | None:
    if value is None:
        return None
    path = _relative(document.path, value)
    if not path.exists():
        raise document.fault("there is no such file", (key,), evidence=str(path))
    return path


def _relative(inventory: Path, value: str) -> Path:
    return inventory.resolve().parent / Path(value).expanduser()


def _nearest(name: str, names: list[str], what: str) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"{what} are: {', '.join(names[:20]) or 'none'}"


def _names(groups: Iterable[str]) -> str:
    return ", ".join(groups)
