"""One run per cloud, also of machines without a directory in common: an advisory lock in their PostgreSQL.

It is held besides the kernel's (``lock.py``), on a connection of its own, and ends with that, however its
holder dies. PostgreSQL is told to look whether a silent holder's machine is still there, so that one which
has lost its power does not hold the cloud for hours.
"""

import asyncio
import hashlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from skipstone import __version__
from skipstone.errors import RunLocked
from skipstone.run.database import REMEDY, Connections, answering, make_table, place_of, seen_of
from skipstone.run.lock import Lease

BEAT = 5.0
"""Seconds between two looks at the connection."""
SILENCE = 20
"""Seconds after which a connection that says nothing counts as lost."""
LET_GO = 3.0
"""Seconds that PostgreSQL may take to see that a process which held the cloud has died."""

HOLDERS = sa.Table(
    "skipstone_holders",
    sa.MetaData(),
    sa.Column("cloud", sa.Text, primary_key=True),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("lease", sa.JSON, nullable=False),
)
"""Who holds a cloud, or was the last to: the lock alone says whether it is held."""

_DEAD_MACHINES = (
    "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3;"
    " SET tcp_user_timeout = 20000"
)


class SharedHold:
    """A cloud that is held in the shared database."""

    def __init__(self, connections: Connections, connection: sa.Connection, database: str) -> None:
        self._connections = connections
        self._connection = connection
        self._place = place_of(database)
        self._beats = 0
        self._seen = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    @asynccontextmanager
    async def watched(self, on_lost: Callable[[str], None]) -> AsyncIterator[None]:
        """Tell ``on_lost`` why, once, where the connection is lost meanwhile, and with it the lock."""
        watch = asyncio.create_task(self._watch(on_lost))
        await asyncio.sleep(0)  # what is lost already is told before anything begins
        try:
            yield
        finally:
            watch.cancel()

    def end(self) -> None:
        """Let the cloud go."""
        self._over.set()
        self._connections.cut()
        self._thread.join(1)
        if not self._thread.is_alive():
            self._connection.invalidate()

    def _beat(self) -> None:
        while not self._over.wait(BEAT):
            try:
                self._connection.exec_driver_sql("SELECT 1")
            except SQLAlchemyError as error:
                self._seen = seen_of(error)
                return
            self._beats += 1

    async def _watch(self, on_lost: Callable[[str], None]) -> None:
        silent, beats = 0, self._beats
        while silent < SILENCE and not self._seen:
            await asyncio.sleep(1)
            silent, beats = (silent + 1 if self._beats == beats else 0), self._beats
        seen = self._seen.partition("\n")[0] or f"no answer for {SILENCE} s"
        on_lost(f"the lock that keeps other machines away is lost with {self._place} ({seen}): {REMEDY}")


@contextmanager
def hold_for_all_machines(database: str, lease: Lease) -> Iterator[SharedHold]:
    """Hold a cloud in the PostgreSQL that machines share.

    Raise RunLocked, naming the holder, where a process of another machine holds it; InputError where the
    database does not answer. Either way nothing is done yet.
    """
    connections = Connections(database)
    with answering(database):
        connection = connections.engine.connect()
        try:
            _take(connection, lease, place_of(database))
        except BaseException:
            connection.close()
            raise
    hold = SharedHold(connections, connection, database)
    try:
        yield hold
    finally:
        hold.end()


def version_of_holder(engine: sa.Engine, cloud: str) -> str | None:
    """Return which Skipstone holds a cloud; None where none does."""
    with engine.connect() as connection:
        free = sa.select(sa.func.pg_try_advisory_xact_lock_shared(_key_of(cloud)))  # let go at once
        if connection.execute(free).scalar():
            return None
        make_table(connection, HOLDERS)
        return connection.execute(sa.select(HOLDERS.c.version).where(HOLDERS.c.cloud == cloud)).scalar()


def _take(connection: sa.Connection, lease: Lease, place: str) -> None:
    connection.exec_driver_sql(_DEAD_MACHINES)
    make_table(connection, HOLDERS)
    deadline = time.monotonic() + LET_GO
    while not connection.execute(sa.select(sa.func.pg_try_advisory_lock(_key_of(lease.cloud)))).scalar():
        if time.monotonic() > deadline:
            raise _locked(connection, lease.cloud, place)
        time.sleep(0.2)
    connection.execute(sa.delete(HOLDERS).where(HOLDERS.c.cloud == lease.cloud))
    facts = {"cloud": lease.cloud, "version": __version__, "lease": asdict(lease)}
    connection.execute(sa.insert(HOLDERS).values(**facts))


def _key_of(cloud: str) -> int:
    """Return the number that PostgreSQL knows a cloud's lock by: the same on every machine."""
    return int.from_bytes(hashlib.sha256(f"skipstone:{cloud}".encode()).digest()[:8], "big", signed=True)


def _locked(connection: sa.Connection, cloud: str, place: str) -> RunLocked:
    facts = connection.execute(sa.select(HOLDERS.c.lease).where(HOLDERS.c.cloud == cloud)).scalar()
    if facts is None:
        return RunLocked(f"another machine has just taken the cloud {cloud}", remedy="try again in a moment")
    holder = Lease(**facts)
    return RunLocked(
        f"the cloud {cloud} is held by run {holder.run}, from another machine or state directory",
        where=f"{holder.who}@{holder.host}, process {holder.pid}",
        evidence=f"since {holder.since}; it has the lock in {place}",
        remedy=f"`skipstone status {holder.run}` there shows where it stands; wait for it, or stop it with"
        " Ctrl-C",
    )
