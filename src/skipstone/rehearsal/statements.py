"""What of a dump reaches the rehearsal's server: the tables and rows of its own databases, and nothing else.

A dump is text from elsewhere. The client that gets it may do nothing outside of the dump's databases
(``loading.py``); what would only fail there, or would act beyond them, is left out here, and said.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

SYSTEM_DATABASES = frozenset({"mysql", "sys", "performance_schema", "information_schema", "test"})

FOREIGN = re.compile(
    rb"\s*(/\*[M!]*\d*\s*)?(CREATE\s+(OR\s+REPLACE\s+)?(USER|ROLE|SERVER|EVENT)|DROP\s+(USER|ROLE|DATABASE)|ALTER\s+USER"
    rb"|GRANT|REVOKE|SET\s+PASSWORD|SET\s+@@SESSION\.SQL_LOG_BIN|SET\s+@MYSQLDUMP_TEMP_LOG_BIN|INSTALL|UNINSTALL|LOAD\s+(DATA|XML)|CHANGE\s+MASTER|SET\s+@@?GLOBAL|SET\s+GLOBAL"
    rb"|SHUTDOWN|FLUSH|RESET|STOP\s+SLAVE|START\s+SLAVE|PURGE)\b",
    re.IGNORECASE,
)
DEFINER = re.compile(rb"DEFINER\s*=\s*(`[^`]*`|'[^']*'|\w+)@(`[^`]*`|'[^']*'|[\w.%-]+)", re.IGNORECASE)
USE = re.compile(rb"\s*USE\s+`?([^`;\s]+)`?\s*;", re.IGNORECASE)
CREATE_DATABASE = re.compile(
    rb"\s*CREATE\s+DATABASE\s+(?:/\*!32312 IF NOT EXISTS\*/\s*|IF\s+NOT\s+EXISTS\s+)?`?([^`;\s]+)`?(.*)",
    re.IGNORECASE,
)
CREATE_TABLE = re.compile(rb"CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?`([^`]+)`", re.IGNORECASE)
ACTS = re.compile(rb"\s*(/\*M?!\d*\s*)?(CREATE|DROP|ALTER|LOCK|REPLACE|TRUNCATE)\b", re.IGNORECASE)
"""What acts in the database that is used, beside INSERT."""
CHARSET = re.compile(rb"(?:CHARACTER SET|CHARSET)\s*=?\s*(\w+)", re.IGNORECASE)
COLLATION = re.compile(rb"COLLATE\s*=?\s*(\w+)", re.IGNORECASE)
BEGINS = re.compile(rb"SET @OLD_(SQL_NOTES|NOTE_VERBOSITY)=")
ENDS = re.compile(rb"SET (SQL_NOTES|NOTE_VERBOSITY)=@OLD_|^-- Dump completed")
"""What mariadb-dump and mysqldump write first and last, with or without comments."""

LONGEST = 2000
"""Bytes of a line's beginning that are looked at: rows may be megabytes."""


@dataclass
class Content:
    """What was met in one database of a dump."""

    name: str
    tables: list[str] = field(default_factory=list)


@dataclass
class Statements:
    """The lines of one dump's files that are for the server, and what was met in them.

    ``name`` is the database's where the dump names none. ``left_out`` counts what was not passed on.
    ``whole`` is false while the dump's own end is still to come, ``over`` true once a file was read to its
    end. ``on_table`` hears of a database before each of its tables is made.
    """

    name: str
    contents: dict[str, Content] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    charset: str = ""
    collation: str = ""
    whole: bool = True
    over: bool = False
    on_table: Callable[[str], None] = lambda _: None
    _skipping: bool = False
    _foreign: bool = False
    _now: Content | None = None

    def lines(self, source: Iterable[bytes]) -> Iterator[tuple[str | None, bytes]]:
        """Yield each line of a file that may pass, and the name of a database that has to be there for it."""
        self.whole, self.over, self._skipping, self._foreign, self._now = True, False, False, False, None
        for line in source:
            head = line[:LONGEST]
            if head.startswith((b"INSERT", b"(")) and not self._foreign:
                yield from self._inside()
                if not self._skipping:
                    yield None, line
            elif (found := CREATE_DATABASE.match(head)) is not None:
                self._read_charset(found[2])
            elif (found := USE.match(head)) is not None:
                yield from self._use(found[1].decode())
            elif not self._skipping:
                yield from self._other(head, line)
        self.over = True

    def _use(self, name: str) -> Iterator[tuple[str | None, bytes]]:
        self._skipping = name.lower() in SYSTEM_DATABASES
        if self._skipping:
            self.left_out[f"database {name}"] += 1
            return
        self._now = self.contents.setdefault(name, Content(name))
        yield name, f"USE `{name}`;\n".encode()

    def _inside(self) -> Iterator[tuple[str | None, bytes]]:
        """Use the database that the dump is named after, where it has named none yet."""
        if self._now is None and not self._skipping:
            yield from self._use(self.name)

    def _other(self, head: bytes, line: bytes) -> Iterator[tuple[str | None, bytes]]:
        if self._foreign or FOREIGN.match(head):
            if not self._foreign:
                self.left_out[
                    b" ".join(head.split()[:2]).decode(errors="replace").strip("/*!; ").upper()
                ] += 1
            # until the statement's end
            self._foreign = not line.rstrip().endswith((b";", b";;", b"*/"))
            return
        if BEGINS.search(head):
            self.whole = False
        elif ENDS.search(head):
            self.whole = True
        if ACTS.match(head):
            yield from self._inside()
        if self._skipping:
            return
        if (table := CREATE_TABLE.match(head)) is not None:
            assert self._now is not None  # noqa: S101 - for the type checker: set just above
            self.on_table(self._now.name)
            self._now.tables.append(table[1].decode())
        yield None, self._without_definer(line) if b"DEFINER" in head else line

    def _without_definer(self, line: bytes) -> bytes:
        """Let the account that loads be the owner: the other is not here, and may be allowed more."""
        line, found = DEFINER.subn(b"", line)
        if found:
            self.left_out["DEFINER"] += found
        return line

    def _read_charset(self, text: bytes) -> None:
        charset, collation = CHARSET.search(text), COLLATION.search(text)
        self.charset = charset[1].decode() if charset else ""
        self.collation = collation[1].decode() if collation else ""
