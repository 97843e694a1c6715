"""The engine on DBOS Transact (docs/adr/0001-engine.md, 0017-what-is-written-when.md).

Each process that works on a run has a workflow of its own, and ends those of dead ones. Neither steps nor how
they ended are DBOS's: a step that is asked for again answers from the journal, and nobody would read a second
record. So DBOS only keeps that this process is at work, beside the work itself, and losing it stops nothing.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from sqlalchemy.exc import SQLAlchemyError

from skipstone.errors import EngineAway
from skipstone.run.database import REMEDY, Connections, is_shared, place_of, seen_of
from skipstone.run.schedule import CarryOut, Ending, Stages, carry_out_stages

APPLICATION = "skipstone"
APPLICATION_VERSION = "plan-format-1"
"""Ours, not DBOS's hash of the code: an upgraded Skipstone goes on with runs of the same plan format."""


LAST_RECORD = 5.0
"""Seconds that DBOS has at the end to write how a sitting ended."""
KEPT = 10
"""Connections to a PostgreSQL that DBOS may have."""

Ids = list[list[str]]
"""The workflow's input: per stage, the steps' ids, for whoever reads the database."""


class _Connection(sqlite3.Connection):
    """One that does not wait for the disk: the journal does, and a workflow lost is not missed."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - sqlite3's own
        super().__init__(*arguments, **options)
        self.execute("PRAGMA synchronous = NORMAL")


def configuration(database: str, executor: str, own: sa.Engine | None = None) -> DBOSConfig:
    """Return how a process of ours uses DBOS; no two living ones may have the same ``executor``.

    ``own`` is what reaches a PostgreSQL, else DBOS's own patience does (``database.py``).
    """
    in_file = database.startswith("sqlite")
    return {
        "name": APPLICATION,
        "system_database_url": database,
        "system_database_engine": own,
        "application_version": APPLICATION_VERSION,
        "executor_id": executor,
        "serializer": DBOSPortableJSONSerializer(),
        "db_engine_kwargs": {"connect_args": {"factory": _Connection}} if in_file else {},
        "console_log_level": "CRITICAL",
        "log_level": "CRITICAL",
    }


class DbosEngine:
    """See ``Engine``. One at a time can be at work in a process, for DBOS has one registry per process."""

    def __init__(self, database: str, executor: str) -> None:
        self._database = database
        self._executor = executor

    async def drive(
        self,
        sitting: str,
        stages: Stages,
        carry_out: CarryOut,
        *,
        stopping: Callable[[], bool],
        at_once: int,
    ) -> Ending:
        """See ``Engine.drive``."""
        record = _Record(sitting)
        with self._launched(record) as workflow:
            with SetWorkflowID(sitting):
                kept = asyncio.ensure_future(workflow([[node.id for node in one.nodes] for one in stages]))
            try:
                ending = await carry_out_stages(
                    stages, lambda _: carry_out, stopping=stopping, at_once=at_once
                )
                record.end(ending)
                await asyncio.wait([kept], timeout=LAST_RECORD)
                return ending
            finally:
                _leave(kept)

    @contextmanager
    def _launched(self, record: "_Record") -> Iterator[Callable[[Ids], Any]]:
        """Give the workflow, with DBOS at work until the end; raise EngineAway where it cannot begin."""
        connections = Connections(self._database, kept=KEPT) if is_shared(self._database) else None
        own = connections.engine if connections else None
        DBOS(config=configuration(self._database, self._executor, own))
        try:

            @DBOS.workflow(name="run")
            async def run(ids: Ids) -> str:
                del ids
                return await record.told()

            DBOS.listen_queues([])  # workers' (worker.py), not ours
            try:
                DBOS.launch()
            except SQLAlchemyError as error:
                raise _away(self._database, error) from error
            yield run
        finally:
            if connections:
                connections.cut()  # nothing is asked any more, and no thread may wait for an answer
            DBOS.destroy(destroy_registry=True)


@dataclass
class _Record:
    """What DBOS writes of a sitting: that it is at work, and at its end how it ended."""

    sitting: str
    _ending: Ending | None = None
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self, ending: Ending) -> None:
        self._ending = ending
        self._over.set()

    async def told(self) -> str:
        if DBOS.workflow_id != self.sitting:
            return Ending.STOPPED  # a dead process's, which DBOS takes up again: we have its work
        await self._over.wait()
        return self._ending or Ending.STOPPED


def _leave(kept: "asyncio.Future[str]") -> None:
    """Wait no more for DBOS's record: what could not be written there is nobody's loss."""
    if kept.done() and not kept.cancelled():
        kept.exception()
    kept.cancel()


def _away(database: str, error: SQLAlchemyError) -> EngineAway:
    remedy = REMEDY if is_shared(database) else "see that the file can be written"
    return EngineAway(
        "the engine's database does not answer, so no step was begun",
        where=place_of(database),
        evidence=seen_of(error),
        remedy=f"{remedy}, then `skipstone resume`",
    )
