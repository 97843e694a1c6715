"""Time that passes only where somebody waits for it: a schedule of days is carried out in milliseconds."""

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

BEGINNING = datetime(2026, 3, 2, 12, tzinfo=UTC)


class _Selector(selectors.SelectSelector):
    """One that does not wait: it lets the time pass."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everybody waits for ever"
        self.now += timeout
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.passing = _Selector()
        super().__init__(self.passing)

    def time(self) -> float:
        return self.passing.now


def now() -> datetime:
    """Return what time it is in the simulation."""
    return BEGINNING + timedelta(seconds=asyncio.get_running_loop().time())


def simulate(work: Coroutine[Any, Any, Any]) -> Any:
    """Carry out in simulated time."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(work)
