"""Dumps into the rehearsal's server: several at once, by a client that may do nothing but that."""

import time
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from skipstone.errors import InputError
from skipstone.rehearsal.clients import LOADER, Clients
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
        _expect_sql(file)
        with reading(file) as source, Clients(server, str(file)) as clients:
            for database, line in statements.lines(source):
                if database is not None:
                    _create(server, database, statements)
                clients.write(line)
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
