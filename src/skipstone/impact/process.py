"""Starting, finding and stopping the prober: a process of its own, which outlives whoever started it.

A directory belongs to at most one prober, by a lock on its pid file that the kernel releases with the
process: a pid of an earlier boot or of a stranger is never taken for a prober.
"""

import fcntl
import os
import signal
import struct
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from skipstone.errors import InputError, SkipstoneError
from skipstone.impact.recording import FILE, Mark, Recording
from skipstone.impact.spec import ProbeSpec

SPEC = "spec.json"
PID = "prober.pid"
LOG = "prober.log"
WANTED = "wanted"
"""A file that was touched when somebody last wanted the prober to go on."""
_START_LIMIT = 60.0
_STOP_LIMIT = 60.0
_POLL = 0.1
_FLOCK = struct.Struct("hhqqi")
"""struct flock of 64-bit Linux: type, whence, start, length, pid"""


@dataclass(frozen=True)
class ProbeHandle:
    """A running prober."""

    directory: Path
    pid: int


def start_probes(spec: ProbeSpec, directory: Path) -> ProbeHandle:
    """Start a prober and return when it probes; where one is running already, return that one.

    A later start in the same directory goes on with the same recording. Raise SkipstoneError, with the end
    of the prober's log, where it does not come up: the API refuses the credentials, or it may not ping.
    """
    if pid := running(directory):
        return ProbeHandle(directory, pid)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / SPEC).write_text(spec.model_dump_json(indent=2))
    before = _count(directory, Mark.BEGAN)
    pid = _spawn(directory)
    deadline = time.monotonic() + _START_LIMIT
    while time.monotonic() < deadline:
        if _ended(directory, pid):
            raise _failure(directory, "the probes ended at once")
        if _count(directory, Mark.BEGAN) > before:
            return ProbeHandle(directory, pid)
        time.sleep(_POLL)
    _end(directory, pid, signal.SIGKILL)
    raise _failure(directory, f"the probes did not begin in {_START_LIMIT:g} s")


def stop_probes(directory: Path) -> None:
    """Stop the prober of a directory and let it remove what it made; harmless where none is running.

    What a killed prober left in the cloud is removed here. What cannot be removed is in its recording.
    """
    pid = running(directory)
    if pid is None and _count(directory, Mark.BEGAN) > _count(directory, Mark.ENDED):
        pid = _spawn(directory, "--clean")
        _wait(directory, pid)
    elif pid is not None:
        _end(directory, pid, signal.SIGTERM)


def want_probes(directory: Path) -> None:
    """Say that the prober of a directory is wanted still: its hours are counted from now on."""
    with suppress(OSError):  # a full disk: it is said again
        (directory / WANTED).touch()


def wanted_since(directory: Path) -> float:
    """Return when that was said last, in seconds since the epoch, or 0."""
    try:
        return (directory / WANTED).stat().st_mtime
    except OSError:
        return 0.0


def _end(directory: Path, pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
    if not _wait(directory, pid):
        os.kill(pid, signal.SIGKILL)
        _wait(directory, pid)


def _wait(directory: Path, pid: int) -> bool:
    """Wait for a prober's end; return whether it ended in time."""
    deadline = time.monotonic() + _STOP_LIMIT
    while time.monotonic() < deadline:
        if _ended(directory, pid):
            return True
        time.sleep(_POLL)
    return False


def _ended(directory: Path, pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG) != (0, 0)
    except ChildProcessError:
        # started by somebody else, such as the run before this one
        return running(directory) != pid


def running(directory: Path) -> int | None:
    """Return the pid of the directory's prober, or None where none is running.

    The kernel says who holds the lock; the number in the file is for people only.
    """
    question = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    try:
        with (directory / PID).open("rb+") as file:
            kind, _, _, _, pid = _FLOCK.unpack(fcntl.fcntl(file, fcntl.F_GETLK, question))
    except FileNotFoundError:
        return None
    return None if kind == fcntl.F_UNLCK else pid


def claim(directory: Path) -> IO[str]:
    """Take the directory for this process and return the open pid file, which holds the lock.

    Raise InputError where another prober has it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    file = (directory / PID).open("a+")
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError) as fault:
        file.close()
        raise InputError(
            "probes are running here already",
            where=str(directory),
            remedy="stop them or name another directory",
        ) from fault
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def _spawn(directory: Path, *options: str) -> int:
    """Start a prober in a session of its own and return its pid."""
    command = [
        sys.executable,
        "-m",
        "skipstone.impact",
        "--spec",
        str(directory / SPEC),
        "--out",
        str(directory),
    ]
    log = (os.POSIX_SPAWN_OPEN, 1, str(directory / LOG), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), log, (os.POSIX_SPAWN_DUP2, 1, 2)]
    return os.posix_spawn(sys.executable, [*command, *options], os.environ, file_actions=actions, setsid=True)


def _count(directory: Path, mark: Mark) -> int:
    if not (directory / FILE).exists():
        return 0
    with Recording.open(directory) as recording:
        return sum(note.mark is mark for note in recording.notes())


def _failure(directory: Path, what: str) -> SkipstoneError:
    log = directory / LOG
    tail = log.read_text(errors="replace").splitlines()[-5:] if log.exists() else []
    return SkipstoneError(what, where=str(log), evidence="\n".join(tail))
