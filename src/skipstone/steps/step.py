"""A step: the smallest resumable action, as data.

A step is pure: it holds parameters and renders shell scripts from them, the same each time. Nothing here
opens a connection. The engine runs ``apply`` as a detached job named after run, step and attempt; a person
can run the very same text by hand from the runbook.
"""

from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import ClassVar, Self

from pydantic import Field

from skipstone.cloud.command import Command
from skipstone.cloud.model import Fact


class Impact(StrEnum):
    """What users feel while a step runs, the worst last."""

    NONE = "none"
    WRITES_REFUSED = "writes-refused"
    API_DOWN = "api-down"
    INSTANCES_BLIP = "instances-blip"


class Reversibility(StrEnum):
    """How a step is undone: by its own ``revert``, by restoring a backup, or not at all."""

    EXACT = "exact"
    FROM_BACKUP = "from-backup"
    NONE = "none"


def is_empty(value: object) -> bool:
    """Say whether a field is left out of plans: those of before it was there keep their digest."""
    return not value


class Step(Fact):
    """Base of every step; a subclass adds its parameters and a ``kind`` literal.

    ``needs`` are ids of steps of the same stage that come first (stages are one after the other).
    ``deadline`` and ``estimate`` are seconds. ``transient`` says that a failure may pass by itself, so that
    the engine may try again with back-off: never true of a step that migrates a database. A step that only
    ``looks`` changes nothing: a run may go on without it where a person asks for that. ``undone_anyway`` says
    that ``revert`` is run even where the host is brought back whole, for the sake of hosts undone before it.
    One that is ``pausable`` stops where it is, and exits with ExitCode.PAUSED, where a file asks its job to
    (``run/job.py``); what it has done by then stays, and another attempt goes on.
    ``group`` names what begins with the first step of that group and ends with its last: a host that is down
    for so long, wherever its steps run.
    """

    looks: ClassVar[bool] = False
    undone_anyway: ClassVar[bool] = False
    pausable: ClassVar[bool] = False

    id: str
    title: str
    host: str
    needs: tuple[str, ...] = ()
    group: str = Field("", exclude_if=is_empty)
    deadline: int
    estimate: int
    impact: Impact = Impact.NONE
    reversibility: Reversibility = Reversibility.EXACT
    transient: bool = False

    def is_done(self) -> Command | None:
        """Return a read-only script that exits 0 when there is nothing left to do, or None."""
        return None

    def apply(self) -> Command:
        """Return the script that does it; exit 0 means done."""
        raise NotImplementedError

    def verify(self) -> Command | None:
        """Return a read-only script that exits 0 when the step's effect can be seen, or None."""
        return None

    def reset(self) -> Command | None:
        """Return the script that goes before any further attempt, or None where apply can just be repeated.

        A database migration comes back to the dump here: a half-migrated schema is never migrated again.
        """
        return None

    def revert(self) -> Command | None:
        """Return the script that undoes it exactly, or None where only a backup helps or nothing does."""
        return None

    def revert_rest(self) -> Command | None:
        """Return the script that ends what ``revert`` has begun, or None where that leaves nothing to do.

        It runs as soon as the APIs answer again: users need not wait for what is in it.
        """
        return None

    def intact(self) -> Command | None:
        """Return a read-only script that exits 0 while ``revert`` has all that it needs, or None."""
        return None

    def holds(self) -> tuple[str, ...]:
        """Return the hosts that ``revert`` brings back whole: nothing done there later needs more undoing."""
        return ()

    def diagnose(self) -> Command | None:
        """Return a read-only script whose output helps to understand why the step failed, or None."""
        return None

    def shows(self) -> str:
        """Return what a person should read of it beside its commands, or nothing."""
        return ""

    def without(self, hosts: AbstractSet[str]) -> Self:
        """Return the step as it is right once these hosts are lost: one that asks for all leaves them out."""
        del hosts
        return self

    def on_host(self, script: str) -> Command:
        """Return a command for this step's host; ``set -eu`` is put before the script."""
        return Command(self.host, "set -eu\n" + script.strip() + "\n")
