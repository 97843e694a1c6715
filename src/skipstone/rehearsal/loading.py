"""Dumps into the rehearsal's server: several at once, by a client that may do nothing but that."""

import time
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from skipstone.errors import InputError, SkipstoneError
from skipstone.rehearsal.clients import LOADER, Clients, remedy_of
from skipstone.rehearsal.dumps import Dump, reading
from skipstone.rehearsal.server import PrivateServer
from skipstone.rehearsal.statements import Content, Statements

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
    claims = _Claims()
    with ThreadPoolExecutor(at_once) as pool:
        running = [pool.submit(_load, server, dump, claims, progress) for dump in dumps]
        try:
            return tuple(one.result() for one in running)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


class _Claims:
    """Which dump each database is of: the first that makes a table in it."""

    def __init__(self) -> None:
        self._dumps: dict[str, Dump] = {}
        self._lock = Lock()

    def claim(self, database: str, dump: Dump) -> None:
        """Raise InputError where the database is another dump's, before both have mixed in it."""
        with self._lock:
            other = self._dumps.setdefault(database, dump)
        if other is not dump:
            raise InputError(
                f"two dumps hold the database {database}",
                where=dump.where,
                evidence=other.where,
                remedy="leave the one in the directory that is meant",
            )


def _load(server: PrivateServer, dump: Dump, claims: _Claims, progress: Progress) -> Loaded:
    began = time.monotonic()
    statements = Statements(dump.name, on_table=lambda database: claims.claim(database, dump))
    for file in dump.files:
        _expect_sql(file)
        with reading(file) as source, _whole(file, statements), Clients(server, str(file)) as clients:
            for database, line in statements.lines(source):
                if database is not None:
                    _create(server, database, statements, file)
                clients.write(line)
                progress(len(line))
    if not any(content.tables for content in statements.contents.values()):
        raise InputError(
            "there is no table in this dump", where=dump.where, remedy="is it SQL of MariaDB or MySQL?"
        )
    if not statements.charset:
        _follow_tables(server, statements.contents)
    elif len(dump.files) > 1:
        _follow_creation(server, dump.name, statements)
    seconds = time.monotonic() - began
    return Loaded(dump, tuple(statements.contents.values()), dict(statements.left_out), seconds)


@contextmanager
def _whole(file: Path, statements: Statements) -> Iterator[None]:
    """Raise InputError where a file was read to its end, and its dump has not come to its own.

    What the server then refuses is half a statement, and says nothing of the cause.
    """
    said = ""
    try:
        yield
    except InputError as error:
        if not statements.over or statements.whole:
            raise
        said = f"; {error.evidence}"
    if not statements.whole:
        raise InputError(
            "the dump ends before its end",
            where=str(file),
            evidence=f"last table: {_last_table(statements.contents)}{said}",
            remedy="it was cut off while it was made or copied: make it anew",
        )


def _expect_sql(file: Path) -> None:
    """Raise InputError where a plain file begins as no SQL does."""
    with file.open("rb") as opened:
        begin = opened.read(2)
    if file.suffix == ".sql" and begin in (BOM_UTF16_LE, BOM_UTF16_BE):
        raise InputError(
            "the dump is in UTF-16, and not as the server wrote it",
            where=str(file),
            remedy="some shells recode what they redirect: write it with --result-file",
        )


def _create(server: PrivateServer, name: str, statements: Statements, file: Path) -> None:
    try:
        server.query(f"CREATE DATABASE IF NOT EXISTS {_quoted(name)}{_characters(statements)}")
    except SkipstoneError as error:
        raise InputError(
            f"the database {name} of this dump cannot be made",
            where=str(file),
            evidence=error.evidence.splitlines()[-1],
            remedy=remedy_of(error.evidence, server),
        ) from error
    server.query(f"GRANT ALL ON {_quoted(name)}.* TO {LOADER}@localhost")


def _follow_creation(server: PrivateServer, name: str, statements: Statements) -> None:
    """Give a database what its own statement says, which was read after its tables."""
    server.query(f"ALTER DATABASE {_quoted(name)}{_characters(statements)}")


def _quoted(name: str) -> str:
    doubled = name.replace("`", "``")
    return f"`{doubled}`"


def _characters(statements: Statements) -> str:
    charset = f" CHARACTER SET {statements.charset}" if statements.charset else ""
    return charset + (f" COLLATE {statements.collation}" if statements.collation else "")


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
