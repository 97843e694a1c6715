"""The journal of one run: an append-only file, and the only truth about the run.

SQLite in WAL mode: other processes read while it is written. What is meant to be done is on the disk when
``append`` returns, and so is all that was written before it; what a host has said waits for that, because
the host says it again (``SAID_AGAIN``). So a loss of power leaves a journal that ends earlier, and in which
no act is missing. Nothing in it is ever changed or removed (triggers refuse), and a process whose lock was
taken over cannot write any more (its fencing token is older than the file's newest).
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from skipstone.errors import InputError, RunStopped
from skipstone.run.durable import sync_directory
from skipstone.run.faults import armed_fault, reach
from skipstone.run.fold import Fold
from skipstone.run.runview import Event, RunView, StepView
from skipstone.run.standing import Standing, kept
from skipstone.run.state import ForbiddenMove, Kind, RunState

SCHEMA_VERSION = 2
"""Jobs have their run's mark in their names since 2: who does not know that would not find them."""
APPLICATION_ID = 0x534B4950  # "SKIP", so that file(1) and a reader know the file from any other database

SCHEMA = """
CREATE TABLE events (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    time    TEXT NOT NULL,
    token   INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    step    TEXT,
    attempt INTEGER,
    payload TEXT NOT NULL CHECK (json_valid(payload))
) STRICT;
CREATE INDEX events_by_step ON events (step, seq);
CREATE TRIGGER events_stay BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER events_last BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER events_fenced BEFORE INSERT ON events
    WHEN NEW.token < (SELECT token FROM events ORDER BY seq DESC LIMIT 1)
    BEGIN SELECT RAISE(ABORT, 'a later process has taken this run over'); END;
"""

INSERT = "INSERT INTO events (time, token, kind, step, attempt, payload) VALUES (?, ?, ?, ?, ?, ?)"

FROM_HOSTS = frozenset(
    {Kind.OUTPUT, Kind.OUTCOME, Kind.FAILURE, Kind.NO_ANSWER, Kind.VERIFIED, Kind.NOTHING_TO_DO}
)
"""Events that carry what hosts have printed, which is masked; a plan and its commands hold no secret."""

SAID_AGAIN = FROM_HOSTS | {Kind.SUBMITTED}
"""Events that do not wait for the disk: who goes on without them asks the host, and hears the same."""

KEPT_EVERY = 500
"""Events after which it is written where the run stands: who opens the journal folds no more than that."""

Listener = Callable[[Event, Fold], None]
Mask = Callable[[str], str]


