"""The steps that empty a compute before its upgrade and open it after, where its method is to be drained."""

from skipstone.cloud.model import Host
from skipstone.errors import InputError
from skipstone.plan.strategies.in_place.layout import Layout
from skipstone.plan.strategies.in_place.method import Choice, Computes, Method, convergence
from skipstone.steps.drain import DrainHost, ReturnInstances
from skipstone.steps.step import Reversibility, Step

PATIENCE = 1800
"""Seconds of the deadline for each instance; a drain that is ended there goes on with the next attempt."""

DOUBT = 3
"""How many times longer than was guessed moves may take, where that is more: they wait for others' too."""


def drain_first(layout: Layout, host: Host, *, needs: tuple[str, ...]) -> tuple[Step, ...]:
    """Return the step that empties a host before anything else is done there, if that is its method."""
    choice = layout.choice(host)
    if choice.method is Method.STAY:
        return ()
    if len(layout.computes) == 1:
        raise InputError(
            f"{host.name} is the only compute: its instances cannot be moved anywhere",
            where=host.name,
            remedy="plan with --computes stay: they run on while it is upgraded",
        )
    count = layout.instances(host)
    seconds = layout.traffic[host.name].leaving(count)
    first = next(name for wave in layout.waves for name in wave.hosts)
    return (
        DrainHost(
            id=f"computes.{host.name}.drain",
            title=f"Move the instances of {host.name}{_also(layout)} to other computes"
            f"{_why_they_move(layout, choice)}{_by_force(layout)}",
            needs=needs,
            deadline=3600 + max(count * PATIENCE, seconds * DOUBT),
            estimate=15 + seconds,
            reversibility=_way_back(layout, first=host.name == first),
            compute=host.name,
            plan=layout.id,
            on_stuck=layout.handling.on_stuck,
            migrations=layout.handling.migrations,
            per_target=layout.handling.per_target,
            force_complete=layout.handling.force_complete,
            cold=layout.handling.cold,
            empty=choice.method is Method.REINSTALL,
            reasons=(*choice.reasons, convergence(host)),
        ),
    )


def open_again(layout: Layout, host: Host, *, needs: tuple[str, ...]) -> tuple[Step, ...]:
    """Return the step that lets a drained host take instances again, or that brings its own back."""
    if layout.choice(host).method is Method.STAY:
        return ()
    returning = layout.handling.returning
    count = layout.instances(host) if returning else 0
    seconds = layout.traffic[host.name].returning(count)
    back = f"Bring the instances of {host.name} back{_by_force(layout)}"
    return (
        ReturnInstances(
            id=f"computes.{host.name}.return",
            title=back if returning else f"Let {host.name} take instances again",
            needs=needs,
            deadline=900 + max(count * PATIENCE, seconds * DOUBT),
            estimate=10 + seconds,
            reversibility=_way_back(layout, first=not returning),
            compute=host.name,
            plan=layout.id,
            moving=returning,
            migrations=layout.handling.migrations,
            per_target=layout.handling.per_target,
            force_complete=layout.handling.force_complete,
        ),
    )


def why_they_stay(layout: Layout, host: Host) -> str:
    """Return, as the end of a title, why a host is not drained where that was for Skipstone to decide."""
    choice = layout.choice(host)
    if layout.handling.computes is not Computes.AUTO or choice.method is Method.DRAIN:
        return ""
    return f"; they stay: {choice.reasons[0]}"


def _why_they_move(layout: Layout, choice: Choice) -> str:
    return f": {choice.reasons[0]}" if layout.handling.computes is Computes.AUTO else ""


def _also(layout: Layout) -> str:
    return ", also those that are off," if layout.handling.cold else ""


def _by_force(layout: Layout) -> str:
    return "; a migration that does not end is forced to complete" if layout.handling.force_complete else ""


def _way_back(layout: Layout, *, first: bool) -> Reversibility:
    """Say whether the step can be undone: nova moves nothing back from a newer hypervisor to an older one.

    The ``first`` host is drained to hosts that are as old as itself. Later ones go to those upgraded before.
    """
    if first or layout.source.debian == layout.target.debian:
        return Reversibility.EXACT
    return Reversibility.NONE
