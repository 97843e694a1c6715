"""Who is told how a rehearsal goes on."""

from skipstone.rehearsal.fastforward import Move
from skipstone.rehearsal.report import Phase


class Watcher:
    """Hears how a rehearsal goes on; this one looks away."""

    def phase(self, phase: Phase, total: int = 0) -> None:
        """Hear that a phase begins, and how much there is to do: bytes of dumps, toolchains, or commands."""

    def advance(self, amount: int = 1) -> None:
        """Hear how much more of the phase is done."""

    def move(self, move: Move) -> None:
        """Hear which command begins."""
