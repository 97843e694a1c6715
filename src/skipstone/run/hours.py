"""Maintenance windows of a run: outside of them no host begins, and the run waits, safely and visibly."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from skipstone.plan.window import Window, opening
from skipstone.run.journal import Journal
from skipstone.run.state import Kind

PAUSE = 0.5
"""Seconds between two looks whether the window is open, or a stop was asked for."""


def utc_now() -> datetime:
    """Return what time it is."""
    return datetime.now(UTC)


class MaintenanceHours:
    """See ``Hours``: a host begins where a window is open until it is expected to be done."""

    def __init__(self, windows: tuple[Window, ...], journal: Journal) -> None:
        self._windows = windows
        self._journal = journal

    def wait(self, seconds: int) -> float:
        """See ``Hours.wait``."""
        now = utc_now()
        return (opening(self._windows, now, seconds) - now).total_seconds()

    async def rest(self, seconds: float, stopping: Callable[[], bool]) -> None:
        """See ``Hours.rest``: the journal says until when, and why."""
        until = utc_now() + timedelta(seconds=seconds)
        windows = ", ".join(map(str, self._windows))
        self._journal.append(
            Kind.WINDOW_CLOSED,
            until=until.isoformat(timespec="seconds"),
            reason=f"no host begins before {until:%Y-%m-%d %H:%M} UTC: maintenance window {windows}",
        )
        while not stopping() and (left := (until - utc_now()).total_seconds()) > 0:  # noqa: ASYNC110 - clock
            await asyncio.sleep(min(PAUSE, left))
        if not stopping():
            self._journal.append(Kind.WINDOW_OPENED)
