"""Order among steps that do not depend on each other."""

from collections.abc import Iterable

from skipstone.steps.step import Step

CLIENTS_AT_ONCE = 2
"""Of the ``openstack`` command: each start costs seconds of a core, and ten at once hinder one another."""


def at_most(steps: Iterable[Step], width: int) -> tuple[Step, ...]:
    """Return the steps in ``width`` chains side by side: each also needs the one ``width`` before it."""
    ordered: list[Step] = []
    for number, step in enumerate(steps):
        before = ordered[number - width].id if number >= width else None
        needs = step.needs if before is None else (*step.needs, before)
        ordered.append(step.model_copy(update={"needs": needs}))
    return tuple(ordered)
