"""One run per cloud.

The lock is the kernel's (``flock``), so it ends with its holder, however that dies. Each holder gets a
token, higher than any before it, and marks with it what it writes: whoever comes later has fenced it off.
A record beside the lock tells who holds it. It may be lost, or older than the runs where these were restored
from a backup: so no token is given out that a journal has seen.
"""

import fcntl
import getpass
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter

from skipstone.errors import InputError, RunLocked
from skipstone.run.durable import replace_durably
from skipstone.run.journal import last_token
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


_LEASE = TypeAdapter(Lease)


@contextmanager
def hold_cloud(directory: Path, cloud: str, run: str, *, runs: Path) -> Iterator[Lease]:
    """Hold a cloud; raise RunLocked, naming the holder, where another process does.

    ``directory`` is where the locks are, ``runs`` where the journals are that the holder may write.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    record = directory / f"{escaped(cloud)}.json"
    lock = os.open(directory / f"{escaped(cloud)}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _locked(cloud, _read(record)) from error
        last = _read(record)
        lease = _new_lease(cloud, run, token=max(last.token if last else 0, _seen_in(runs)) + 1)
        replace_durably(record, _LEASE.dump_json(lease).decode())  # a token must never be given out twice
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


def _seen_in(runs: Path) -> int:
    """Return the highest token in any run's journal, for a rollback writes into its run's journal, too.

    One that cannot be read is left out: nobody can write it either, and it shall not keep the others.
    """
    highest = 0
    for journal in runs.glob("*/journal.db"):
        with suppress(InputError):
            highest = max(highest, last_token(journal))
    return highest


def _read(record: Path) -> Lease | None:
    """Return who held the cloud last, or None where nobody did, or nobody knows: the lock is what holds."""
    try:
        return _LEASE.validate_json(record.read_bytes(), strict=True)
    except (OSError, ValueError):
        return None


def _locked(cloud: str, holder: Lease | None) -> RunLocked:
    if holder is None:
        return RunLocked(f"another process has just taken the cloud {cloud}", remedy="try again in a moment")
    return RunLocked(
        f"the cloud {cloud} is held by run {holder.run}",
        where=f"{holder.who}@{holder.host}, process {holder.pid}",
        evidence=f"since {holder.since}",
        remedy=f"`skipstone status {holder.run}` shows where it stands; wait for it, or stop it with Ctrl-C",
    )
