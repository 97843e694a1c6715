"""Time that never jumps: the wall clock is read once, and counted on from there.

A clock that is stepped by NTP during a run would otherwise make an outage longer, shorter or negative.
"""

import time

from skipstone.impact.sample import MICROSECONDS


class Clock:
    """Microseconds since the epoch, counted on from one reading of the wall clock."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def now(self) -> int:
        """Return microseconds since the epoch, UTC."""
        return int((time.monotonic() + self._offset) * MICROSECONDS)
