"""A worker: asks hosts what a run on another machine wants to know (``workers.py``)."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from dbos import DBOS, DBOSPortableJSONSerializer

from skipstone.cloud.command import Command, Transport
from skipstone.errors import HostUnreachable
from skipstone.run.dbosengine import APPLICATION, APPLICATION_VERSION
from skipstone.run.workers import POLL, QUEUE, WORKFLOW, Registry

HEARTBEAT = 5.0
"""Seconds between two signs of life."""

LAST_ANSWERS = 60
"""Seconds for which the last answers are waited for at the end."""

OnAnswer = Callable[[Command, float], None]


async def serve(
    database: str,
    *,
    name: str,
    cloud: str,
    transport: Transport,
    at_once: int,
    stop: asyncio.Event,
    on_answer: OnAnswer,
) -> None:
    """Answer questions about a cloud's hosts until ``stop``; ``name`` is this worker's, and no other's.

    What is being asked at the end is answered before this returns.
    """
    loop = asyncio.get_running_loop()
    registry = await asyncio.to_thread(Registry, database)
    DBOS(
        config={
            "name": APPLICATION,
            "system_database_url": database,
            "application_version": APPLICATION_VERSION,
            "executor_id": f"worker:{name}",
            "serializer": DBOSPortableJSONSerializer(),
            "console_log_level": "CRITICAL",
            "log_level": "CRITICAL",
        }
    )

    @DBOS.workflow(name=WORKFLOW)
    async def ask(question: dict[str, Any]) -> dict[str, Any]:
        command = Command(question["host"], question["script"])
        # DBOS has a loop of its own; the connections belong to ours
        asked = asyncio.run_coroutine_threadsafe(transport.run(command, deadline=question["deadline"]), loop)
        try:
            outcome = await asyncio.wrap_future(asked)
        except HostUnreachable as error:
            return {"unreachable": str(error), "evidence": error.evidence}
        on_answer(command, outcome.seconds)
        return asdict(outcome) | {"result": outcome.result.value}

    try:
        DBOS.listen_queues([QUEUE])
        DBOS.launch()
        await DBOS.register_queue_async(QUEUE, worker_concurrency=at_once, polling_interval_sec=POLL)
        while not stop.is_set():
            await asyncio.to_thread(registry.note, name, cloud)
            await _until(stop, HEARTBEAT)
    finally:
        await asyncio.to_thread(registry.forget, name)
        await asyncio.to_thread(
            DBOS.destroy, destroy_registry=True, workflow_completion_timeout_sec=LAST_ANSWERS
        )


async def _until(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
