"""Undoing: the way back that was written down before a step acted."""

from typing import Literal

from skipstone.cloud.command import Command
from skipstone.steps.step import Step


class Revert(Step):
    """Undo step ``of``, with the ``script`` that the journal of its run has kept."""

    kind: Literal["revert"] = "revert"
    of: str
    script: str

    def apply(self) -> Command:
        """Return the script as it was written down."""
        return Command(self.host, self.script)
