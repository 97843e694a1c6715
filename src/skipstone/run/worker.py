"""A worker: asks hosts what a run on another machine wants to know (``workers.py``)."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from dbos import DBOS
from sqlalchemy.exc import SQLAlchemyError

from skipstone import __version__
from skipstone.cloud.command import Command, Transport
from skipstone.errors import SkipstoneError
from skipstone.run.database import Connections, answering, place_of, seen_of
from skipstone.run.dbosengine import configuration
from skipstone.run.seal import Seal
from skipstone.run.workers import POLL, WORKFLOW, Registry, queue_of

HEARTBEAT = 5.0
"""Seconds between two signs of life."""

CLOCKS = 60
"""Seconds by which two machines' clocks may differ."""
LAST_ANSWERS = 60
"""Seconds for which the last answers are waited for at the end."""

SILENCE = 10
"""Seconds after which a database that says nothing counts as away."""
KEPT = 20
"""Connections to the database, however many hosts are asked at once: each is needed for a moment only."""

OnAnswer = Callable[[Command, float], None]
Say = Callable[[str], None]


async def serve(
    database: str,
    *,
    name: str,
    cloud: str,
    transport: Transport,
    at_once: int,
    stop: asyncio.Event,
    on_answer: OnAnswer,
    say: Say,
) -> None:
    """Answer questions about a cloud's hosts until ``stop``; ``name`` is this worker's, and no other's.

    What is being asked at the end is answered before this returns. Raise InputError where the database does
    not answer at the beginning; one that is away later is waited for. ``say`` hears of that, and of a run
    that is another Skipstone, whose questions are never given to this one.
    """
    loop, seal = asyncio.get_running_loop(), Seal(database)
    with answering(database):
        registry = await asyncio.to_thread(Registry, database)
    connections = Connections(database, kept=KEPT)
    DBOS(config=configuration(database, f"worker:{name}", connections.engine))

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

    presence = _Presence(database, registry, name, cloud, say)
    try:
        DBOS.listen_queues([queue_of(cloud)])
        with answering(database):
            DBOS.launch()
            await DBOS.register_queue_async(
                queue_of(cloud), worker_concurrency=at_once, polling_interval_sec=POLL
            )
        while not stop.is_set():
            await _within(SILENCE, registry, presence.show)
            await _until(stop, HEARTBEAT)
    finally:
        await _end(connections, registry, presence)


class _Presence:
    """What a worker tells of itself in the database, and what it says where that cannot be."""

    def __init__(self, database: str, registry: Registry, name: str, cloud: str, say: Say) -> None:
        self._database = database
        self._registry = registry
        self._name = name
        self._cloud = cloud
        self._say = say
        self.away = False
        self._other = ""

    def show(self) -> None:
        """Write that the worker is there, unless the database is away."""
        try:
            self._registry.note(self._name, self._cloud)
            holder = self._registry.version_of_run(self._cloud)
        except SQLAlchemyError as error:
            self._say_away(error)
            return
        if self.away:
            self._say("the database answers again")
        self.away = False
        if holder not in {None, __version__, self._other}:
            self._say(
                f"the run on {self._cloud} is Skipstone {holder}, this worker is {__version__}:"
                " it gets nothing to do from that"
            )
        self._other = holder or ""

    def forget(self) -> None:
        """Write that the worker has gone."""
        try:
            self._registry.forget(self._name)
        except SQLAlchemyError:
            self.away = True

    def _say_away(self, error: SQLAlchemyError) -> None:
        if not self.away:
            seen = seen_of(error).partition("\n")[0]
            self._say(f"{place_of(self._database)} does not answer ({seen}); waiting for it")
        self.away = True


async def _end(connections: Connections, registry: Registry, presence: _Presence) -> None:
    """Sign off and let the last answers be given; where the database is away, nobody would read them."""
    heard = await _within(SILENCE, registry, presence.forget) and not presence.away
    if not heard:
        connections.cut()
    wait = LAST_ANSWERS if heard else 0
    await asyncio.to_thread(DBOS.destroy, destroy_registry=True, workflow_completion_timeout_sec=wait)
    connections.cut()


async def _within(seconds: float, registry: Registry, ask: Callable[[], None]) -> bool:
    """Let the registry be asked in a thread, which ends in any case: what it waits for is cut off then.

    Return whether it was over in time.
    """
    try:
        async with asyncio.timeout(seconds):
            await asyncio.to_thread(ask)
    except TimeoutError:
        registry.close()
        return False
    return True


def _unreachable(what: str, evidence: str = "") -> dict[str, Any]:
    return {"unreachable": what, "evidence": evidence}


async def _until(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
