"""Questions about units: does everything run that should, and may everything be started again."""

from collections.abc import Iterator

from skipstone.checks.check import Check, Upgrade
from skipstone.checks.finding import Finding
from skipstone.cloud.model import Unit

INFRASTRUCTURE = (
    "mariadb",
    "rabbitmq-server",
    "memcached",
    "apache2",
    "haproxy",
    "libvirtd",
    "virtqemud",
    "openvswitch-switch",
    "ssh",
)
"""Units under OpenStack that an upgrade needs."""

BY_SOCKET = frozenset({"libvirtd", "virtqemud", "ssh"})
"""Units that a socket starts when they are asked for: stopped is not broken."""


def _daemons(upgrade: Upgrade) -> dict[str, bool]:
    """Return unit -> optional, for the daemons of the cloud's services at its own release."""
    units = dict.fromkeys(INFRASTRUCTURE, False)
    release = upgrade.source or upgrade.target
    for service in upgrade.services:
        for daemon in service.daemons:
            unit = daemon.unit(release)
            if unit:
                units[unit.name] = daemon.optional
    return units


def _crashes(unit: Unit) -> bool:
    return unit.active == "failed" or unit.sub == "auto-restart"


def _is_stopped(unit: Unit) -> bool:
    return unit.enabled == "enabled" and unit.active == "inactive" and unit.name not in BY_SOCKET


class DaemonsAreRunning(Check):
    """Every daemon that is enabled runs.

    What was broken before cannot be told from what the upgrade broke.
    Source: Skipstone's own rule. May go: never.
    """

    id = "daemon-not-running"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find enabled daemons that do not run; failed units of no service are worth a warning."""
        daemons = _daemons(upgrade)
        for host in upgrade.reachable:
            for unit in host.units:
                needed = unit.name in daemons and not daemons[unit.name]
                stopped = _is_stopped(unit)
                evidence = f"{unit.active} ({unit.sub}), {unit.enabled}"
                remedy = f"systemctl status {unit.name}; repair it, or disable it where it is not wanted"
                if needed and (_crashes(unit) or stopped):
                    yield self.inhibitor(
                        f"{unit.name} does not run", where=host.name, evidence=evidence, remedy=remedy
                    )
                elif _crashes(unit):
                    yield self.warning(
                        f"{unit.name} has failed", where=host.name, evidence=evidence, remedy=remedy
                    )


class NoUnitMasked(Check):
    """No daemon is masked.

    The plan blocks units by a drop-in while packages change, never by a mask: a mask is an operator's wish,
    and its daemon would not start afterwards.
    Source: Skipstone's package steps. May go: never.
    """

    id = "unit-masked"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find masked daemons and infrastructure."""
        daemons = _daemons(upgrade)
        for host in upgrade.reachable:
            masked = [
                unit.name
                for unit in host.units
                if unit.name in daemons and "masked" in (unit.load, unit.enabled)
            ]
            if masked:
                yield self.warning(
                    "daemons are masked",
                    where=host.name,
                    evidence=", ".join(sorted(masked)),
                    remedy=f"systemctl unmask {' '.join(sorted(masked))}, or purge what is not wanted",
                )
