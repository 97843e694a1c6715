"""The clients that SQL is written to: they may do nothing outside of the dump's databases."""

import os
import re
import subprocess
from contextlib import ExitStack, suppress
from functools import cache
from tempfile import TemporaryFile
from types import TracebackType
from typing import Self

from skipstone.errors import InputError
from skipstone.rehearsal.server import PrivateServer

LOADER = "loader"
"""The account that dumps are loaded by: all rights in their databases, none in the server."""

_INIT = "SET SESSION foreign_key_checks=0, unique_checks=0"

FULL = re.compile(r"No space left|is full|Errcode: 28|errno: 28")
"""What the server says where the disk is full."""

ROWS = b"INSERT INTO "
SESSION = re.compile(rb"(/\*!\d+ )?SET |USE ")
"""Lines that hold for all that follow: every client needs them."""

LOCK = re.compile(rb"(UN)?LOCK TABLES")

LARGE = 8 << 20
"""Bytes of rows from which on a table is shared: starting a client takes as long as some of them."""

AT_ONCE = min(4, os.cpu_count() or 1)
"""Clients that share a table: the server works for each of them on one core."""


class Clients:
    """Clients that share the rows of large tables, statement by statement; written to as if they were one.

    Leaving the context waits for all of them, and raises what one of them refused.
    """

    def __init__(self, server: PrivateServer, where: str) -> None:
        self._server, self._where = server, where
        self._first = Client(server, where)
        self._others: list[Client] = []
        self._crew = ExitStack()
        self._now = self._first
        self._session: list[bytes] = []
        self._open = False
        self._statements = self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._join()
            self._crew.__exit__(kind, error, trace)
        finally:
            self._first.__exit__(kind, error, trace)

    def write(self, line: bytes) -> None:
        """Pass a line on; raise InputError where a client has ended."""
        if not self._open:
            self._begin(line)
        if self._now is self._first and LOCK.match(line):
            return  # it would keep the others out, and nobody else is here
        self._open = (self._open or line.startswith(ROWS)) and not line.rstrip().endswith(b";")
        self._size += len(line)
        self._now.write(line)

    def _begin(self, line: bytes) -> None:
        """Choose who gets the statement that begins with this line."""
        if not line.startswith(ROWS):
            if line.strip():
                self._join()
            if SESSION.match(line):
                self._session.append(line)
            return
        if self._size > LARGE and self._statements > 1 and not self._others:
            # the first client has read two statements, so the table is there; a transaction that has filled
            # an empty table holds all of it (MDEV-515), so it has to end
            self._first.write(b"COMMIT;\n")
            self._others = [self._crew.enter_context(self._another()) for _ in range(AT_ONCE - 1)]
        crew = [self._first, *self._others]
        self._now = crew[self._statements % len(crew)]
        self._statements += 1

    def _another(self) -> "Client":
        client = Client(self._server, self._where)
        for line in self._session:
            client.write(line)
        return client

    def _join(self) -> None:
        """Wait for the others: what follows may be a trigger, which must not act on these rows."""
        others, self._others, self._now = self._others, [], self._first
        self._statements = self._size = 0
        for client in others:
            client.write(b"COMMIT;\n")
        self._crew.close()


class Client:
    """A client that SQL is written to; leaving the context waits for it, and raises what it refused."""

    def __init__(self, server: PrivateServer, where: str) -> None:
        self._server, self._where = server, where
        own = ("--batch", "--local-infile=0", "--max-allowed-packet=1G", f"--init-command={_INIT}")
        sandbox = ("--sandbox",) if _knows_sandbox() else ()
        # no pipe: it repeats the whole statement that was refused, and would wait for a reader meanwhile
        self._complaints = TemporaryFile()  # noqa: SIM115 - closed with the client
        self._process = subprocess.Popen(
            server.client(*own, *sandbox, user=LOADER),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._complaints,
        )
        assert self._process.stdin is not None  # noqa: S101 - for the type checker: asked for above
        self._input = self._process.stdin

    def __enter__(self) -> Self:
        return self

    def write(self, line: bytes) -> None:
        """Pass a line on; raise InputError where the client has ended."""
        try:
            self._input.write(line)
        except BrokenPipeError:
            self._expect_done()
            raise

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._process.kill()
        with suppress(BrokenPipeError):
            self._input.close()
        with self._complaints:
            if kind is None:
                self._expect_done()
            self._process.wait()

    def _expect_done(self) -> None:
        if self._process.wait():
            self._complaints.seek(0)
            said = self._complaints.read().decode(errors="replace").strip()
            # the statement itself may hold what nobody shall see
            errors = [line for line in said.splitlines() if line.startswith("ERROR")]
            raise InputError(
                "the dump cannot be loaded",
                where=self._where,
                evidence="\n".join(errors)[-600:] or said[-600:],
                remedy=remedy_of(said, self._server),
            )


def remedy_of(said: str, server: PrivateServer) -> str:
    """Return what to do about what the server says of a dump."""
    if FULL.search(said):
        return f"make room in {server.directory.parent}, or name another directory with --directory"
    if re.search(r"ERROR (1115|1273) ", said):  # no such character set, no such collation
        return "a newer server's dump needs a server as new: name its mariadbd with --server"
    return (
        "look at that line of the dump: was it written by mariadb-dump or mysqldump, and changed by nobody?"
    )


@cache
def _knows_sandbox() -> bool:
    """Whether the client can be told to run no commands of the shell that its input names."""
    asked = subprocess.run(
        ("mariadb", "--no-defaults", "--sandbox", "--version"), capture_output=True, check=False
    )
    return asked.returncode == 0
