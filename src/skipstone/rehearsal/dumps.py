"""Which files of a directory are dumps, and how they are read."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from skipstone.errors import InputError

READERS: dict[str, tuple[str, ...]] = {
    ".sql": ("cat",),
    ".gz": ("gzip", "--decompress", "--stdout"),
    ".zst": ("zstd", "--decompress", "--stdout", "--quiet"),
}
"""Ending of a dump's name -> what reads it."""

GZIP_TELLS = 64 << 20
"""Bytes of a gzip file up to which its last four are its contents' length: they count to 4 GiB only."""

MYDUMPER = "metadata"
"""The file that marks a directory of mydumper's."""

WHOLE = re.compile(r"-schema-(create|post|triggers)$")
"""How the names of mydumper's files end that are of a whole database, and of no table."""


@dataclass(frozen=True)
class Dump:
    """SQL of one or more databases: one file, or several of one database, in the order to be read.

    Several are mydumper's, or a backup of ours by table. ``name`` is the database's where the SQL names none.
    """

    name: str
    files: tuple[Path, ...]

    @property
    def where(self) -> str:
        """The file, or the directory of several."""
        return str(self.files[0] if len(self.files) == 1 else self.files[0].parent)

    @property
    def size(self) -> int:
        """Bytes as they lie on the disk."""
        return sum(file.stat().st_size for file in self.files)

    @property
    def sql_size(self) -> int | None:
        """Bytes of SQL in it; None where that is not known before it was read."""
        sizes = [_sql_size(file) for file in self.files]
        return None if None in sizes else sum(size or 0 for size in sizes)


def find_dumps(directory: Path) -> tuple[Dump, ...]:
    """Return the dumps of a directory, the largest first; raise InputError where there are none.

    A dump is a file that ends in ``.sql``, ``.sql.gz`` or ``.sql.zst``, or what mydumper wrote: here, or one
    directory below. A directory beside a file of its name holds the tables that are missing in that file.
    """
    if not directory.is_dir():
        raise InputError("there is no such directory of dumps", where=str(directory))
    found = list(_dumps_in(directory))
    for below in sorted(path for path in directory.iterdir() if path.is_dir()):
        inside = list(_dumps_in(below))
        rest = [dump for dump in found if dump.name == below.name and len(dump.files) == 1]
        if len(rest) == 1 and not (below / MYDUMPER).exists():
            found.remove(rest[0])
            tables = tuple(file for table in inside for file in table.files)
            inside = [Dump(below.name, (*tables, *rest[0].files))]
        found += inside
    if not found:
        names = sorted(path.name for path in directory.iterdir())
        raise InputError(
            "no dumps are here",
            where=str(directory),
            evidence=f"its files: {', '.join(names[:10]) or 'none'}",
            remedy="make one of each: mariadb-dump --single-transaction --databases NAME > NAME.sql",
        )
    return tuple(sorted(found, key=lambda dump: dump.size, reverse=True))


def _dumps_in(directory: Path) -> Iterator[Dump]:
    files = sorted(
        path for path in directory.iterdir() if path.is_file() and _reader(path) and _stem(path) != path.name
    )
    if not (directory / MYDUMPER).exists():
        yield from (Dump(_stem(path), (path,)) for path in files)
        return
    for name in dict.fromkeys(map(_database, files)):
        own = [path for path in files if _database(path) == name]
        yield Dump(name, tuple(sorted(own, key=_rank)))


def _database(path: Path) -> str:
    """Return whose a file of mydumper's is: NAME-schema-create, NAME.TABLE-schema, NAME.TABLE.00000."""
    name, of_table, _ = _stem(path).partition(".")
    return name if of_table else WHOLE.sub("", name)


def _sql_size(path: Path) -> int | None:
    size = path.stat().st_size
    if path.suffix == ".gz" and size < GZIP_TELLS:
        with path.open("rb") as file:
            file.seek(-min(size, 4), os.SEEK_END)
            return int.from_bytes(file.read(), "little")
    return size if path.suffix == ".sql" else None


def _rank(path: Path) -> tuple[int, str]:
    stem = _stem(path)
    late = ("-schema-triggers", "-schema-view", "-schema-post")
    order = (
        3
        if stem.endswith(late)
        else 0
        if stem.endswith("-schema-create")
        else 1
        if stem.endswith("-schema")
        else 2
    )
    return order, stem


def _stem(path: Path) -> str:
    """Return a dump's name without the endings of its form."""
    name = path.name.removesuffix(".gz").removesuffix(".zst")
    return name.removesuffix(".sql") if name.endswith(".sql") else path.name


def _reader(path: Path) -> tuple[str, ...]:
    return READERS.get(path.suffix, ())


@contextmanager
def reading(path: Path) -> Iterator[IO[bytes]]:
    """Give a dump's SQL, decompressed; raise InputError at the end where the file is not whole."""
    reader = _reader(path)
    if not shutil.which(reader[0]):
        raise InputError(f"there is no {reader[0]} on this machine", where=str(path), remedy="install it")
    process = subprocess.Popen((*reader, str(path)), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None  # noqa: S101 - for the type checker: asked for above
    assert process.stderr is not None  # noqa: S101 - as above
    try:
        yield process.stdout
        rest = process.stdout.read(1)
        said = process.stderr.read().decode(errors="replace").strip()
        if process.wait() and not rest:
            raise InputError(
                "the dump cannot be read to its end",
                where=str(path),
                evidence=said,
                remedy="copy it here again, or make it anew",
            )
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
