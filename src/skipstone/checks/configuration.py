"""Questions about services' configuration, read from its masked text."""

import configparser
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from typing import NamedTuple

from skipstone.checks.check import Check, Upgrade
from skipstone.checks.finding import Finding
from skipstone.cloud.likeness import filled, likeness_of
from skipstone.cloud.masking import MASK
from skipstone.cloud.model import ConfigFile, Host

TRUE = frozenset({"true", "1", "yes", "on"})


class _Layer(NamedTuple):
    """What one file sets, and what is the host's own in it."""

    values: Mapping[str, Mapping[str, str]]
    own: tuple[str, ...]


class Options:
    """The options of one host's oslo.config file, with those of what lies in its ``.d``."""

    def __init__(self, *layers: _Layer) -> None:
        self._layers = layers

    def get(self, section: str, option: str) -> str | None:
        """Return an option's value, or None where it is not set; the first layer that sets it counts."""
        for values, own in self._layers:
            value = values.get(section, {}).get(option)
            if value is not None:
                return filled(value, own)
        return None


@lru_cache(maxsize=1024)  # thousands of computes have files of few forms
def _read(text: str) -> Mapping[str, Mapping[str, str]] | None:
    """Return section -> option -> value of an oslo.config file, or None where it is not one.

    An option given twice has its last value; ``[DEFAULT]`` is a section like any other, as in oslo.config.
    """
    parser = configparser.RawConfigParser(
        strict=False, default_section="", delimiters=("=",), comment_prefixes=("#", ";"), allow_no_value=True
    )
    try:
        parser.read_string(text)
    except configparser.Error:
        return None
    return {section: {k: v or "" for k, v in parser.items(section)} for section in parser.sections()}


def read_options(host: Host, file: ConfigFile) -> Options | None:
    """Return the options of a host's oslo.config file, or None where it is not one.

    The file goes before what lies in its ``.d``, as oslo.config has it where the file is named on the command
    line (``--config-file``, in Debian's units); of those, the last by name.
    """
    inside = f"{file.path}.d/"
    drop_ins = sorted(
        (one for one in host.config_files if one.path.startswith(inside) and one.path.endswith(".conf")),
        key=lambda one: one.path,
        reverse=True,
    )
    layers = [_layer(one.text or "", host.name) for one in (file, *drop_ins)]
    return Options(*filter(None, layers)) if layers[0] is not None else None


def _layer(text: str, host: str) -> _Layer | None:
    return _layer_on(text, host if host in text else "")


@lru_cache(maxsize=1024)  # what does not name its host is the same file on thousands
def _layer_on(text: str, host: str) -> _Layer | None:
    likeness = likeness_of(text, host)
    values = _read(likeness.form)
    return None if values is None else _Layer(values, likeness.own)


def options_of(upgrade: Upgrade, *names: str) -> Iterator[tuple[Host, ConfigFile, Options]]:
    """Yield host, file and options of every readable configuration file with one of these names."""
    for host in upgrade.reachable:
        for file in host.config_files:
            if file.text is not None and file.path.rsplit("/", 1)[-1] in names:
                read = partial(read_options, host, file)
                options = upgrade.once(("options", host.name, file.path), read)
                if options is not None:
                    yield host, file, options


class Removal(NamedTuple):
    """A value of an option that a release does not know any more; the value may be one of a list."""

    release: str
    file: str
    section: str
    option: str
    value: str
    source: str
    remedy: str


_OVN = "move to openvswitch or OVN while the cloud still runs a release that has both"

REMOVALS = (
    Removal("victoria", "nova.conf", "DEFAULT", "compute_driver", "xenapi", "nova 22.0.0", "move to libvirt"),
    Removal("zed", "nova.conf", "DEFAULT", "compute_driver", "powervm", "nova 26.0.0", "move to libvirt"),
    Removal("2024.1", "nova.conf", "DEFAULT", "compute_driver", "hyperv", "nova 29.0.0", "move to libvirt"),
    Removal("ussuri", "nova.conf", "DEFAULT", "use_neutron", "false", "nova 21.0.0", "migrate to neutron"),
    Removal(
        "ussuri",
        "glance-api.conf",
        "DEFAULT",
        "enabled_backends",
        "sheepdog",
        "glance 20.0.0",
        "move the images",
    ),
    Removal(
        "ussuri", "glance-api.conf", "glance_store", "stores", "sheepdog", "glance 20.0.0", "move the images"
    ),
    Removal(
        "rocky", "keystone.conf", "token", "provider", "uuid", "keystone 14.0.0", "switch to fernet tokens"
    ),
    Removal(
        "rocky", "keystone.conf", "token", "provider", "sql", "keystone 14.0.0", "switch to fernet tokens"
    ),
    Removal("2025.1", "keystone.conf", "catalog", "driver", "templated", "keystone 27.0.0", "switch to sql"),
    Removal("2025.1", "ml2_conf.ini", "ml2", "mechanism_drivers", "linuxbridge", "neutron 26.0.0", _OVN),
    Removal("2025.1", "neutron.conf", "DEFAULT", "interface_driver", "linuxbridge", "neutron 26.0.0", _OVN),
    Removal("2025.1", "l3_agent.ini", "DEFAULT", "interface_driver", "linuxbridge", "neutron 26.0.0", _OVN),
    Removal("2025.1", "dhcp_agent.ini", "DEFAULT", "interface_driver", "linuxbridge", "neutron 26.0.0", _OVN),
    Removal(
        "2025.1", "neutron.conf", "DEFAULT", "pd_dhcp_driver", "dibbler", "neutron 26.0.0", "give up dibbler"
    ),
)
"""Drivers that went away, and in which release; the source is the first version without them."""


