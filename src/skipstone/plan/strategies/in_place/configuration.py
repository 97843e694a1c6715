"""The services' configuration: converted and shown before anything stops, deployed before the packages."""

from collections.abc import Iterable

from skipstone.cloud.model import Host
from skipstone.plan.plan import Stage
from skipstone.plan.strategies.in_place.layout import Layout
from skipstone.steps.conversion import (
    CheckConversion,
    CheckPolicies,
    ConvertConfiguration,
    DeployConfiguration,
    Grammar,
)
from skipstone.steps.step import Impact, Step


def configuration(layout: Layout) -> Stage:
    """Convert what every host has; no steps where nothing is to be converted.

    All hosts at once, though computes get theirs days later: who approves sees all of it.
    """
    return Stage(
        name="configuration",
        title="Convert the configuration; it is not used yet",
        steps=convert(layout, layout.prepared),
    )


def convert(layout: Layout, hosts: Iterable[Host]) -> tuple[Step, ...]:
    """Return the steps that convert what these hosts have."""
    return tuple(
        ConvertConfiguration(
            id=f"configuration.{host.name}",
            title=f"Convert the configuration of {host.name} to {layout.target.title}",
            host=host.name,
            deadline=300,
            estimate=2,
            directory=_directory(layout),
            files=layout.conversions[host.name],
        )
        for host in hosts
        if host.name in layout.conversions
    )


def check_conversion(
    layout: Layout, host: Host, *, step: str, needs: tuple[str, ...] = ()
) -> tuple[Step, ...]:
    """Return the step that looks whether a host's files are still those that were converted."""
    if host.name not in layout.conversions:
        return ()
    return (
        CheckConversion(
            id=step,
            title=f"See that nobody has changed the configuration of {host.name} since it was converted",
            host=host.name,
            needs=needs,
            deadline=60,
            estimate=1,
            directory=_directory(layout),
        ),
    )


def deploy_configuration(
    layout: Layout, host: Host, *, step: str, needs: tuple[str, ...] = (), impact: Impact = Impact.NONE
) -> tuple[Step, ...]:
    """Return the step that puts the host's converted files in place, if it has any."""
    if host.name not in layout.conversions:
        return ()
    return (
        DeployConfiguration(
            id=step,
            title=f"Put the converted configuration of {host.name} in place",
            host=host.name,
            needs=needs,
            deadline=300,
            estimate=2,
            impact=impact,
            directory=_directory(layout),
            paths=tuple(file.place for file in layout.conversions[host.name]),
        ),
    )


def check_policies(
    layout: Layout, host: Host, *, step: str, needs: tuple[str, ...], impact: Impact = Impact.NONE
) -> tuple[Step, ...]:
    """Return the step that looks whether the packages have left the host's policies, if any was deployed."""
    files = layout.conversions.get(host.name, ())
    policies = tuple(file.place for file in files if file.grammar in {Grammar.POLICY, Grammar.BRACES})
    if not policies:
        return ()
    return (
        CheckPolicies(
            id=step,
            title=f"See that the new packages have left the policies of {host.name}",
            host=host.name,
            needs=needs,
            deadline=60,
            estimate=1,
            impact=impact,
            directory=_directory(layout),
            paths=policies,
        ),
    )


def _directory(layout: Layout) -> str:
    return f"{layout.directory}/conversion"
