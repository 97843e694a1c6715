"""The recording: every sample of the probes, in one SQLite file that only grows.

SQLite in WAL mode is crash-safe (a killed writer loses at most the second that was not committed), can be
read while it is written, and any operator can query it by hand. A sample takes about 20 bytes: the key is
(probe, time), which is also the order of evaluation, and reasons and boot-ids are stored once in ``texts``.
All times are microseconds since the epoch, UTC. Ten minutes of a small cloud are about a megabyte.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from enum import StrEnum
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple, Self

from skipstone.errors import InputError
from skipstone.impact.sample import Kind, Probe, Reply, Sample

FILE = "samples.db"
FORMAT = 1

_SCHEMA = f"""
PRAGMA user_version = {FORMAT};
CREATE TABLE probes (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, name TEXT NOT NULL,
    target TEXT NOT NULL, UNIQUE (kind, subject, target));
CREATE TABLE texts (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE samples (
    probe INTEGER NOT NULL, sent INTEGER NOT NULL, took INTEGER NOT NULL, reply INTEGER NOT NULL,
    text INTEGER, uptime REAL, PRIMARY KEY (probe, sent)) WITHOUT ROWID;
CREATE TABLE beats (
    at INTEGER PRIMARY KEY, cpu INTEGER NOT NULL, memory INTEGER NOT NULL);
CREATE TABLE notes (at INTEGER NOT NULL, mark TEXT NOT NULL, text TEXT NOT NULL);
"""
# an older recording has none: it is made when that one goes on
_LEFT_OUT = """
CREATE TABLE IF NOT EXISTS left_out (
    subject TEXT PRIMARY KEY, since INTEGER NOT NULL, text TEXT NOT NULL, addresses TEXT NOT NULL);
"""


class Mark(StrEnum):
    """What a note says: probing began or ended, an address was not probed, a thing could not be removed."""

    BEGAN = "began"
    CLEANING = "cleaning"
    ENDED = "ended"
    LEFT_OUT = "left-out"
    LEFT_BEHIND = "left-behind"


class Note(NamedTuple):
    """One remark of the prober."""

    at: int
    mark: Mark
    text: str


class LeftOut(NamedTuple):
    """An instance that counts no more from a moment on, and why; ``addresses`` are those it alone has."""

    subject: str
    since: int
    text: str
    addresses: tuple[str, ...] = ()

    def concerns(self, probe: Probe) -> bool:
        """Return whether a probe asks this instance, or a canary in it or another one about it."""
        return probe.subject == self.subject or (probe.kind is Kind.PAIR and probe.target in self.addresses)


class Beat(NamedTuple):
    """The prober's own pulse, once a second.

    ``cpu`` is the CPU time used by this process so far in microseconds, ``memory`` its peak resident size
    in bytes.
    """

    at: int
    cpu: int
    memory: int


class Recording:
    """The samples of one directory; one writer, any number of readers.

    Calls block for a disk write, so the prober makes them in a thread.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def create(cls, directory: Path) -> Self:
        """Open the recording of a directory to write, and make it where there is none."""
        directory.mkdir(parents=True, exist_ok=True)
        if not (directory / FILE).exists():
            _make(directory / FILE)
        connection = sqlite3.connect(directory / FILE, check_same_thread=False, timeout=30)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_LEFT_OUT)
        return cls(connection)

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Open a recording to read; raise InputError where there is none that this version can read."""
        path = directory / FILE
        if not path.exists():
            raise InputError("nothing was recorded here", where=str(directory), remedy="name a run's probes")
        connection = sqlite3.connect(path, timeout=30)
        try:
            found = connection.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.DatabaseError as fault:
            connection.close()
            raise InputError("not a recording", where=str(path), evidence=str(fault)) from fault
        if found != FORMAT:
            connection.close()
            raise InputError(f"a recording of format {found}; this version reads {FORMAT}", where=str(path))
        return cls(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def probe(self, kind: Kind, subject: str, name: str, target: str) -> Probe:
        """Return the probe of this kind, subject and target; it keeps its id when probing starts again."""
        key = (kind, subject, target)
        with self._connection as db:
            db.execute(
                "INSERT OR IGNORE INTO probes (kind, subject, target, name) VALUES (?, ?, ?, ?)", (*key, name)
            )
            row = db.execute(
                "SELECT id FROM probes WHERE (kind, subject, target) = (?, ?, ?)", key
            ).fetchone()
        return Probe(row[0], kind, subject, name, target)

    def write(self, samples: Sequence[Sample], beats: Sequence[Beat] = ()) -> None:
        """Append samples and the prober's pulses at once; raise sqlite3.Error with nothing written."""
        texts = {(sample.text,) for sample in samples if sample.text}
        with self._connection as db:
            db.executemany("INSERT OR IGNORE INTO texts (text) VALUES (?)", texts)
            db.executemany(
                "INSERT OR IGNORE INTO samples VALUES (?, ?, ?, ?, (SELECT id FROM texts WHERE text = ?), ?)",
                samples,
            )
            db.executemany("INSERT OR REPLACE INTO beats VALUES (?, ?, ?)", beats)

    def note(self, note: Note) -> None:
        """Append a remark."""
        with self._connection as db:
            db.execute("INSERT INTO notes VALUES (?, ?, ?)", note)

    def leave_out(self, left: Iterable[LeftOut]) -> None:
        """Say that instances count no more from a moment on; what was said of one first stays."""
        rows = [(one.subject, one.since, one.text, " ".join(one.addresses)) for one in left]
        if rows:
            with self._connection as db:
                db.executemany("INSERT OR IGNORE INTO left_out VALUES (?, ?, ?, ?)", rows)

    def left_out(self) -> tuple[LeftOut, ...]:
        """Return the instances that count no more, in the order of their moments."""
        known = "SELECT 1 FROM sqlite_schema WHERE name = 'left_out'"
        if not self._connection.execute(known).fetchone():
            return ()
        rows = self._connection.execute("SELECT subject, since, text, addresses FROM left_out ORDER BY since")
        return tuple(
            LeftOut(subject, since, text, tuple(rest.split())) for subject, since, text, rest in rows
        )

    def probes(self) -> tuple[Probe, ...]:
        """Return every probe, in the order they were made."""
        rows = self._connection.execute("SELECT id, kind, subject, name, target FROM probes ORDER BY id")
        return tuple(Probe(id_, Kind(kind), *rest) for id_, kind, *rest in rows)

    def samples(self) -> Iterator[tuple[int, Iterator[Sample]]]:
        """Yield each probe's id with its samples in the order they were sent, one probe after the other."""
        rows = self._connection.execute(
            "SELECT probe, sent, took, reply, coalesce(texts.text, ''), uptime FROM samples"
            " LEFT JOIN texts ON texts.id = samples.text ORDER BY probe, sent"
        )
        samples = (Sample(probe, sent, took, Reply(reply), *rest) for probe, sent, took, reply, *rest in rows)
        with closing(rows):
            yield from groupby(samples, key=attrgetter("probe"))

    def samples_of(self, probe: int, after: int, until: int) -> Iterator[Sample]:
        """Yield the samples of one probe that were sent after and until these times, in order."""
        rows = self._connection.execute(
            "SELECT probe, sent, took, reply, coalesce(texts.text, ''), uptime FROM samples"
            " LEFT JOIN texts ON texts.id = samples.text"
            " WHERE probe = ? AND sent > ? AND sent <= ? ORDER BY sent",
            (probe, after, until),
        )
        with closing(rows):
            for id_, sent, took, reply, *rest in rows:
                yield Sample(id_, sent, took, Reply(reply), *rest)

    def beats(self, after: int = 0) -> Iterator[Beat]:
        """Yield the prober's pulses in order, those after a time."""
        rows = self._connection.execute("SELECT * FROM beats WHERE at > ? ORDER BY at", (after,))
        return map(Beat._make, rows)

    def notes(self) -> tuple[Note, ...]:
        """Return the remarks in order."""
        rows = self._connection.execute("SELECT at, mark, text FROM notes ORDER BY at")
        return tuple(Note(at, Mark(mark), text) for at, mark, text in rows)


def since_when_left_out(left: Iterable[LeftOut], probe: Probe) -> int | None:
    """Return from which moment on a probe's samples count no more, or None."""
    return min((one.since for one in left if one.concerns(probe)), default=None)


def _make(path: Path) -> None:
    """Make an empty recording that is whole from the moment readers can see it."""
    half = path.with_suffix(".new")
    half.unlink(missing_ok=True)
    with closing(sqlite3.connect(half)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(_SCHEMA)
    half.rename(path)
