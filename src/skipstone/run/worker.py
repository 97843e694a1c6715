"""A worker: asks hosts what a run on another machine wants to know (``workers.py``)."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from dbos import DBOS
from sqlalchemy.exc import OperationalError

from skipstone.cloud.command import Command, Transport
from skipstone.errors import SkipstoneError
from skipstone.run.dbosengine import configuration
from skipstone.run.seal import Seal
from skipstone.run.workers import POLL, WORKFLOW, Registry, queue_of

HEARTBEAT = 5.0
"""Seconds between two signs of life."""

CLOCKS = 60
"""Seconds by which two machines' clocks may differ."""
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
    loop, seal = asyncio.get_running_loop(), Seal(database)
    registry = await asyncio.to_thread(Registry, database)
    DBOS(config=configuration(database, f"worker:{name}"))

    @DBOS.workflow(name=WORKFLOW)
    async def ask(question: dict[str, Any]) -> str:
        return seal.close(await answer(question))

    async def answer(question: dict[str, Any]) -> dict[str, Any]:
        if question["cloud"] != cloud or time.time() > question["expires"] + CLOCKS:
            return _unreachable("this worker is another cloud's, or was asked too long ago")
        try:
            command = Command(**seal.open(question["command"]))
        except SkipstoneError as error:
            return _unreachable(str(error), error.remedy)
        # DBOS has a loop of its own; the connections belong to ours
        asked = asyncio.run_coroutine_threadsafe(transport.run(command, deadline=question["deadline"]), loop)
        try:
            outcome = await asyncio.wrap_future(asked)
            on_answer(command, outcome.seconds)
        except SkipstoneError as error:
            return _unreachable(str(error), error.evidence)
        return asdict(outcome) | {"result": outcome.result.value}

    try:
        DBOS.listen_queues([queue_of(cloud)])
        DBOS.launch()
        await DBOS.register_queue_async(
            queue_of(cloud), worker_concurrency=at_once, polling_interval_sec=POLL
        )
        while not stop.is_set():
            with suppress(OperationalError):  # a database that restarts: DBOS waits for it too
                await asyncio.to_thread(registry.note, name, cloud)
            await _until(stop, HEARTBEAT)
    finally:
        with suppress(OperationalError):
            await asyncio.to_thread(registry.forget, name)
        await asyncio.to_thread(
            DBOS.destroy, destroy_registry=True, workflow_completion_timeout_sec=LAST_ANSWERS
        )


def _unreachable(what: str, evidence: str = "") -> dict[str, Any]:
    return {"unreachable": what, "evidence": evidence}


async def _until(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
