"""Questions about what users run: nothing may be halfway when the services go down.

Of some ten thousand instances one is always halfway, and it is over long before the services stop: here it is
told, and the plan waits for it right before the stop (``stop.workloads``), which is when it matters.
"""

from collections.abc import Iterable, Iterator, Sequence

from skipstone.checks.check import Check, Upgrade, listed
from skipstone.checks.finding import Finding
from skipstone.cloud.model import Instance

MOVING = frozenset({"MIGRATING", "RESIZE", "VERIFY_RESIZE", "REVERT_RESIZE"})
UNFINISHED = frozenset({"BUILD", "REBUILD", "PASSWORD", "REBOOT", "HARD_REBOOT"})
VOLUME_SETTLED = frozenset({"available", "in-use", "reserved", "error", "maintenance"})
WAITED_FOR = "stop.workloads"
"""The plan's step that waits until all of it is over, and refuses to stop the services before."""


class MigrationsNotInFlight(Check):
    """No instance is being migrated or resized, and no resize waits to be confirmed.

    Both hosts of a migration speak the release that it began with; a resize awaiting confirmation keeps the
    instance on two computes. The plan looks again right before the services stop.
    Source: nova upgrade guide. May go: never.
    """

    id = "migration-in-flight"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find instances whose status says so."""
        found = [instance for instance in upgrade.cloud.instances if instance.status in MOVING]
        if found:
            yield self.warning(
                f"{_named(found)} in the middle of a migration or resize",
                where="nova",
                evidence=_states(found),
                remedy="wait for its end, or abort it; openstack server resize confirm ID where one waits for"
                " that: all of it before the services stop",
                handled_by=WAITED_FOR,
            )


class InstancesAreSettled(Check):
    """No instance has a task in flight, and none is in error.

    A task whose service goes away leaves the instance in a state that only an administrator can reset; one
    that is in error already cannot be told from one that the upgrade broke. The plan waits for the end of
    tasks right before the services stop.
    Source: nova upgrade guide. May go: never.
    """

    id = "instance-unsettled"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find instances with a task, or in error; MigrationsNotInFlight speaks of those that move."""
        others = [instance for instance in upgrade.cloud.instances if instance.status not in MOVING]
        busy = [instance for instance in others if instance.task or instance.status in UNFINISHED]
        broken = [instance for instance in others if not instance.task and instance.status == "ERROR"]
        if busy:
            yield self.warning(
                f"{_named(busy)} in the middle of a task",
                where="nova",
                evidence=_states(busy),
                remedy="wait for its end; reset its state where nothing works on it any more",
                handled_by=WAITED_FOR,
            )
        if broken:
            yield self.warning(
                f"{_named(broken)} in error",
                where="nova",
                evidence=_states(broken),
                remedy="compare with libvirt; openstack server set --state active ID",
            )


class VolumesAreSettled(Check):
    """No volume is being created, moved, copied or deleted.

    The job dies with cinder-volume, and the volume keeps the state it had. The plan waits for the end of such
    jobs right before the services stop.
    Source: cinder upgrade guide. May go: never.
    """

    id = "volume-unsettled"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find volumes in a state that is meant to pass."""
        found = [
            volume
            for volume in upgrade.cloud.volumes
            if volume.status not in VOLUME_SETTLED and not volume.status.startswith("error")
        ]
        if found:
            yield self.warning(
                f"{_counted('volume', [one.name or one.id for one in found])} in a state that passes",
                where="cinder",
                evidence=listed(f"{volume.id} {volume.status}" for volume in found),
                remedy="wait for its end; reset its state where nothing works on it any more",
                handled_by=WAITED_FOR,
            )


class StacksAreSettled(Check):
    """No stack is in progress.

    An engine that stops in the middle of a stack leaves it in progress for ever. The plan waits for the end
    of such stacks right before the services stop.
    Source: heat upgrade guide. May go: never.
    """

    id = "stack-in-progress"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find stacks whose status ends so."""
        found = [stack for stack in upgrade.cloud.stacks if stack.status.endswith("IN_PROGRESS")]
        if found:
            yield self.warning(
                f"{_counted('stack', [stack.name for stack in found])} in progress",
                where="heat",
                evidence=listed(f"{stack.id} {stack.status}" for stack in found),
                remedy="wait for its end, or openstack stack cancel ID",
                handled_by=WAITED_FOR,
            )


def _named(instances: Sequence[Instance]) -> str:
    return _counted("instance", [instance.name for instance in instances])


def _counted(what: str, names: Sequence[str]) -> str:
    """Return some of the names, and how many there are: ``2 instances (a, b) are``."""
    return f"{what} {names[0]} is" if len(names) == 1 else f"{len(names):,} {what}s ({listed(names)}) are"


def _states(instances: Iterable[Instance]) -> str:
    return listed(f"{one.id} {one.status}, task {one.task or 'none'}, on {one.host}" for one in instances)
