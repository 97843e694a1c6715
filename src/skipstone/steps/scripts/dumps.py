"""Databases as files: dumped, loaded, and compared with the server that holds them.

A database is ``NAME.sql.gz``. Of one that was dumped by table, each table is ``NAME/TABLE.sql.gz``, and
``NAME.sql.gz`` is the rest, its views and routines, which are loaded last. To load a file by hand:
``gzip -dc FILE | mariadb``. ``keys_last.py`` beside this program lets large ones take half the time.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory
from typing import IO, Protocol

BLOCK = 1 << 20
LOADING = ("--max-allowed-packet=1G", "--skip-force")
KEYS_LAST = Path(__file__).resolve().with_name("keys_last.py")
PACKED = ".sql.gz"
MARK = b"\n-- "
DATABASE, TABLE, DATA = b"Current Database: ", b"Table structure for table ", b"Dumping data for table "
COMMENT = re.compile(rb"\n-- (%s)`(.*)`$" % b"|".join([DATABASE, TABLE, DATA]))
# one transaction, and no dates, so that dumps can be compared; loaded each row by itself, as before 11.8:
# another client that adds a key would wait for a transaction's end
DUMP = (
    "--single-transaction",
    "--quick",
    "--hex-blob",
    "--comments",
    "--skip-dump-date",
    "--skip-no-autocommit",
)
WHOLE = ("--routines", "--events", "--databases")
# the client's own last line: `skipstone rehearse` takes a file that has not got it for one that was cut off
END = b"\n-- Dump completed\n"


class Sink(Protocol):
    """Takes the bytes of one file."""

    def write(self, data: bytes) -> object:
        """Take some more."""

    def close(self) -> None:
        """Take notice that these were all."""


Work = Callable[[], None]


class Sum:
    """The checksum of what would be a file, noted under its name."""

    def __init__(self, name: str, sums: dict[str, str]) -> None:
        self.name = name
        self.sums = sums
        self.sum = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """See ``Sink``."""
        self.sum.update(data)

    def close(self) -> None:
        """See ``Sink``."""
        self.sums[self.name] = self.sum.hexdigest()


class Server:
    """A server, reached by the clients' defaults or by a socket."""

    def __init__(self, socket: str) -> None:
        options = ["--no-defaults", "--protocol=socket", "--user=root", f"--socket={socket}"]
        self.options = options if socket else []

    def ask(self, query: str) -> str:
        """Return what it answers, a row a line."""
        command = ["mariadb", *self.options, "-NBe", query]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

    def tables(self, database: str) -> list[tuple[str, int]]:
        """Return each table of a database, with its bytes."""
        rows = self.ask(
            "select table_name, coalesce(data_length, 0) from information_schema.tables"
            f" where table_type = 'BASE TABLE' and table_schema = '{database}'"
        )
        found = (row.split("\t") for row in rows.split("\n")[:-1])
        return [(table, int(size)) for table, size in found]

    def dump(self, arguments: Iterable[str], take: Callable[[IO[bytes]], None]) -> None:
        """Let a dump be taken."""
        command = ["mariadb-dump", *self.options, *DUMP, *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout
        with process.stdout as stream:
            take(stream)
        expect_well(process)

    def load(self, path: Path, *options: str) -> None:
        """Load a file through ``keys_last.py``, with options of that."""
        keys_last = " ".join(map(quote, ["python3", str(KEYS_LAST), *options]))
        script = f'gzip -dc "$0" | {keys_last} | mariadb "$@"'
        command = ["bash", "-o", "pipefail", "-c", script, str(path), *self.options, *LOADING]
        subprocess.run(command, check=True)

    def run(self, path: Path) -> bool:
        """Return whether all statements of a file could be carried out."""
        with path.open("rb") as file:
            client = ["mariadb", *self.options, *LOADING]
            return subprocess.run(client, stdin=file, check=False).returncode == 0


class Dumps:
    """The files of some databases in a directory, and the server that holds or shall hold them."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.server = Server(given.socket)
        self.directory: Path = given.directory
        self.databases: list[str] = given.databases
        self.together: bool = given.together
        self.at_once: int = given.at_once
        self.as_written: bool = given.as_written
        known = [name for name in self.databases if (self.directory / name).is_dir()]
        self.by_table: list[str] = given.by_table or known
        self.opened: Callable[[str], Sink] = self.packing

    def file(self, name: str) -> Path:
        """Return the file of a name."""
        return self.directory / f"{name}{PACKED}"

    def packing(self, name: str) -> Sink:
        """Open a file that is packed on its way to the disk."""
        self.file(name).parent.mkdir(mode=0o700, exist_ok=True)
        return gzip.GzipFile(self.file(name), "wb", compresslevel=1, mtime=0)

    def dump(self) -> None:
        """Write the files: in one stream, of one moment, or in several, where nothing is written."""
        if self.together:
            self.server.dump([*WHOLE, *self.databases], self.scatter)
        else:
            several(self.at_once, [work for name in self.databases for work in self.apart(name)])

    def apart(self, database: str) -> Iterator[tuple[int, Work]]:
        """Give what dumps a database, each with its size."""
        tables, ignored = self.server.tables(database), []
        if database in self.by_table:
            for table, size in tables:
                ignored.append(f"--ignore-table={database}.{table}")
                take = partial(self.whole, f"{database}/{table}", use(database))
                yield size, partial(self.server.dump, [database, table], take)
        arguments = [*ignored, *WHOLE, database]
        rest = 0 if ignored else sum(size for _, size in tables)
        yield rest, partial(self.server.dump, arguments, partial(self.whole, database, b""))

    def whole(self, name: str, head: bytes, stream: IO[bytes]) -> None:
        """Write a stream into one file."""
        sink = self.opened(name)
        sink.write(head)
        while block := stream.read(BLOCK):
            sink.write(block)
        sink.close()

    def scatter(self, stream: IO[bytes]) -> None:
        """Write a stream into the files that its parts belong to, each with the stream's head and end."""
        head, database, name, sinks = b"", "", "", dict[str, Sink]()
        for comment, text in parts(stream):
            said = COMMENT.match(comment)
            kind, of = (said[1], said[2].decode()) if said else (b"", "")
            database = of if kind == DATABASE else database
            if not database:
                head += comment + text
                continue
            table = kind == TABLE and database in self.by_table
            if comment and kind != DATA:
                last, name = name, f"{database}/{of}" if table else database
                if "/" in last:
                    finish(sinks.pop(last))
            if name not in sinks:
                sinks[name] = self.opened(name)
                sinks[name].write(head + (use(database) if table else b""))
            sinks[name].write(comment + text)
        for sink in sinks.values():
            finish(sink)

    def load(self) -> None:
        """Load the files, several at a time; foreign keys after all tables, and then views and routines.

        What the server refuses is loaded once more, as it was written, when all others are there.
        """
        for name in self.by_table:
            self.server.ask(creation(self.file(name)))
        files = [file for name in self.by_table for file in (self.directory / name).iterdir()]
        files += [self.file(name) for name in self.databases if name not in self.by_table]
        for file in files if self.as_written else self.load_at_once(files):
            self.server.load(file, "--as-written")
        for name in self.by_table:
            self.server.load(self.file(name), "--as-written")

    def load_at_once(self, files: list[Path]) -> list[Path]:
        """Load files with their keys last; return those of which the server has refused something."""
        refused = dict[Path, None]()

        def load(file: Path, foreign: Path) -> None:
            try:
                self.server.load(file, f"--foreign={foreign}")
            except subprocess.CalledProcessError:
                refused[file] = None

        with TemporaryDirectory() as directory:
            foreign = {file: Path(directory, str(number)) for number, file in enumerate(files)}
            several(
                self.at_once, [(file.stat().st_size, partial(load, file, foreign[file])) for file in files]
            )
            for file in files:
                if file not in refused and not self.server.run(foreign[file]):
                    refused[file] = None
        if refused:
            names = ", ".join(str(file) for file in refused)
            sys.stderr.write(f"loaded once more, as they were written: {names}\n")
        return list(refused)

    def same(self) -> None:
        """Dump once more in the same way, and write nothing; fail where that differs from the files."""
        found: dict[str, str] = {}
        self.opened = lambda name: Sum(name, found)
        self.dump()
        wanted: dict[str, str] = {}
        files = [file for name in self.databases for file in self.directory.glob(f"{name}/*{PACKED}")]
        names = [f"{file.parent.name}/{file.name[: -len(PACKED)]}" for file in files]
        several(
            self.at_once,
            [(0, partial(note_sum, self.file(name), name, wanted)) for name in [*names, *self.databases]],
        )
        differ = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
        if differ:
            raise SystemExit(f"the server holds something else than the dump: {', '.join(differ)}")


def parts(stream: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    r"""Give a dump as its comments, each with the text after it; no comment where that goes on.

    No line of data begins as a comment does: line feeds in values are written as ``\n``.
    """
    rest = b""
    while block := stream.read(BLOCK):
        lines, feed, last = (rest + block).rpartition(b"\n")
        first, *others = lines.split(MARK)
        yield b"", first
        for other in others:
            comment, end, text = other.partition(b"\n")
            yield MARK + comment, end + text
        rest = feed + last
    yield b"", rest


def creation(path: Path) -> str:
    """Return the statement of a database's file that makes the database."""
    with gzip.open(path) as file:
        return next(line for line in file if line.startswith(b"CREATE DATABASE ")).decode()


def note_sum(path: Path, name: str, sums: dict[str, str]) -> None:
    """Note the checksum of what a file holds."""
    sink = Sum(name, sums)
    with gzip.open(path) as file:
        while block := file.read(BLOCK):
            sink.write(block)
    sink.close()


def finish(sink: Sink) -> None:
    """Write the end of a file that is a part of a stream."""
    sink.write(END)
    sink.close()


def use(database: str) -> bytes:
    """Return the statement that makes a database the present one."""
    return f"\nUSE `{database}`;\n".encode()


def several(at_once: int, works: list[tuple[int, Work]]) -> None:
    """Do all works, some at a time, the largest first; raise what the first one to fail has raised."""
    with ThreadPoolExecutor(at_once) as pool:
        ordered = sorted(works, key=lambda work: work[0], reverse=True)
        futures = [pool.submit(work) for _, work in ordered]
        try:
            for future in as_completed(futures):
                future.result()
        finally:
            for future in futures:
                future.cancel()


def expect_well(process: subprocess.Popen[bytes]) -> None:
    """Wait for the end of a process; raise CalledProcessError where it has failed."""
    if process.wait() != 0:
        raise subprocess.CalledProcessError(process.returncode, process.args)


def main() -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(description="Databases as files.")
    parser.add_argument("what", choices=("dump", "load", "same"))
    parser.add_argument("directory", type=Path)
    parser.add_argument("databases", nargs="+")
    parser.add_argument("--by-table", action="append", default=[], help="dump this one by table")
    parser.add_argument("--together", action="store_true", help="dump all in one stream, of one moment")
    parser.add_argument("--at-once", type=int, default=os.cpu_count(), help="how many streams otherwise")
    parser.add_argument("--as-written", action="store_true", help="load one by one, and move no keys")
    parser.add_argument("--socket", default="", help="of another server than the host's own")
    given = parser.parse_args()
    try:
        getattr(Dumps(given), given.what)()
    except (subprocess.CalledProcessError, OSError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
