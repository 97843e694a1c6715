"""What was tried to move one instance and came to nothing, and when that is enough."""

from collections.abc import Callable
from dataclasses import dataclass, field

STUCK = 2
"""How often a migration that got stuck is tried, each time on another host."""

REFUSALS = 5
"""How many hosts are tried that come to nothing for other reasons."""

SEARCH = 20
"""How many hosts are tried in all: one that nova's scheduler finds unfit does not count otherwise while
there are some left that it should take as the instance's own."""

_UNFIT = "no valid host"
"""Nova's words where its scheduler finds a host unfit, in every release."""


@dataclass
class Tries:
    """The tries of one instance: their ``hosts``, and why each came to nothing.

    ``unfit`` says that one did by nova's scheduler.
    """

    hosts: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    unfit: bool = False
    _stuck: int = 0
    _counted: int = 0

    def add(self, host: str, reason: str, *, stuck: bool, likely: Callable[[], bool]) -> None:
        """Write a try down; ``likely`` says whether there is a host left that the scheduler should take."""
        self.hosts.add(host)
        self.failures.append(f"to {host}: {reason}")
        self._stuck += stuck
        unfit = _UNFIT in reason.lower()
        self.unfit |= unfit
        self._counted += not (unfit and likely())

    @property
    def enough(self) -> bool:
        """Whether no other host is to be tried."""
        return self._stuck >= STUCK or self._counted >= REFUSALS or len(self.failures) >= SEARCH
