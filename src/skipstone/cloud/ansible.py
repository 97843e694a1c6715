"""Ansible inventories, read by Ansible's own program.

``ansible-inventory --list`` is the only parser that understands every form (INI, YAML, scripts, plugins).
It is run as a program, never imported: Ansible is GPL-3 and need not be installed with Skipstone.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from skipstone.cloud.model import Fact
from skipstone.errors import InventoryError

_TIMEOUT = 120  # seconds; a dynamic inventory asks a service
_OWN_KEYS = {
    "name",
    "hosts",
    "groups",
    "defaults",
    "ssh_config",
    "cloud",
    "clouds_file",
    "ansible",
    "group_map",
}
_GROUP_KEYS = {"hosts", "children", "vars"}
_SSH = {"ssh", "smart", "paramiko", "paramiko_ssh", "ansible.builtin.ssh"}


class AnsibleHost(Fact):
    """One host of an Ansible inventory, with every group it is in, directly or through children."""

    name: str
    address: str
    groups: tuple[str, ...]
    user: str | None = None
    port: int | None = None
    key_file: Path | None = None
    proxy_jump: str | None = None
    become: bool = False


def is_ansible(path: Path) -> bool:
    """Whether a file or directory is an Ansible inventory rather than Skipstone's own form.

    Ansible's YAML has nothing but groups at its top; a file that is not YAML by name is Ansible's too.
    """
    if path.is_dir():
        return True
    if path.suffix not in {".yaml", ".yml", ".json"}:
        return path.is_file()
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return False
    if not isinstance(data, dict) or not data:
        return False
    if "plugin" in data:
        return True
    return not _OWN_KEYS & data.keys() and all(_is_group(value) for value in data.values())


def _is_group(value: object) -> bool:
    return value is None or (isinstance(value, dict) and bool(value) and value.keys() <= _GROUP_KEYS)


def read_ansible(path: Path) -> tuple[AnsibleHost, ...]:
    """Return every host that ``ansible-inventory`` lists; raise InventoryError where it cannot."""
    listing = _list(path)
    variables: dict[str, dict[str, Any]] = listing.get("_meta", {}).get("hostvars", {})
    groups = _groups_by_host(listing)
    return tuple(_host(path, name, sorted(groups[name]), variables.get(name, {})) for name in groups)


def _program() -> str:
    beside = Path(sys.executable).parent / "ansible-inventory"
    found = str(beside) if beside.exists() else shutil.which("ansible-inventory")
    if found is None:
        raise InventoryError(
            "an Ansible inventory can only be read where Ansible is installed",
            evidence="no program ansible-inventory in PATH",
            remedy="install ansible-core on this machine, or write an inventory of Skipstone's own form",
        )
    return found


def _list(path: Path) -> dict[str, Any]:
    # without these two, ansible-inventory warns about a file it cannot parse and answers "no hosts"
    strict = {"ANSIBLE_INVENTORY_UNPARSED_FAILED": "true", "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true"}
    try:
        done = subprocess.run(
            [_program(), "-i", str(path.resolve()), "--list"],
            env={**os.environ, **strict, "ANSIBLE_NOCOLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as fault:
        what = f"ansible-inventory did not answer within {_TIMEOUT} s"
        raise InventoryError(what, where=str(path), remedy="run it by hand to see why") from fault
    if done.returncode != 0:
        raise InventoryError(
            "ansible-inventory cannot read this inventory",
            where=str(path),
            evidence="\n".join(done.stderr.strip().splitlines()[-12:]),
            remedy=f"make `ansible-inventory -i {path} --list` work first",
        )
    listing: dict[str, Any] = json.loads(done.stdout)
    return listing


def _groups_by_host(listing: Mapping[str, Any]) -> dict[str, set[str]]:
    groups = {name: value for name, value in listing.items() if name != "_meta"}
    found: dict[str, set[str]] = {name: set() for name in listing.get("_meta", {}).get("hostvars", {})}
    for name in groups:
        for host in _members(groups, name, frozenset()):
            found.setdefault(host, set()).add(name)
    return found


def _members(groups: Mapping[str, Any], name: str, above: frozenset[str]) -> Iterator[str]:
    group = groups.get(name, {})
    yield from group.get("hosts", ())
    for child in group.get("children", ()):
        if child not in above:
            yield from _members(groups, child, above | {name})


def _host(path: Path, name: str, groups: list[str], variables: Mapping[str, Any]) -> AnsibleHost:
    known = _Variables(path, name, variables)
    known.refuse_other_connections()
    key_file = known.text("ansible_ssh_private_key_file", "ansible_private_key_file")
    return AnsibleHost(
        name=name,
        address=known.text("ansible_host", "ansible_ssh_host") or name,
        groups=tuple(groups),
        user=known.text("ansible_user", "ansible_ssh_user"),
        port=known.port(),
        key_file=Path(key_file).expanduser() if key_file else None,
        proxy_jump=known.proxy_jump(),
        become=known.flag("ansible_become"),
    )


class _Variables:
    """One host's variables, each refused with its name where Skipstone cannot do what it says."""

    def __init__(self, path: Path, host: str, values: Mapping[str, Any]) -> None:
        self._path = path
        self._host = host
        self._values = values

    def fault(self, name: str, what: str, remedy: str) -> InventoryError:
        where = f"{self._path}: {self._host}.{name}"
        return InventoryError(what, where=where, evidence=f"{self._values.get(name)!r:.80}", remedy=remedy)

    def text(self, *names: str) -> str | None:
        """Return the first of these variables that is set; templates are not evaluated by --list."""
        for name in names:
            value = self._values.get(name)
            if value is None or value == "":
                continue
            if not isinstance(value, str | int) or "{{" in str(value):
                raise self.fault(name, "this is a template or a vault value", "write the value itself")
            return str(value)
        return None

    def flag(self, name: str) -> bool:
        return (self.text(name) or "false").lower() in {"true", "yes", "on", "1"}

    def port(self) -> int | None:
        text = self.text("ansible_port", "ansible_ssh_port")
        if text is None:
            return None
        if not text.isdigit():
            raise self.fault("ansible_port", "this is not a port number", "write a number")
        return int(text)

    def proxy_jump(self) -> str | None:
        """Return the jump host of the SSH arguments; a ProxyCommand is refused rather than ignored."""
        for name in ("ansible_ssh_common_args", "ansible_ssh_extra_args"):
            arguments = shlex.split(self.text(name) or "")
            for key, value in _ssh_options(arguments):
                if key == "proxyjump":
                    return value
                if key == "proxycommand":
                    raise self.fault(
                        name, "ProxyCommand is not read from here", "use ProxyJump, or ~/.ssh/config"
                    )
        return None

    def refuse_other_connections(self) -> None:
        connection = self.text("ansible_connection") or "ssh"
        if connection not in _SSH:
            raise self.fault("ansible_connection", "Skipstone reaches hosts over SSH only", "use ssh")
        method = self.text("ansible_become_method") or "sudo"
        if self.flag("ansible_become") and method not in {"sudo", "ansible.builtin.sudo"}:
            raise self.fault("ansible_become_method", "Skipstone becomes root with sudo only", "use sudo")


def _ssh_options(arguments: list[str]) -> Iterator[tuple[str, str]]:
    """Yield ``-o Key=value`` and ``-J host`` of an ssh command line, keys in lower case."""
    rest = iter(arguments)
    for argument in rest:
        if argument.startswith("-J"):
            yield "proxyjump", argument[2:] or next(rest, "")
        elif argument.startswith("-o"):
            key, _, value = (argument[2:] or next(rest, "")).replace(" ", "=", 1).partition("=")
            yield key.strip().lower(), value.strip()
