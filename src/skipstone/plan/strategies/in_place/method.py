"""How each compute is upgraded: with its instances staying there, drained before, or installed anew; pure."""

import re
from dataclasses import dataclass
from enum import StrEnum

from skipstone.cloud.model import Host
from skipstone.plan.strategies.in_place.fleet import Fleet, Room

_PCI = re.compile(r"^\s*(device_spec|passthrough_whitelist)\s*=\s*\S", re.MULTILINE)

_PERMITTED = re.compile(
    r"^\s*live_migration_permit_(auto_converge|post_copy)\s*=\s*(?:true|1|yes|on)\s*$",
    re.MULTILINE | re.IGNORECASE,
)


class Computes(StrEnum):
    """What the operator asks for."""

    STAY = "stay"
    DRAIN = "drain"
    REINSTALL = "reinstall"
    AUTO = "auto"


class Method(StrEnum):
    """What becomes of one host's instances while it is upgraded; before a reinstallation they move too."""

    STAY = "stay"
    DRAIN = "drain"
    REINSTALL = "reinstall"


@dataclass(frozen=True)
class Choice:
    """One host's method, and the reasons for it."""

    method: Method
    reasons: tuple[str, ...]


def choose(fleet: Fleet, host: Host, asked: Computes, *, system: bool) -> Choice:
    """Return how a compute is upgraded.

    ``system`` says that its operating system is replaced too. Where it is asked for, every host is drained:
    the drain itself refuses what cannot be. ``auto`` drains where that gains something and nothing known is
    against it; whether each instance finds room only placement knows, when it begins. It never installs a
    host anew, which nothing brings back.
    """
    if asked is Computes.STAY:
        return Choice(Method.STAY, ())
    if asked is not Computes.AUTO:
        return Choice(Method(asked), (f"asked for: --computes {asked}",))
    against = obstacles(fleet, host)
    if against:
        return Choice(Method.STAY, against)
    if not system:
        return Choice(Method.STAY, ("kernel, QEMU and libvirt stay: nothing needs the host empty",))
    gain = "instances that stay would keep the old QEMU, on the old kernel, until they are stopped"
    return Choice(Method.DRAIN, (gain,))


def obstacles(fleet: Fleet, host: Host) -> tuple[str, ...]:
    """Return what is known to be against draining a host."""
    if not fleet.instances(host):
        return ("no instance is on it",)
    if fleet.is_alone:
        return ("there is no other compute",)
    if not fleet.others(host).hosts:
        return ("no other compute is up and enabled",)
    newer = fleet.others(host, at_least=fleet.version(host))
    if not newer.hosts:
        return ("every other compute's hypervisor is older, and nova migrates to none such",)
    found = (_passed_through(host), _too_little(host, newer))
    return tuple(reason for reason in found if reason)


def convergence(host: Host) -> str:
    """Return what nova may do there about a guest that writes faster than the network carries it away.

    Source: nova/conf/libvirt.py; both are off unless nova.conf says otherwise, and it is the source's that
    counts.
    """
    permitted = {found for text in _nova_texts(host) for found in _PERMITTED.findall(text)}
    busy = "a guest that writes faster than the network carries"
    if not permitted:
        return f"nova permits neither auto-converge nor post-copy: {busy} is moved only where that is forced"
    words = {"auto_converge": "slow it down (auto-converge)", "post_copy": "use post-copy"}
    return f"of {busy}, nova may {' and '.join(words[one] for one in sorted(permitted))}"


def _nova_texts(host: Host) -> tuple[str, ...]:
    return tuple(file.text or "" for file in host.config_files if "/etc/nova/" in file.path)


def _passed_through(host: Host) -> str:
    if any(_PCI.search(text) for text in _nova_texts(host)):
        return "nova.conf passes PCI devices of this host through, and instances that have one cannot move"
    return ""


def _too_little(host: Host, others: Room) -> str:
    """Compare the memory that is in use there with what is free on all the others together."""
    if host.memory_total is None or host.memory_available is None or others.unknown:
        return ""
    if others.memory < host.memory_total - host.memory_available:
        return "the other computes have less memory free than is in use there"
    return ""
