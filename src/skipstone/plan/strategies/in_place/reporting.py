"""The steps that see in nova's and neutron's own records that a compute's agents report."""

from collections.abc import Iterator

from skipstone.cloud.model import Host
from skipstone.plan.strategies.in_place.layout import Layout
from skipstone.steps.compute import ConfirmServiceVersion
from skipstone.steps.network import ConfirmNetworkAgents
from skipstone.steps.step import Step

_ELSEWHERE = "neutron-ovn-"
"""Agents that report to OVN's own database: the API says whether they live, when computes are verified."""


def confirm_reports(layout: Layout, host: Host, *, needs: tuple[str, ...]) -> list[Step]:
    """Return the steps that wait for a host's agents to report, one after the other."""
    steps = [*_compute_service(layout, host, needs)]
    return [*steps, *_network_agents(layout, host, tuple(step.id for step in steps) or needs)]


def _compute_service(layout: Layout, host: Host, needs: tuple[str, ...]) -> Iterator[ConfirmServiceVersion]:
    level, service = layout.target.services["nova"].compute, layout.compute_service(host)
    if level is None or level.level is None:
        return
    yield ConfirmServiceVersion(
        id=f"computes.{host.name}.confirm",
        title=f"See that nova-compute on {host.name} reports version {level.level}",
        host=layout.database.name,
        needs=needs,
        deadline=300,
        estimate=15,
        compute=service.host if service else host.name,
        version=level.level,
        database=layout.cell_database,
    )


def _network_agents(layout: Layout, host: Host, needs: tuple[str, ...]) -> Iterator[ConfirmNetworkAgents]:
    """Yield the step for those agents that lived before, and start again."""
    units = _units(layout, host)
    found = [agent for agent in layout.network_agents(host) if agent.binary in units]
    if found:
        yield ConfirmNetworkAgents(
            id=f"computes.{host.name}.agents",
            title=f"See that the network agents of {host.name} report to neutron",
            host=layout.database.name,
            needs=needs,
            deadline=300,
            estimate=20,
            agents=tuple(sorted(agent.binary for agent in found)),
            compute=found[0].host,
            server=host.name,
            units=tuple(sorted(units[agent.binary] for agent in found)),
            database=layout.network_database,
        )


def _units(layout: Layout, host: Host) -> dict[str, str]:
    """Return the units of neutron's agents that start on a host, by the name that neutron has for each."""
    starting = layout.target_units(host)
    return {
        daemon.binary or daemon.name: unit.name
        for service in layout.services
        if service.name == "neutron"
        for daemon in service.daemons
        if (unit := daemon.unit(layout.target)) and unit.name in starting
        if not daemon.name.startswith(_ELSEWHERE)
    }
