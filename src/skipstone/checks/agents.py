"""Questions about agents: do they live, and are their hosts part of the upgrade."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from skipstone.checks.check import Check, Upgrade
from skipstone.checks.finding import Finding

STALE = 120.0
"""Seconds without a heartbeat; services report every 10 to 60 s."""

REMOVE: Mapping[str, str] = MappingProxyType(
    {
        "nova": "openstack compute service delete",
        "neutron": "openstack network agent delete",
        "cinder": "cinder-manage service remove",
        "heat": "heat-manage service clean",
    }
)
"""What removes the row of an agent that is gone for good."""


class HeartbeatsAreFresh(Check):
    """Every enabled agent reports to its service.

    A dead agent is a host that is already broken, or a row of one that is gone: rows of the gone count as
    old computes for nova and hold cinder's RPC versions back.
    An engine of heat writes a new row at each start and leaves the old one behind: a dead row counts only
    where no living one has its name and host.
    Source: nova-status "Older than N-1 computes", cinder's ServiceTooOld. May go: never.
    """

    id = "agent-dead"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find agents that their service calls down, and heartbeats too old to be believed."""
        living = {(found.binary, found.host) for found in upgrade.cloud.agents if found.alive}
        for agent in upgrade.cloud.agents:
            if not agent.alive and (agent.binary, agent.host) in living:
                continue
            age = "unknown" if agent.heartbeat is None else f"{agent.heartbeat:.0f} s ago"
            evidence = f"{agent.binary} on {agent.host}, last heartbeat {age}"
            remedy = (
                f"start {agent.binary} on {agent.host} and see why it stopped; if the host is gone for good: "
                + REMOVE.get(agent.service, "remove its row")
            )
            if not agent.alive and agent.enabled:
                yield self.inhibitor(
                    f"{agent.binary} is down", where=agent.host, evidence=evidence, remedy=remedy
                )
            elif not agent.alive:
                yield self.warning(
                    f"{agent.binary} is down, and disabled",
                    where=agent.host,
                    evidence=evidence,
                    remedy=remedy,
                )
            elif agent.heartbeat is not None and agent.heartbeat > STALE:
                yield self.inhibitor(
                    f"{agent.binary} is called up, but its heartbeat is stale",
                    where=agent.host,
                    evidence=evidence,
                    remedy=remedy,
                )


class InventoryIsComplete(Check):
    """Every host on which an agent lives is in the inventory.

    A host that Skipstone does not know stays on the old release behind a new control plane.
    Source: Skipstone's own rule. May go: never.
    """

    id = "host-not-in-inventory"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find living agents on hosts that no name or address of the inventory matches."""
        known = {_short(host.name) for host in upgrade.cloud.hosts}
        known |= {host.address for host in upgrade.cloud.hosts}
        strangers: dict[str, set[str]] = {}
        for agent in upgrade.cloud.agents:
            name = agent.host.split("@", 1)[0]
            if agent.alive and _short(name) not in known and name not in known:
                strangers.setdefault(name, set()).add(agent.binary)
        for name, binaries in sorted(strangers.items()):
            yield self.inhibitor(
                f"host {name} runs agents, and is not in the inventory",
                where=name,
                evidence=", ".join(sorted(binaries)),
                remedy="add it to the inventory and discover again",
            )


def _short(name: str) -> str:
    return name.split(".", 1)[0].lower()
