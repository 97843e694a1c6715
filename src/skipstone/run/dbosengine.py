"""The engine on DBOS Transact (docs/adr/0001-engine.md).

The workflow carries step ids and endings only, and a step that is asked for again answers from the journal.
So each process that works on a run starts a workflow of its own, and ends those of dead ones.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID

from skipstone.run.schedule import CarryOut, Ending, Node, Stages, carry_out_stages
from skipstone.run.state import StepState

APPLICATION = "skipstone"
APPLICATION_VERSION = "plan-format-1"
"""Ours, not DBOS's hash of the code: an upgraded Skipstone goes on with runs of the same plan format."""


PlanOfIds = list[list[dict[str, Any]]]
"""The workflow's input: per stage, the steps' ids, needs and lanes."""


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
        work = _Work(sitting, carry_out, stopping, at_once)
        plan = [[asdict(node) for node in stage] for stage in stages]
        with self._launched(work) as workflow, SetWorkflowID(sitting):
            try:
                return Ending(await workflow(plan))
            except Exception:
                if work.failure is not None:
                    raise work.failure from None
                raise

    @contextmanager
    def _launched(self, work: "_Work") -> Iterator[Callable[[PlanOfIds], Any]]:
        """Give the workflow, with DBOS at work until the end."""
        DBOS(config=configuration(self._database, self._executor))
        try:

            @DBOS.workflow(name="run")
            async def run(plan: PlanOfIds) -> str:
                return await work.run(plan)

            DBOS.listen_queues([])  # workers' (worker.py), not ours
            DBOS.launch()
            yield run
        finally:
            DBOS.destroy(destroy_registry=True)


@dataclass
class _Work:
    """What the workflow does in this process; ``failure`` is the error that ended it, as it was raised."""

    sitting: str
    carry_out: CarryOut
    stopping: Callable[[], bool]
    at_once: int
    failure: Exception | None = None

    async def run(self, plan: PlanOfIds) -> Ending:
        if DBOS.workflow_id != self.sitting:
            return Ending.STOPPED  # a dead process's, which DBOS takes up again: we have its work
        stages = [
            [
                Node(node["id"], tuple(node["needs"]), tuple((lane, limit) for lane, limit in node["lanes"]))
                for node in stage
            ]
            for stage in plan
        ]
        return await carry_out_stages(stages, self.on_stage, stopping=self.stopping, at_once=self.at_once)

    def on_stage(self, stage: Sequence[Node]) -> CarryOut:
        # in plan order: ids drawn in the order of completion would break a replay (DBOSUnexpectedStepError)
        slots = {node.id: DBOS.reserve_step() for node in stage}

        async def carry_out(name: str) -> StepState:
            return StepState(await slots[name].run_async({"name": name}, self.step, name))

        return carry_out

    async def step(self, name: str) -> StepState:
        try:
            return await self.carry_out(name)
        except Exception as error:
            self.failure = self.failure or error  # DBOS keeps errors as JSON, so the original stays here
            raise