class RemovedDriversNotInUse(Check):
    """No driver is configured, and no agent runs, that the target does not have any more.

    The service would not start, with the old one already gone.
    Source: release notes and entry points of the versions named in each finding. May go: row by row, when
    no supported upgrade starts before the removal.
    """

    id = "removed-driver"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find configured values and agents that the upgrade crosses the removal of."""
        crossed: dict[str, list[Removal]] = defaultdict(list)
        for removal in (removal for removal in REMOVALS if upgrade.crosses(removal.release)):
            crossed[removal.file].append(removal)
        for host, file, options in options_of(upgrade, *crossed):
            for removal in crossed[file.path.rsplit("/", 1)[-1]]:
                value = options.get(removal.section, removal.option) or ""
                if _names(value, removal.value):
                    yield self._removed(
                        removal, host.name, f"{file.path}: [{removal.section}] {removal.option} = {value}"
                    )
        yield from self._agents(upgrade)

    def _agents(self, upgrade: Upgrade) -> Iterator[Finding]:
        bridge = next(removal for removal in REMOVALS if removal.option == "mechanism_drivers")
        for agent in upgrade.cloud.agents:
            if agent.binary == "neutron-linuxbridge-agent" and upgrade.crosses(bridge.release):
                yield self._removed(bridge, agent.host, f"{agent.binary} is registered on {agent.host}")

    def _removed(self, removal: Removal, where: str, evidence: str) -> Finding:
        return self.inhibitor(
            f"{removal.value} was removed in {removal.release}",
            where=where,
            evidence=f"{evidence} (removed in {removal.source})",
            remedy=removal.remedy,
        )


def _names(value: str, driver: str) -> bool:
    """Whether a value, an item of a list or a part of a class path (``fs:file``, ``hyperv.Driver``) is it."""
    return driver in re.split(r"[\s,:.]+", value.lower())


class ServiceTokenConfigured(Check):
    """Nova sends its service token along with the user's.

    From 2023.2 on cinder refuses to detach a volume without it (CVE-2023-2088), and nova's own status check
    fails.
    Source: nova 28.0.0, cmd/status.py. Since: 2023.2. May go: never.
    """

    id = "service-token"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find a nova.conf without it; without any readable nova.conf the answer is not known."""
        if not upgrade.crosses("2023.2") or "nova" not in upgrade.cloud.services:
            return
        found = False
        for host, file, options in options_of(upgrade, "nova.conf"):
            found = True
            said = (options.get("service_user", "send_service_user_token") or "").strip().lower()
            if said == MASK:
                yield self.unknown(
                    "whether nova sends a service token is not known",
                    where=host.name,
                    evidence=f"{file.path}: the value of send_service_user_token was masked",
                    remedy="write it as true or false",
                )
            elif said not in TRUE:
                yield self.inhibitor(
                    "nova sends no service token",
                    where=host.name,
                    evidence=f"{file.path}: [service_user] send_service_user_token = {said or 'not set'}",
                    remedy="set it to true, with nova's own credentials in [service_user]; restart nova",
                )
        if not found:
            yield self.unknown("nova's configuration is not known", evidence="no readable nova.conf")


class UwsgiTellsItsStart(Check):
    """With OVN, the uWSGI configuration of neutron's API sets ``start-time``.

    From 2025.1 on the OVN driver makes its hash ring from it. A uWSGI file that the operator has changed is
    kept by the upgrade, and so stays without.
    Source: neutron 26.0.0, release note wsgi_start-time. Since: 2025.1. May go: never.
    """

    id = "uwsgi-start-time"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find such a file without the option, where OVN is configured."""
        drivers = [
            options.get("ml2", "mechanism_drivers") or ""
            for _, _, options in options_of(upgrade, "ml2_conf.ini")
        ]
        if not upgrade.crosses("2025.1") or not any(_names(value, "ovn") for value in drivers):
            return
        for host, file, options in options_of(upgrade, "neutron-api-uwsgi.ini"):
            if options.get("uwsgi", "start-time") is None:
                yield self.warning(
                    "neutron's API would not know when it was started",
                    where=host.name,
                    evidence=f"{file.path}: [uwsgi] start-time is not set, and the ml2 driver is ovn",
                    remedy="add start-time = %t under [uwsgi]; older releases ignore it",
                )
