"""Questions about what users run: nothing may be halfway when the services go down."""

from collections.abc import Iterator

from skipstone.checks.check import Check, Upgrade
from skipstone.checks.finding import Finding

MOVING = frozenset({"MIGRATING", "RESIZE", "VERIFY_RESIZE", "REVERT_RESIZE"})
UNFINISHED = frozenset({"BUILD", "REBUILD", "PASSWORD", "REBOOT", "HARD_REBOOT"})
VOLUME_SETTLED = frozenset({"available", "in-use", "reserved", "error", "maintenance"})


class MigrationsNotInFlight(Check):
    """No instance is being migrated or resized, and no resize waits to be confirmed.

    Both hosts of a migration speak the release that it began with; a resize awaiting confirmation keeps the
    instance on two computes.
    Source: nova upgrade guide. May go: never.
    """

    id = "migration-in-flight"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find instances whose status says so."""
        for instance in upgrade.cloud.instances:
            if instance.status in MOVING:
                yield self.inhibitor(
                    f"instance {instance.name} is in the middle of a migration or resize",
                    where=instance.host or "",
                    evidence=f"{instance.id} {instance.status}, task {instance.task or 'none'}",
                    remedy=f"openstack server resize confirm {instance.id}"
                    if instance.status == "VERIFY_RESIZE"
                    else "wait for its end, or abort it",
                )


class InstancesAreSettled(Check):
    """No instance has a task in flight, and none is in error.

    A task whose service goes away leaves the instance in a state that only an administrator can reset; one
    that is in error already cannot be told from one that the upgrade broke.
    Source: nova upgrade guide. May go: never.
    """

    id = "instance-unsettled"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find instances with a task, or in error."""
        for instance in upgrade.cloud.instances:
            evidence = f"{instance.id} {instance.status}, task {instance.task or 'none'}"
            if instance.status in MOVING:
                continue  # MigrationsNotInFlight speaks of these
            if instance.task or instance.status in UNFINISHED:
                yield self.inhibitor(
                    f"instance {instance.name} has a task in flight",
                    where=instance.host or "",
                    evidence=evidence,
                    remedy="wait for its end; reset its state where nothing works on it any more",
                )
            elif instance.status == "ERROR":
                yield self.warning(
                    f"instance {instance.name} is in error",
                    where=instance.host or "",
                    evidence=evidence,
                    remedy=f"compare with libvirt; openstack server set --state active {instance.id}",
                )


class VolumesAreSettled(Check):
    """No volume is being created, moved, copied or deleted.

    The job dies with cinder-volume, and the volume keeps the state it had.
    Source: cinder upgrade guide. May go: never.
    """

    id = "volume-unsettled"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find volumes in a state that is meant to pass."""
        for volume in upgrade.cloud.volumes:
            if volume.status not in VOLUME_SETTLED and not volume.status.startswith("error"):
                yield self.inhibitor(
                    f"volume {volume.name or volume.id} is {volume.status}",
                    where="cinder",
                    evidence=f"{volume.id} {volume.status}",
                    remedy="wait for its end; reset its state where nothing works on it any more",
                )


class StacksAreSettled(Check):
    """No stack is in progress.

    An engine that stops in the middle of a stack leaves it in progress for ever.
    Source: heat upgrade guide. May go: never.
    """

    id = "stack-in-progress"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find stacks whose status ends so."""
        for stack in upgrade.cloud.stacks:
            if stack.status.endswith("IN_PROGRESS"):
                yield self.inhibitor(
                    f"stack {stack.name} is in progress",
                    where="heat",
                    evidence=f"{stack.id} {stack.status}",
                    remedy=f"wait for its end, or openstack stack cancel {stack.id}",
                )
