r"""Reads a dump, and writes it so that large tables get their keys after their rows: a filter.

To load a file by hand: ``gzip -dc FILE | python3 keys_last.py | mariadb``. The server sorts a key's entries
once instead of placing each row's into it, which has to be read from the disk for that as soon as it is
larger than the server's memory. Foreign keys come last of all. ``--foreign FILE`` writes them there instead,
for whoever loads several files at once: none can be made while a table that it refers to has not got its
keys. The checks of both are off while a dump is loaded. What is made is the same: ``SHOW CREATE TABLE`` gives
keys in an order of its own. mysqlpump and myloader do it in the same way; MariaDB's own client does not
before 11.8.

A table stays as it is written where its rows are few, for each ``ALTER TABLE`` takes its time, or where it
has anything that is not known here to come out the same. No table is locked: nobody else is there, and the
locks would keep out who loads another file.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
from itertools import takewhile
from typing import IO, TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAST = 16 << 20
CREATE = re.compile(rb"CREATE TABLE `([^`]+)` \(\n")
SESSION = re.compile(rb"(/\*!\d+ )?SET |USE ")
SESSION = re.compile(rb"(/\*!\d+ )?SET |USE ")
LOCK, UNLOCK, END = b"LOCK TABLES `", b"UNLOCK TABLES;", b";\n"
PRIMARY, LATER = b"  PRIMARY KEY (", (b"  KEY `", b"  UNIQUE KEY `")
# no foreign key can be added on what a stored generated column is made of
COLUMN = re.compile(rb"  `(?!.* GENERATED ALWAYS AS )")
FOREIGN = re.compile(rb"  CONSTRAINT `[^`]+` FOREIGN KEY ")
CHECK = re.compile(rb"  CONSTRAINT `[^`]+` CHECK ")
COUNTED = re.compile(rb"  (`[^`]+`) .* AUTO_INCREMENT\b")


class Table(NamedTuple):
    """The lines of a table's statement: its first, its columns and keys, of these its keys, and its last."""

    first: bytes
    inside: list[bytes]
    keys: list[bytes]
    foreign: list[bytes]
    rest: list[bytes]

    def create(self, *without: bytes) -> Iterator[bytes]:
        """Yield the statement that makes it without these of its lines."""
        *inside, last = (line for line in self.inside if line not in without)
        yield from (self.first, *(clause(line) + b",\n" for line in inside), clause(last) + b"\n", *self.rest)

    def add(self, keys: list[bytes]) -> Iterator[bytes]:
        """Yield the statement that adds these keys, if there are any."""
        if keys:
            name = self.first.split(b"`")[1]
            added = b",\n".join(b"  ADD" + clause(line)[1:] for line in keys)
            yield from (b"ALTER TABLE `%s`\n%s;\n" % (name, added)).splitlines(keepends=True)


def clause(line: bytes) -> bytes:
    """Return a line of ``CREATE TABLE`` without its comma and end."""
    return line.rstrip(b"\n").rstrip(b",")


def read_table(statement: list[bytes]) -> Table | None:
    """Return a table whose keys can come later; None where nothing can, or should."""
    first, *lines = statement
    inside = list(takewhile(lambda line: line.startswith(b"  "), lines))
    rest = lines[len(inside) :]
    keys = [line for line in inside if line.startswith(LATER)]
    foreign = [line for line in inside if FOREIGN.match(line)]
    stay = [line for line in inside if line not in keys and line not in foreign]
    if (
        not statement[-1].endswith(END)
        or not rest
        or b" ENGINE=InnoDB" not in rest[0]
        or not (keys or foreign)
    ):
        return None
    primary = [line for line in stay if line.startswith(PRIMARY)]
    known = [line for line in stay if COLUMN.match(line) or CHECK.match(line)]
    if len(primary) != 1 or len(known) + 1 != len(stay):
        return None
    counted = [found[1] for line in stay if (found := COUNTED.match(line))]
    if any(not primary[0].startswith(PRIMARY + column) for column in counted):
        return None  # a column that counts must be the first of a key
    return Table(first, inside, keys, foreign, rest)


def keys_last(
    lines: Iterator[bytes], least: int = LEAST, foreign: IO[bytes] | None = None
) -> Iterator[bytes]:
    """Yield a dump's text, with the keys of each table that has this many bytes of rows after them.

    Every table's foreign keys are written to ``foreign``, where that is given, with what they need to be run.
    """
    for line in lines:
        if not CREATE.fullmatch(line):
            yield from unlocked(line)
            if foreign and SESSION.match(line):
                foreign.write(line)
            continue
        statement = [line]
        while not statement[-1].endswith(END) and (line := next(lines, b"")):
            statement.append(line)
        table = read_table(statement)
        if table is None:
            yield from statement
            continue
        if foreign:
            foreign.writelines(table.add(table.foreign))
            inside = [line for line in table.inside if line not in table.foreign]
            table = table._replace(inside=inside, foreign=[])
        yield from rows_first(table, lines, least)


def rows_first(table: Table, lines: Iterator[bytes], least: int) -> Iterator[bytes]:
    """Yield a table up to the line that unlocks it, and then its keys, where it has so many bytes of rows."""
    waiting, size, over = list[bytes](), 0, False
    while size < least and not over:
        line = next(lines, b"")
        waiting += unlocked(line)
        size += len(line)
        over = not line or line.startswith(UNLOCK)
    if over:
        yield from table.create()
        yield from waiting
        return
    yield from table.create(*table.keys, *table.foreign)
    yield from waiting
    waiting.clear()
    for line in lines:
        yield from unlocked(line)
        if line.startswith(UNLOCK):
            break
    yield from table.add(table.keys)
    yield from table.add(table.foreign)  # one that refers to its own table needs that one's keys


def unlocked(line: bytes) -> tuple[bytes, ...]:
    """Return a line, unless it locks or unlocks tables."""
    return () if not line or line.startswith((LOCK, UNLOCK)) else (line,)


def main() -> None:
    """Filter what comes in."""
    parser = argparse.ArgumentParser(description="Writes a dump so that large tables get their keys last.")
    parser.add_argument("--least", type=int, default=LEAST, help="bytes of rows from which on that is done")
    parser.add_argument("--as-written", action="store_true", help="leave all keys where they are")
    parser.add_argument("--foreign", type=argparse.FileType("wb"), help="write all foreign keys there")
    given = parser.parse_args()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # the client says itself why it has ended
    lines = sys.stdin.buffer
    filtered = map(b"".join, map(unlocked, lines)) if given.as_written else None
    sys.stdout.buffer.writelines(filtered or keys_last(lines, given.least, given.foreign))


if __name__ == "__main__":
    main()
