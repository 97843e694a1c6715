"""The engine on DBOS Transact (docs/adr/0001-engine.md, 0017-what-is-written-when.md).

Each process that works on a run has a workflow of its own, and ends those of dead ones. Steps are not DBOS's:
one that is asked for again answers from the journal, and nobody would read a second record.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID

from skipstone.run.schedule import CarryOut, Ending, Stages, carry_out_stages
from skipstone.run.state import StepState

APPLICATION = "skipstone"
APPLICATION_VERSION = "plan-format-1"
"""Ours, not DBOS's hash of the code: an upgraded Skipstone goes on with runs of the same plan format."""


Ids = list[list[str]]
"""The workflow's input: per stage, the steps' ids, for whoever reads the database."""


class _Connection(sqlite3.Connection):
    """One that does not wait for the disk: the journal does, and a workflow lost is not missed."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - sqlite3's own
        super().__init__(*arguments, **options)
        self.execute("PRAGMA synchronous = NORMAL")


def configuration(database: str, executor: str) -> DBOSConfig:
    """Return how a process of ours uses DBOS; no two living ones may have the same ``executor``."""
    in_file = database.startswith("sqlite")
    return {
        "name": APPLICATION,
        "system_database_url": database,
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
        work = _Work(sitting, stages, carry_out, stopping, at_once)
        ids = [[node.id for node in stage.nodes] for stage in stages]
        with self._launched(work) as workflow, SetWorkflowID(sitting):
            try:
                return Ending(await workflow(ids))
            except Exception:
                if work.failure is not None:
                    raise work.failure from None
                raise

    @contextmanager
    def _launched(self, work: "_Work") -> Iterator[Callable[[Ids], Any]]:
        """Give the workflow, with DBOS at work until the end."""
        DBOS(config=configuration(self._database, self._executor))
        try:

            @DBOS.workflow(name="run")
            async def run(ids: Ids) -> str:
                del ids
                return await work.run()

            DBOS.listen_queues([])  # workers' (worker.py), not ours
            DBOS.launch()
            yield run
        finally:
            DBOS.destroy(destroy_registry=True)


@dataclass
class _Work:
    """What the workflow does in this process; ``failure`` is the error that ended it, as it was raised."""

    sitting: str
    stages: Stages
    carry_out: CarryOut
    stopping: Callable[[], bool]
    at_once: int
    failure: Exception | None = None

    async def run(self) -> Ending:
        if DBOS.workflow_id != self.sitting:
            return Ending.STOPPED  # a dead process's, which DBOS takes up again: we have its work
        return await carry_out_stages(
            self.stages, lambda _: self.step, stopping=self.stopping, at_once=self.at_once
        )

    async def step(self, name: str) -> StepState:
        try:
            return await self.carry_out(name)
        except Exception as error:
            self.failure = self.failure or error  # DBOS keeps errors as JSON, so the original stays here
            raise
