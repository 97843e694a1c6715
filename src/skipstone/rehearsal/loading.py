"""Dumps into the rehearsal's server: several at once, by a client that may do nothing but that."""

import subprocess
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Self

from skipstone.errors import InputError
from skipstone.rehearsal.dumps import Dump, reading
from skipstone.rehearsal.server import PrivateServer
from skipstone.rehearsal.statements import Content, Statements

LOADER = "loader"
"""The account that dumps are loaded by: all rights in their databases, none in the server."""

_INIT = "SET SESSION foreign_key_checks=0, unique_checks=0"

Progress = Callable[[int], None]
"""Is told how many bytes of SQL have passed, time and again."""


@dataclass(frozen=True)
class Loaded:
    """One dump that was loaded: its databases, what was left out of it (what -> how often), and seconds."""

    dump: Dump
    contents: tuple[Content, ...]
    left_out: dict[str, int]
    seconds: float


def load_all(
    server: PrivateServer, dumps: Iterable[Dump], *, at_once: int, progress: Progress = lambda _: None
) -> tuple[Loaded, ...]:
    """Load dumps, the first first; raise InputError where one cannot be, or two hold the same database."""
    server.query(f"CREATE USER {LOADER}@localhost")
    with ThreadPoolExecutor(at_once) as pool:
        running = [pool.submit(_load, server, dump, progress) for dump in dumps]
        try:
            found = tuple(one.result() for one in running)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    _expect_once(found)
    return found


def _load(server: PrivateServer, dump: Dump, progress: Progress) -> Loaded:
    began = time.monotonic()
    statements = Statements(dump.name)
    for file in dump.files:
        with reading(file) as source, _Client(server, str(file)) as client:
            for database, line in statements.lines(source):
                if database is not None:
                    _create(server, database, statements)
                client.write(line)
                progress(len(line))
        if not statements.whole:
            raise InputError(
                "the dump ends before its end",
                where=str(file),
                evidence=f"last table: {_last_table(statements.contents)}",
                remedy="it was cut off while it was made or copied: make it anew",
            )
    if not any(content.tables for content in statements.contents.values()):
        raise InputError(
            "there is no table in this dump", where=dump.where, remedy="is it SQL of MariaDB or MySQL?"
        )
    if not statements.charset:
        _follow_tables(server, statements.contents)
    seconds = time.monotonic() - began
    return Loaded(dump, tuple(statements.contents.values()), dict(statements.left_out), seconds)


def _create(server: PrivateServer, name: str, statements: Statements) -> None:
    charset = f" CHARACTER SET {statements.charset}" if statements.charset else ""
    collation = f" COLLATE {statements.collation}" if statements.collation else ""
    quoted = name.replace("`", "``")
    server.query(
        f"CREATE DATABASE IF NOT EXISTS `{quoted}`{charset}{collation};"
        f"GRANT ALL ON `{quoted}`.* TO {LOADER}@localhost"
    )


def _follow_tables(server: PrivateServer, names: Iterable[str]) -> None:
    """Give databases the collation that most of their tables have: new tables must fit them."""
    for name in names:
        found = server.query(
            f"SELECT table_collation FROM information_schema.tables WHERE table_schema = '{name}'"
            " AND table_collation IS NOT NULL GROUP BY 1 ORDER BY COUNT(*) DESC LIMIT 1"
        )
        if found:
            server.query(f"ALTER DATABASE `{name}` COLLATE {found[0][0]}")


def _last_table(contents: dict[str, Content]) -> str:
    tables = [f"{content.name}.{table}" for content in contents.values() for table in content.tables]
    return tables[-1] if tables else "none"


def _expect_once(found: tuple[Loaded, ...]) -> None:
    first: dict[str, Loaded] = {}
    for loaded in found:
        for content in loaded.contents:
            other = first.setdefault(content.name, loaded)
            if other is not loaded and content.tables:
                raise InputError(
                    f"two dumps hold the database {content.name}",
                    where=loaded.dump.where,
                    evidence=other.dump.where,
                    remedy="leave the one in the directory that is meant",
                )


class _Client:
    """A client that SQL is written to; leaving the context waits for it, and raises what it refused."""

    def __init__(self, server: PrivateServer, where: str) -> None:
        self._where = where
        own = ("--batch", "--local-infile=0", "--max-allowed-packet=1G", f"--init-command={_INIT}")
        sandbox = ("--sandbox",) if _knows_sandbox() else ()
        self._process = subprocess.Popen(
            server.client(*own, *sandbox, user=LOADER),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert self._process.stdin is not None  # noqa: S101 - for the type checker: asked for above
        assert self._process.stderr is not None  # noqa: S101 - as above
        self._input, self._complaints = self._process.stdin, self._process.stderr

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
        said = self._complaints.read().decode(errors="replace").strip()
        if self._process.wait():
            raise InputError(
                "the dump cannot be loaded",
                where=self._where,
                evidence=said[-600:],
                remedy="a newer server's dump needs a server as new: name its mariadbd with --server",
            )


@cache
def _knows_sandbox() -> bool:
    """Whether the client can be told to run no commands of the shell that its input names."""
    asked = subprocess.run(
        ("mariadb", "--no-defaults", "--sandbox", "--version"), capture_output=True, check=False
    )
    return asked.returncode == 0