class Journal:
    """Writes one run's journal; there is one writer, the holder of the cloud's lock.

    ``token`` is the lock's fencing token. ``listeners`` hear every event once it is written.
    """

    def __init__(self, path: Path, *, token: int, mask: Mask) -> None:
        self.path = path
        self.listeners: list[Listener] = []
        self._token = token
        self._mask = mask
        self._fault = armed_fault()
        self._waits = True
        with _told(path):
            self._file = _open_for_writing(path)
            _expect_sound(self._file)
            self._fold, self._unkept = _folded(self._file), 0
            self._standing = Standing(self._file, token)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(sqlite3.Error):  # what it would have said, the events say
            self._keep(least=1)
        self._file.close()

    @property
    def state(self) -> RunState:
        """Where the run stands."""
        return self._fold.state

    @property
    def view(self) -> RunView:
        """The whole run as it stands."""
        return self._fold.view

    def step(self, name: str) -> StepView:
        """Return where one step stands."""
        return self._fold.step(name)

    def intent(self, step: str) -> Mapping[str, Any]:
        """Return what the latest attempt at a step was begun with; there is one."""
        *_, latest = _events(self._file, 0, step, kind=Kind.INTENT)
        return latest.payload

    def output(self, step: str, attempt: int) -> str:
        """Return all that an attempt's job has printed so far."""
        texts = (
            event.payload["text"]
            for event in _events(self._file, 0, step, kind=Kind.OUTPUT)
            if event.attempt == attempt
        )
        return "".join(texts)

    def append(
        self, kind: Kind, *, step: str | None = None, attempt: int | None = None, **facts: object
    ) -> Event:
        """Write one event and return it once others can read it (in ``together``: at the block's end).

        It is on the disk then, with all before it, unless its kind is one that is SAID_AGAIN. Raise
        ForbiddenMove where the run's or the step's state does not allow it (a bug), RunStopped where it
        cannot be written: then nothing more may be done to the cloud.
        """
        self._fold.check(kind, step)
        payload = (
            {name: self._masked(value) for name, value in facts.items()} if kind in FROM_HOSTS else facts
        )
        reach(self._fault, f"before-{kind}", step)
        event = self._write(kind, step, attempt, payload)
        self._fold.add(event)
        reach(self._fault, f"after-{kind}", step)
        for listener in self.listeners:
            listener(event, self._fold)
        self._unkept += 1
        with self._told_as_stop():
            self._keep(least=KEPT_EVERY if step else 1)
        return event

    def _keep(self, *, least: int) -> None:
        """Write where the run stands, if there are so many events of which that does not tell."""
        if self._unkept >= least and not self._file.in_transaction:
            self._wait_for_disk(False)
            self._standing.keep(self._fold)
            self._unkept = 0

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write the events of a block, in which nothing is awaited, all or none; they are SAID_AGAIN."""
        with self._told_as_stop():
            self._wait_for_disk(False)
            self._file.execute("BEGIN")
            try:
                yield
            except BaseException:
                if self._file.in_transaction:  # SQLite itself has rolled back where the disk is full
                    self._file.execute("ROLLBACK")
                raise
            self._file.execute("COMMIT")

    def _masked(self, value: object) -> object:
        return self._mask(value) if isinstance(value, str) else value

    def _write(self, kind: Kind, step: str | None, attempt: int | None, payload: Mapping[str, Any]) -> Event:
        now = datetime.now(UTC)
        row = (now.isoformat(timespec="microseconds"), self._token, kind, step, attempt, json.dumps(payload))
        with self._told_as_stop():
            self._wait_for_disk(kind not in SAID_AGAIN)
            cursor = self._file.execute(INSERT, row)
        return Event(cursor.lastrowid or 0, now, self._token, kind, step, attempt, payload)

    def _wait_for_disk(self, wanted: bool) -> None:
        """Say whether the next commit waits for the disk; SQLite refuses a change amid a transaction."""
        if wanted is not self._waits:
            self._file.execute(f"PRAGMA synchronous = {'FULL' if wanted else 'NORMAL'}")
            self._waits = wanted

    @contextmanager
    def _told_as_stop(self) -> Iterator[None]:
        """Tell that the journal cannot be written as the end of this process's work."""
        try:
            yield
        except sqlite3.Error as error:
            raise RunStopped(
                "the journal cannot be written, so nothing more is done to the cloud",
                where=str(self.path),
                evidence=str(error),
                remedy="make room on the disk, or see who has taken the run over; then `skipstone resume`",
            ) from error


def read_events(path: Path, *, after: int = 0, step: str | None = None) -> list[Event]:
    """Return the events with a higher ``seq`` than ``after``, of one step or of all; the run may go on.

    Raise InputError where there is no journal, or it is damaged or of a later format.
    """
    with _told(path), closing(_open_for_reading(path)) as file:
        return list(_events(file, after, step))


def read_view(path: Path) -> RunView:
    """Return where a run stands; raise InputError as ``read_events`` does."""
    return read_fold(path).view


def read_fold(path: Path) -> Fold:
    """Return where a run stands, for later events to be added; raise InputError as ``read_events`` does."""
    with _told(path), closing(_open_for_reading(path)) as file:
        return _folded(file)


def _folded(file: sqlite3.Connection) -> Fold:
    """Return where a run stands, from where that was last written and the events since."""
    found = Fold.going_on(kept(file))
    for _ in _taken(found, _events(file, found.view.last_seq, None, in_brief=True)):
        pass
    return found


def _taken(fold: Fold, events: Iterable[Event]) -> Iterator[Event]:
    """Yield events once a fold has taken them; raise DatabaseError at one that no Skipstone has written."""
    for event in events:
        try:
            fold.add(event)
        except (ForbiddenMove, LookupError, TypeError, ValueError, AttributeError, StopIteration) as error:
            raise _senseless(event.seq, event.kind, repr(error)) from error
        yield event


