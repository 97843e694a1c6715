"""The PostgreSQL that machines share: how it is reached, and how nobody waits for it for ever.

It is the engine's and the workers', and says nothing about a run that the journal does not: so a run may lose
it at any moment. DBOS would wait for it without end, in threads that hold up the end of the process.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakSet

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError

from skipstone.errors import InputError

LIMITS = {
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
"""libpq's, where the operator's URL does not have its own: a machine that is gone is noticed in 20 s."""
REMEDY = "see that PostgreSQL runs there and lets this user in"

_GONE = ("08", "53", "57P")
"""SQLSTATEs of a server that cannot be used now: connection, resources, shutdown."""


class DatabaseAway(SQLAlchemyError):  # noqa: N818 - reads as what happened
    """The database does not answer; of no class that DBOS waits for."""


def is_shared(database: str) -> bool:
    """Return whether the engine's database is one that several machines can share."""
    return database.startswith("postgresql")


def place_of(database: str) -> str:
    """Return where a database is, as it may be shown: without its password."""
    url = sa.make_url(database)
    if not url.host:
        return f"{url.get_backend_name()}:///{url.database or ''}"
    host = url.host if url.port is None else f"{url.host}:{url.port}"
    return f"{url.get_backend_name()}://{host}/{url.database or ''}"


def seen_of(error: BaseException) -> str:
    """Return what was seen of a database that does not answer, as evidence: without SQL and its values."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return str(cause).strip() or type(cause).__name__


@contextmanager
def answering(database: str) -> Iterator[None]:
    """Raise InputError where the database does not answer: for what comes before anything is done."""
    try:
        yield
    except SQLAlchemyError as error:
        raise InputError(
            "the engine's database cannot be used; nothing was begun",
            where=place_of(database),
            evidence=seen_of(error),
            remedy=f"{REMEDY}; SKIPSTONE_DATABASE_URL names it",
        ) from error


class Connections:
    """One process's connections to a PostgreSQL, through ``engine``; they can be cut at any moment.

    Where the server does not answer, DatabaseAway is raised at once. Up to ``kept`` stay open; with none,
    each use has a connection of its own, whose statements need no commit.
    """

    def __init__(self, database: str, *, kept: int = 0) -> None:
        self.engine = sa.create_engine(_url_of(database), **(_pool(kept) if kept else _NO_POOL))
        self._open: WeakSet[psycopg.Connection[Any]] = WeakSet()
        sa.event.listen(self.engine, "connect", lambda connection, _: self._open.add(connection))
        sa.event.listen(self.engine, "handle_error", _say_away)

    def cut(self) -> None:
        """End all connections; threads that wait for an answer on them get DatabaseAway instead."""
        for connection in list(self._open):
            with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as line:
                line.shutdown(socket.SHUT_RDWR)
        self.engine.dispose()


def make_table(at: sa.Engine | sa.Connection, table: sa.Table) -> None:
    """Make a table of ours where there is none."""
    try:
        table.metadata.create_all(at)
    except (IntegrityError, ProgrammingError):
        if not sa.inspect(at).has_table(table.name):
            raise  # else another process has made it at the same moment


_NO_POOL: dict[str, Any] = {"poolclass": sa.NullPool, "isolation_level": "AUTOCOMMIT"}


def _pool(kept: int) -> dict[str, Any]:
    return {"pool_size": kept, "max_overflow": 0, "pool_timeout": 30, "pool_pre_ping": True}


def _url_of(database: str) -> sa.URL:
    url = sa.make_url(database).set(drivername="postgresql+psycopg")
    return url.update_query_dict({name: value for name, value in LIMITS.items() if name not in url.query})


def _say_away(context: sa.engine.ExceptionContext) -> None:
    error = context.original_exception
    if context.is_pre_ping or not isinstance(error, psycopg.OperationalError):
        return
    if context.is_disconnect or not error.sqlstate or error.sqlstate.startswith(_GONE):
        raise DatabaseAway(str(error).strip()) from error
