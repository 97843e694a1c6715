"""One run per cloud.

The lock is the kernel's (``flock``), so it ends with its holder, however that dies. Each holder gets a
token, higher than any before it, and marks with it what it writes: whoever comes later has fenced it off.
"""

import fcntl
import getpass
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from skipstone.errors import RunLocked
from skipstone.run.name import escaped


@dataclass(frozen=True)
class Lease:
    """Who holds a cloud, since when (UTC), for which run, and with which fencing token."""

    cloud: str
    run: str
    token: int
    who: str
    host: str
    pid: int
    since: str


@contextmanager
def hold_cloud(directory: Path, cloud: str, run: str) -> Iterator[Lease]:
    """Hold a cloud; raise RunLocked, naming the holder, where another process does."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    record = directory / f"{escaped(cloud)}.json"
    lock = os.open(directory / f"{escaped(cloud)}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _locked(cloud, _read(record)) from error
        last = _read(record)
        lease = _new_lease(cloud, run, token=(last.token if last else 0) + 1)
        _write(record, lease)
        yield lease
    finally:
        os.close(lock)


def holder_of(directory: Path, cloud: str) -> Lease | None:
    """Return who holds a cloud now, or None; asks the kernel, not the record."""
    path = directory / f"{escaped(cloud)}.lock"
    if not path.exists():
        return None
    lock = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(directory / f"{escaped(cloud)}.json")
    else:
        return None
    finally:
        os.close(lock)


def _new_lease(cloud: str, run: str, *, token: int) -> Lease:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return Lease(cloud, run, token, getpass.getuser(), socket.gethostname(), os.getpid(), since)


def _read(record: Path) -> Lease | None:
    try:
        return Lease(**json.loads(record.read_text()))
    except FileNotFoundError:
        return None


def _write(record: Path, lease: Lease) -> None:
    """Replace the record at once and durably: a token must never be given out twice."""
    draft = record.with_suffix(".new")
    with draft.open("w") as file:
        json.dump(asdict(lease), file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(record)


def _locked(cloud: str, holder: Lease | None) -> RunLocked:
    if holder is None:
        return RunLocked(f"another process has just taken the cloud {cloud}", remedy="try again in a moment")
    return RunLocked(
        f"the cloud {cloud} is held by run {holder.run}",
        where=f"{holder.who}@{holder.host}, process {holder.pid}",
        evidence=f"since {holder.since}",
        remedy=f"`skipstone status {holder.run}` shows where it stands; wait for it, or stop it with Ctrl-C",
    )
