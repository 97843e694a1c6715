"""The in-place strategy: the same hosts, operating system and OpenStack upgraded together, one big hop.

Control hosts first, with their APIs down; instances run on, on computes of the old release, which are then
upgraded under their instances, in waves.
"""

from skipstone.plan.plan import Gate, Stage
from skipstone.plan.rollout import Rollout
from skipstone.plan.strategies.in_place import computes, configuration, control, preparation
from skipstone.plan.strategies.in_place.layout import Handling, Layout, Suites
from skipstone.plan.strategies.in_place.method import Computes
from skipstone.plan.waves import COMPUTES, POSTPONED

__all__ = ["Computes", "Handling", "Layout", "Suites", "gates", "stages"]


def stages(layout: Layout) -> tuple[Stage, ...]:
    """Return the stages of an in-place upgrade, in order; the table of contents of the whole thing.

    Raises InputError where hosts are not as this strategy needs them.
    """
    layout.expect_apart()
    converting = configuration.configuration(layout)
    waves = computes.computes(layout)
    postponed = tuple(wave for wave in waves if wave.name == POSTPONED)
    return (
        *((converting,) if converting.steps else ()),
        preparation.backup(layout),
        preparation.prepare(layout),
        control.stop(layout),
        control.packages(layout),
        control.databases(layout),
        control.services(layout),
        control.verify(layout),
        *waves[: len(waves) - len(postponed)],
        computes.verify(layout),
        *postponed,
        *((computes.verify_postponed(layout),) if postponed else ()),
        computes.finish(layout),
    )


_GATES = (
    Gate(id="begin", before="configuration", title="begin: convert configuration, which is not used yet"),
    Gate(
        id="configuration",
        before="backup",
        title="back up, and prepare while everything runs: the converted configuration is right",
    ),
    Gate(id="outage", before="stop", title="take the APIs down"),
    Gate(id="sample", before="sample", title="upgrade the first compute: the control plane is verified"),
    Gate(
        id=POSTPONED,
        before=POSTPONED,
        title="upgrade the postponed computes; what needs every compute upgraded comes after them",
    ),
)


_UNCONVERTED = Gate(id="begin", before="backup", title="begin: back up, and prepare while everything runs")
"""The first one where no configuration is converted."""


def gates(stages: tuple[Stage, ...], rollout: Rollout = Rollout()) -> tuple[Gate, ...]:  # noqa: B008 - frozen
    """Return the stops for a person; none while the APIs are down, which would make the outage longer."""
    names = {stage.name: None for stage in stages}
    known = _GATES if "configuration" in names else (_UNCONVERTED, *_GATES[2:])
    waves = [name for name in names if name.partition("-")[0] == COMPUTES]
    known = (*known[:-1], *_before_waves(waves if rollout.every_wave else waves[:1]), known[-1])
    return tuple(gate for gate in known if gate.before in names)


def _before_waves(waves: list[str]) -> tuple[Gate, ...]:
    """Return the gate ``computes`` before the first of these waves; the others' have the waves' names."""
    first = "upgrade the other computes: the sample reports its new version"
    later = "upgrade the next computes: those before them report their new version"
    return tuple(
        Gate(id=name if number else COMPUTES, before=name, title=later if number else first)
        for number, name in enumerate(waves)
    )
