"""The record of a drain: what was asked for each instance, before it was asked.

JSON lines in a file of the operator's machine; a line is on the disk before what follows from it is done. Who
reads it again, in another process after a kill, finds which attempt is open and goes on with it. A last line
that was cut off by a power failure or a full disk was not acted upon, and is dropped.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from skipstone.drain.model import Kind
from skipstone.drain.places import busy
from skipstone.drain.testimony import Attempt
from skipstone.errors import InputError, RunStopped

Json = Mapping[str, Any]


class Event(StrEnum):
    """What a line of the record tells."""

    BEGUN = "begun"
    SERVICE = "service"
    INTENT = "intent"
    ANSWER = "answer"
    ENDED = "ended"
    MENDED = "mended"
    TIDIED = "tidied"
    DRAINED = "drained"
    OPENED = "opened"


@dataclass(frozen=True)
class Trace:
    """What the record has of one instance; ``home`` is where it was before the drain.

    ``open`` is the attempt whose end is not known; ``at`` is where those before it have left the instance;
    ``need`` what it held in placement before.
    """

    id: str
    name: str
    home: str
    attempts: tuple[Attempt, ...] = ()
    open: Attempt | None = None
    away: bool = False
    at: str = ""
    need: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Service:
    """How the host's compute service was before: ``enabled``, or disabled for ``reason``."""

    enabled: bool
    reason: str = ""


@dataclass(frozen=True)
class Chapter:
    """One drain of the host, from its beginning to its opening.

    ``left`` are the instances that were left there because the operator's rule says so.
    """

    service: Service | None = None
    traces: Mapping[str, Trace] = field(default_factory=dict)
    left: tuple[str, ...] = ()
    drained: bool = False
    opened: bool = False
    begun: bool = False

    @property
    def away(self) -> tuple[Trace, ...]:
        """The instances that were moved off the host and not back."""
        return tuple(trace for trace in self.traces.values() if trace.away)

    def told(self, event: Json) -> "Chapter":
        """Return the chapter after one more line."""
        kind = Event(event["event"])
        if kind is Event.BEGUN:
            return replace(self, begun=True) if self.begun and not self.opened else Chapter(begun=True)
        if kind is Event.SERVICE:
            return replace(self, service=self.service or Service(event["enabled"], event["reason"]))
        if kind in {Event.DRAINED, Event.OPENED}:
            drained = kind is Event.DRAINED
            left = tuple(event.get("left", ())) if drained else self.left
            return replace(self, drained=drained, opened=not drained, left=left)
        trace = _retold(self.traces.get(event["instance"]), kind, event)
        return replace(self, traces={**self.traces, trace.id: trace})


def _retold(trace: Trace | None, kind: Event, event: Json) -> Trace:
    """Return an instance's trace after one more line about it."""
    if kind is Event.INTENT:
        attempt = _attempt(event)
        trace = trace or Trace(event["instance"], event["name"], event["source"])
        return replace(trace, attempts=(*trace.attempts, attempt), open=attempt, need=event["need"])
    if trace is None or trace.open is None:
        raise InputError(f"the record has {kind} for an instance of which nothing was asked")
    if kind is Event.ANSWER:
        return replace(
            trace, open=replace(trace.open, accepted=event["accepted"], refused=event.get("refused", ""))
        )
    if kind is Event.ENDED:
        moved = event["end"] == "moved"
        away = not trace.open.homeward if moved else trace.away
        at = trace.open.target if moved else trace.open.source
        return replace(trace, open=None, away=away and event["end"] != "gone", at=at)
    return trace


def _attempt(event: Json) -> Attempt:
    return Attempt(
        instance=event["instance"],
        number=event["number"],
        kind=Kind(event["kind"]),
        source=event["source"],
        target=event["target"],
        after=event["after"],
        asked=event["at"],
        homeward=event["homeward"],
    )


class Record:
    """An open record; one process at a time has it."""

    def __init__(self, path: Path, chapter: Chapter, descriptor: int, size: int) -> None:
        self.path = path
        self.chapter = chapter
        self._descriptor = descriptor
        self._size = size

    def append(self, kind: Event, /, **facts: object) -> None:
        """Write one line, and return when it is on the disk.

        Raise RunStopped where it cannot be written: then nothing that follows from it may be done.
        """
        event = {"event": str(kind), "at": time.time(), **facts}
        line = json.dumps(event, separators=(",", ":")).encode() + b"\n"
        try:
            self._write(line)
        except OSError as error:
            raise RunStopped(
                "the record of the drain cannot be written, so nothing more is asked of nova",
                where=str(self.path),
                evidence=str(error),
                remedy="make room on the disk, then repeat the command: it goes on where it was",
            ) from error
        self.chapter = self.chapter.told(event)

    def _write(self, line: bytes) -> None:
        os.ftruncate(self._descriptor, self._size)  # drops a line that was cut off
        rest = line
        while rest:  # it takes what it has room for, and refuses only the next
            rest = rest[os.write(self._descriptor, rest) :]
        os.fsync(self._descriptor)
        self._size += len(line)

    def intend(self, name: str, attempt: Attempt, need: Mapping[str, int]) -> Attempt:
        """Write down an attempt before it is made, and return it as the record has it."""
        facts = {key: value for key, value in asdict(attempt).items() if key not in _OF_ANSWER}
        self.append(Event.INTENT, name=name, need=dict(need), **facts)
        written = self.chapter.traces[attempt.instance].open
        assert written is not None  # noqa: S101 - for the type checker
        return written


_OF_ANSWER = {"accepted", "refused", "asked"}


@contextmanager
def open_record(path: Path, host: str) -> Iterator[Record]:
    """Yield the record of a host's drain, made where there is none; hold its lock as long.

    Raise RunLocked where another process has it, InputError where it is not a record or another host's.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        _lock(descriptor, path, host)
        text = path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        _sync_directory(path.parent)
        yield Record(path, _read(whole, path, host), descriptor, len(whole))
    finally:
        os.close(descriptor)


@contextmanager
def read_only(path: Path, host: str) -> Iterator[Record]:
    """Yield a record to be read, without its lock; an empty one where there is none."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        text = b""
    yield Record(path, _read(text[: text.rfind(b"\n") + 1], path, host), -1, 0)


def _lock(descriptor: int, path: Path, host: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise busy(host, path) from error


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(text: bytes, path: Path, host: str) -> Chapter:
    chapter = Chapter()
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            event = json.loads(line)
            if event.get("event") == Event.BEGUN and event["host"] != host:
                raise InputError(
                    f"this is the record of {event['host']}, not of {host}",
                    where=f"{path}:{number}",
                    remedy="give each host a record of its own",
                )
            chapter = chapter.told(event)
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise InputError(
                "this is not the record of a drain",
                where=f"{path}:{number}",
                evidence=str(error),
                remedy="name another file; do not edit a record",
            ) from error
    return chapter
