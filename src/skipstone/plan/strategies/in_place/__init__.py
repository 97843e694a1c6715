"""The in-place strategy: the same hosts, operating system and OpenStack upgraded together, one big hop.

Control hosts first, with their APIs down; instances run on, on computes of the old release, which are then
upgraded under their instances one at a time.
"""

from skipstone.plan.plan import Stage
from skipstone.plan.strategies.in_place import computes, control, preparation
from skipstone.plan.strategies.in_place.layout import Layout

__all__ = ["Layout", "stages"]


def stages(layout: Layout) -> tuple[Stage, ...]:
    """Return the stages of an in-place upgrade, in order; the table of contents of the whole thing."""
    return (
        preparation.backup(layout),
        preparation.prepare(layout),
        control.stop(layout),
        control.packages(layout),
        control.databases(layout),
        control.services(layout),
        control.verify(layout),
        computes.computes(layout),
        computes.verify(layout),
        computes.finish(layout),
    )
