"""The in-place strategy: the same hosts, operating system and OpenStack upgraded together, one big hop.

Control hosts first, with their APIs down; instances run on, on computes of the old release, which are then
upgraded under their instances one at a time.
"""

from skipstone.plan.plan import Gate, Stage
from skipstone.plan.strategies.in_place import computes, control, preparation
from skipstone.plan.strategies.in_place.layout import Layout, Suites

__all__ = ["Layout", "Suites", "gates", "stages"]


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
        *computes.computes(layout),
        computes.verify(layout),
        computes.finish(layout),
    )


_GATES = (
    Gate(id="begin", before="backup", title="begin: back up, and prepare while everything runs"),
    Gate(id="outage", before="stop", title="take the APIs down"),
    Gate(id="sample", before="sample", title="upgrade the first compute: the control plane is verified"),
    Gate(
        id="computes",
        before="computes",
        title="upgrade the other computes: the first one reports its new version",
    ),
)


def gates(stages: tuple[Stage, ...]) -> tuple[Gate, ...]:
    """Return the stops for a person; none while the APIs are down, which would make the outage longer."""
    names = {stage.name for stage in stages}
    return tuple(gate for gate in _GATES if gate.before in names)
