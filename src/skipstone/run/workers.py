"""Several machines share the work of a run: workers ask the hosts, whoever is free the next.

Journal, order and judgement stay with the process that carries the run out; a worker only runs a script on
a host and says what became of it. So a worker that dies is like a connection that is lost: nobody knows, and
the host is asked again, for its job by its name. Questions and answers pass through the engine's PostgreSQL,
sealed (``seal.py``), for what hosts print is not masked there; an answer is removed when it was read.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from dbos import DBOSClient, DBOSPortableJSONSerializer, PortableWorkflowError, WorkflowHandleAsync
from dbos._error import DBOSException
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from skipstone import __version__
from skipstone.cloud.command import OPERATOR, Command, Outcome, Result, Transport
from skipstone.cloud.model import Fact
from skipstone.errors import HostUnreachable, InputError
from skipstone.run.database import Connections, answering, make_table
from skipstone.run.seal import Seal
from skipstone.run.sharedlock import version_of_holder

WORKFLOW = "ask-host"
ALIVE = timedelta(seconds=30)
"""A worker that was not heard of for so long is dead."""
POLL = 0.05
"""Seconds between two looks for an answer, or for a question."""
PATIENCE = 15
"""Seconds beyond its deadline that a question may wait for a free worker."""
FORGET = 5
"""Seconds that taking a question back may take."""
KEPT = 5
"""Connections of a run that asks workers."""

_TABLE = sa.Table(
    "skipstone_workers",
    sa.MetaData(),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("cloud", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("seen", sa.DateTime(timezone=True), nullable=False),
    sa.Column("probe", sa.Text, nullable=False),
)


def queue_of(cloud: str) -> str:
    """Return the queue of the questions about one cloud's hosts: another cloud's may have the same names.

    Only workers of this very Skipstone look into it, whenever they were started.
    """
    return f"hosts:{__version__}:{cloud}"


class Worker(Fact):
    """One worker: where it runs, for which cloud, and which Skipstone it is.

    ``probe`` is sealed: who opens it can talk with the worker.
    """

    name: str
    cloud: str
    version: str
    seen: datetime
    probe: str


class Registry:
    """Which workers there are, as they say themselves, in a table of the engine's database."""

    def __init__(self, database: str) -> None:
        self._connections = Connections(database)
        self._engine = self._connections.engine
        make_table(self._engine, _TABLE)
        self._seal = Seal(database)

    def note(self, name: str, cloud: str) -> None:
        """Write that a worker is there, now."""
        facts = {"cloud": cloud, "version": __version__, "probe": self._seal.close({"name": name})}
        now = {"seen": sa.func.clock_timestamp()}  # the database's clock, for the machines' may differ
        row = insert(_TABLE).values(name=name, **facts, **now)
        with self._engine.connect() as connection:
            connection.execute(row.on_conflict_do_update(index_elements=["name"], set_=facts | now))

    def forget(self, name: str) -> None:
        """Write that a worker has gone."""
        with self._engine.connect() as connection:
            connection.execute(sa.delete(_TABLE).where(_TABLE.c.name == name))

    def alive(self, cloud: str) -> list[Worker]:
        """Return the workers of a cloud that were heard of lately."""
        since = sa.func.clock_timestamp() - ALIVE
        query = (
            sa.select(_TABLE).where(_TABLE.c.cloud == cloud, _TABLE.c.seen > since).order_by(_TABLE.c.name)
        )
        with self._engine.connect() as connection:
            return [Worker.model_validate(dict(row)) for row in connection.execute(query).mappings()]

    def version_of_run(self, cloud: str) -> str | None:
        """Return which Skipstone carries out a run on a cloud; None where none does."""
        return version_of_holder(self._engine, cloud)

    def close(self) -> None:
        """Cut off whoever waits for an answer in another thread."""
        self._connections.cut()