def _senseless(seq: int, kind: str, why: str) -> sqlite3.DatabaseError:
    return sqlite3.DatabaseError(f"event {seq}, {kind}, makes no sense: {why}")


def follow(path: Path, fold: Fold) -> Iterator[Event]:
    """Yield the events that a fold has not taken yet, each once it has; raise InputError likewise."""
    events = read_events(path, after=fold.view.last_seq)
    with _told(path):
        yield from _taken(fold, events)


def is_begun(path: Path) -> bool:
    """Say whether a journal's run was ever started, at the cost of one event; raise InputError likewise."""
    with _told(path), closing(_open_for_reading(path)) as file:
        wanted = "SELECT 1 FROM events WHERE kind = ? LIMIT 1"
        return file.execute(wanted, (Kind.RUN_STARTED,)).fetchone() is not None


def last_token(path: Path) -> int:
    """Return the token of a journal's last event, 0 where it has none; raise InputError likewise."""
    with _told(path), closing(_open_for_reading(path)) as file:
        found = file.execute("SELECT token FROM events ORDER BY seq DESC LIMIT 1").fetchone()
        return int(found[0]) if found else 0


def _open_for_writing(path: Path) -> sqlite3.Connection:
    if not path.exists():
        path.touch(mode=0o600)
    file = sqlite3.connect(path, isolation_level=None, timeout=10)
    file.execute("PRAGMA journal_mode = WAL")
    file.execute("PRAGMA synchronous = FULL")
    if file.execute("PRAGMA user_version").fetchone()[0] == 0:
        file.executescript(
            f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id = {APPLICATION_ID};"
            f"PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        )
        sync_directory(path.parent)
    _check_format(file)
    return file


def _open_for_reading(path: Path) -> sqlite3.Connection:
    if not path.exists():
        raise InputError(
            "there is no journal here", where=str(path), remedy="`skipstone status` lists the runs"
        )
    file = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, timeout=10)
    _check_format(file)
    return file


def _check_format(file: sqlite3.Connection) -> None:
    application = file.execute("PRAGMA application_id").fetchone()[0]
    version = file.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION_ID:
        raise sqlite3.DatabaseError("this database is not a journal of Skipstone's")
    if version > SCHEMA_VERSION:
        raise sqlite3.DatabaseError(f"this journal has format {version}, made by a later Skipstone")


def _expect_sound(file: sqlite3.Connection) -> None:
    """Raise DatabaseError where the file is damaged, also where no event shows it: nobody may go on."""
    found = file.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise sqlite3.DatabaseError(str(found))


def _events(
    file: sqlite3.Connection,
    after: int,
    step: str | None,
    *,
    kind: Kind | None = None,
    in_brief: bool = False,
) -> Iterator[Event]:
    """Yield events of all, of one step, or of one kind of a step's.

    ``in_brief`` what no view shows is left out, most of a journal: intents' scripts.
    """
    rows = file.execute(
        "SELECT seq, time, token, kind, step, attempt,"
        " CASE WHEN ? AND kind IN (?, ?, ?) THEN NULL ELSE payload END"
        " FROM events WHERE seq > ? AND (? IS NULL OR step = ?) AND (? IS NULL OR kind = ?) ORDER BY seq",
        (in_brief, Kind.INTENT, Kind.SUBMITTED, Kind.VERIFIED, after, step, step, kind, kind),
    )
    last = after
    for seq, time, token, said, name, attempt, payload in rows:
        if step is None and seq != last + 1:
            raise sqlite3.DatabaseError(f"the events between {last} and {seq} are missing")
        last = seq
        facts = json.loads(payload) if payload else {}
        if not isinstance(facts, dict):
            raise _senseless(seq, said, "its facts have no names")
        yield Event(seq, datetime.fromisoformat(time), token, Kind(said), name, attempt, facts)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Tell a journal that cannot be read as the operator's error, with what to do."""
    try:
        yield
    except (sqlite3.Error, ValueError, KeyError) as error:
        raise InputError(
            "this journal cannot be read",
            where=str(path),
            evidence=str(error),
            remedy="restore the file from a backup, or use the version of Skipstone that wrote it; the hosts"
            " still hold each job's script, output and exit code",
        ) from error
