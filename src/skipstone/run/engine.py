"""The engine: drives the schedule of a run. The door is one method, so that the engine stays replaceable.

What is known about a run is in its journal, not in the engine.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Protocol

from skipstone.run.schedule import CarryOut, Ending, Stages


class Engine(Protocol):
    """Drives the carrying out of stages."""

    async def drive(
        self,
        sitting: str,
        stages: Stages,
        carry_out: CarryOut,
        *,
        stopping: Callable[[], bool],
        at_once: int,
    ) -> Ending:
        """Carry out the stages and say how that ended; raise what ``carry_out`` raises.

        Raise EngineAway, before any step, where the engine cannot begin; being lost later stops nothing.
        ``sitting`` names this process's work on the run, and was never used before. Cancelling this
        cancels what runs in this process; jobs on hosts go on.
        """
        ...


def open_engine(database: str, executor: str) -> Engine:
    """Return the engine; ``database`` is SQLAlchemy's URL of its own database.

    ``executor`` is the same for every process that works on a run, of which the cloud's lock lets one live.
    """
    from skipstone.run.dbosengine import DbosEngine  # noqa: PLC0415 - takes a second to import

    return DbosEngine(database, executor)


def sqlite_url(path: Path) -> str:
    """Return the URL of an engine's database in a file, which is created if need be.

    Write-ahead logging makes a step a fifth cheaper; the mode stays with the file.
    """
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA journal_mode = WAL")
    path.chmod(0o600)
    return f"sqlite:///{path}"
