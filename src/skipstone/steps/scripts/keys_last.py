r"""Reads a dump, and writes it so that large tables get their keys after their rows: a filter.

To load a file by hand: ``gzip -dc FILE | python3 keys_last.py | mariadb``. The server sorts a key's entries
once instead of placing each row's into it, which has to be read from the disk for that as soon as it is
larger than the server's memory. A foreign key needs one of the keys, and comes with them; the checks of both
are off while a dump is loaded. What is made is the same: ``SHOW CREATE TABLE`` gives keys in an order of its
own. mysqlpump and myloader do it in the same way; MariaDB's own client does not before 11.8.

A table stays as it is written where its rows are few, for each ``ALTER TABLE`` takes its time, or where it
has anything that is not known here to come out the same.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAST = 16 << 20
CREATE, UNLOCK, END = b"CREATE TABLE `", b"UNLOCK TABLES", b";\n"
PRIMARY, LATER = b"  PRIMARY KEY (", (b"  KEY `", b"  UNIQUE KEY `")
# no foreign key can be added on what a stored generated column is made of
COLUMN = re.compile(rb"  `(?!.* GENERATED ALWAYS AS )")
FOREIGN = re.compile(rb"  CONSTRAINT `[^`]+` FOREIGN KEY ")
CHECK = re.compile(rb"  CONSTRAINT `[^`]+` CHECK ")
COUNTED = re.compile(rb"  (`[^`]+`) .* AUTO_INCREMENT\b")


class Table(NamedTuple):
    """The lines of a table's statement as it is written; of it without its keys; and of what adds them."""

    whole: list[bytes]
    bare: list[bytes]
    keys: list[bytes]


def read_table(statement: list[bytes]) -> Table | None:
    """Return a table whose keys can come later; None where nothing can, or should."""
    first, *lines = statement
    inside = list(takewhile(lambda line: line.startswith(b"  "), lines))
    rest = lines[len(inside) :]
    late = [line for line in inside if line.startswith(LATER) or FOREIGN.match(line)]
    stay = [line for line in inside if line not in late]
    if not late or not rest or b" ENGINE=InnoDB" not in rest[0]:
        return None
    primary = [line for line in stay if line.startswith(PRIMARY)]
    known = [line for line in stay if COLUMN.match(line) or CHECK.match(line)]
    if len(primary) != 1 or len(known) + 1 != len(stay):
        return None
    counted = [found[1] for line in stay if (found := COUNTED.match(line))]
    if any(not primary[0].startswith(PRIMARY + column) for column in counted):
        return None  # a column that counts must be the first of a key
    begin = b"ALTER TABLE `%s`\n" % first.split(b"`")[1]
    added = [b"  ADD " + line.strip() + b"\n" for line in late]
    return Table(
        statement,
        [first, *stay[:-1], stay[-1].rstrip(b",\n") + b"\n", *rest],
        [begin, *added[:-1], added[-1].rstrip(b",\n") + b";\n"],
    )


def keys_last(lines: Iterator[bytes], least: int = LEAST) -> Iterator[bytes]:
    """Yield a dump's text, with the keys of each table that has this many bytes of rows after them."""
    for line in lines:
        if not line.startswith(CREATE):
            yield line
            continue
        statement = [line]
        while not statement[-1].endswith(END) and (line := next(lines, b"")):
            statement.append(line)
        table = read_table(statement)
        if table:
            yield from rows_first(table, lines, least)
        else:
            yield from statement


def rows_first(table: Table, lines: Iterator[bytes], least: int) -> Iterator[bytes]:
    """Yield a table up to the line that unlocks it, and then its keys, where it has so many bytes of rows."""
    waiting, size, over = list[bytes](), 0, False
    while size < least and not over:
        line = next(lines, b"")
        waiting.append(line)
        size += len(line)
        over = not line or line.startswith(UNLOCK)
    if over:
        yield from table.whole
        yield from waiting
        return
    yield from table.bare
    yield from waiting
    for line in lines:
        yield line
        if line.startswith(UNLOCK):
            break
    yield from table.keys


def main() -> None:
    """Filter what comes in."""
    parser = argparse.ArgumentParser(description="Writes a dump so that large tables get their keys last.")
    parser.add_argument("--least", type=int, default=LEAST, help="bytes of rows from which on that is done")
    given = parser.parse_args()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # the client says itself why it has ended
    sys.stdout.buffer.writelines(keys_last(sys.stdin.buffer, given.least))


if __name__ == "__main__":
    main()