class SharedTransport:
    """A ``Transport`` that lets workers ask the hosts; the operator's own commands stay here."""

    def __init__(
        self,
        own: Transport,
        client: DBOSClient,
        connections: Connections,
        *,
        seal: Seal,
        cloud: str,
        version: str,
    ) -> None:
        self._own = own
        self._client = client
        self._connections = connections
        self._seal = seal
        self._cloud = cloud
        self._version = version
        self._alone = False

    def go_alone(self) -> None:
        """Ask the hosts from here from now on, for the database is lost; who waits for it is cut off."""
        self._alone = True
        self._connections.cut()

    async def run(self, command: Command, *, deadline: float) -> Outcome:
        """See ``Transport``; UNKNOWN too where no worker has answered in time.

        Where the database does not answer, no worker can be asked, and the host is asked from here.
        HostUnreachable too where a worker with another key was asked: it could not read the question.
        """
        if self._alone or command.host == OPERATOR:
            return await self._own.run(command, deadline=deadline)
        began = time.monotonic()
        try:
            async with asyncio.timeout(deadline + PATIENCE):
                answer = await self._ask(command, deadline)
        except SQLAlchemyError:
            return await self._own.run(command, deadline=deadline)
        except (TimeoutError, DBOSException, PortableWorkflowError) as error:
            seen = str(error) or "no worker has answered in time"
            return Outcome(Result.UNKNOWN, None, "", seen, time.monotonic() - began)
        except InputError as error:
            raise HostUnreachable(
                "a worker with another password was asked", where=command.host, evidence=error.remedy
            ) from error
        if "unreachable" in answer:
            raise HostUnreachable(answer["unreachable"], where=command.host, evidence=answer["evidence"])
        return Outcome(**answer | {"result": Result(answer["result"])})

    async def _ask(self, command: Command, deadline: float) -> dict[str, Any]:
        """Put the question into the queue and wait for its answer; leave neither behind."""
        question = {
            "command": self._seal.close(asdict(command)),
            "deadline": deadline,
            "cloud": self._cloud,
            "expires": time.time() + deadline + PATIENCE,
        }
        name = f"ask:{uuid4()}"
        try:
            handle: WorkflowHandleAsync[str] = await self._client.enqueue_async(
                {
                    "workflow_name": WORKFLOW,
                    "workflow_id": name,
                    "queue_name": queue_of(self._cloud),
                    "app_version": self._version,
                },
                question,
            )
            return self._seal.open(await handle.get_result(polling_interval_sec=POLL))
        finally:
            with suppress(DBOSException, SQLAlchemyError, TimeoutError):
                async with asyncio.timeout(FORGET):
                    await asyncio.shield(asyncio.to_thread(self._forget, name))

    def _forget(self, name: str) -> None:
        self._client.cancel_workflow(name)
        self._client.delete_workflow(name)


def fit_workers(database: str, cloud: str) -> list[Worker]:
    """Return a cloud's workers.

    Raise InputError where one is another Skipstone, or has another password, or the database does not answer.
    """
    with answering(database):
        workers = Registry(database).alive(cloud)
    others = [f"{one.name}: {one.version}" for one in workers if one.version != __version__]
    if others:
        raise InputError(
            f"workers of this cloud run another version than this Skipstone, {__version__}",
            where=cloud,
            evidence="\n".join(others),
            remedy="stop them, install this version there, and start them again; nothing was done",
        )
    if workers:
        seal = Seal(database)
        for one in workers:
            seal.open(one.probe)
    return workers


@asynccontextmanager
async def shared(own: Transport, database: str, cloud: str, version: str) -> AsyncIterator[Transport]:
    """Yield a transport that shares the work with a cloud's workers; ``own`` where there are none.

    ``version`` is the engine's application version. Raise InputError as ``fit_workers``.
    """
    workers = await asyncio.to_thread(fit_workers, database, cloud)
    if not workers:
        yield own
        return
    seal = await asyncio.to_thread(Seal, database)
    connections = Connections(database, kept=KEPT)
    client = DBOSClient(
        system_database_engine=connections.engine,
        serializer=DBOSPortableJSONSerializer(),
        lazy=True,
        retry_connection_errors=False,
    )
    try:
        yield SharedTransport(own, client, connections, seal=seal, cloud=cloud, version=version)
    finally:
        connections.cut()
        client.destroy()
