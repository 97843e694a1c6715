"""What a rehearsal takes of its machine: room on the disk, memory, and the processor's time."""

import os
import resource
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Self

from skipstone.rehearsal.report import Taken

PAUSE = 0.5
"""Seconds between two looks: what lasts shorter may be missed."""

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class Meter:
    """Looks, while its context lasts, at a server's directory and process, and at what else we started."""

    def __init__(self, directory: Path, server: int) -> None:
        self._directory, self._server = directory, server
        self._disk = self._commands = 0
        self._over = Event()
        self._thread = Thread(target=self._watch, daemon=True)
        self._load = os.getloadavg()[0]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def processor(self) -> float:
        """Return the seconds of processor time that the server and every ended command have had."""
        fields = _stat(self._server)
        ours = resource.getrusage(resource.RUSAGE_CHILDREN)
        return ours.ru_utime + ours.ru_stime + (int(fields[11]) + int(fields[12])) / TICKS

    def taken(self, dumps: int, processor: float) -> Taken:
        """Return the peaks so far; ``dumps`` are bytes, ``processor`` the seconds of the migrations."""
        return Taken(
            dumps=dumps,
            disk=self._disk,
            server=_peak(self._server),
            commands=self._commands,
            cores=os.cpu_count() or 1,
            load=self._load,
            processor=processor,
        )

    def _watch(self) -> None:
        while not self._over.wait(PAUSE):
            self._disk = max(self._disk, _size(self._directory))
            self._commands = max(self._commands, _memory_below(os.getpid(), self._server))


def _size(directory: Path) -> int:
    """Return the bytes that a directory has on the disk; files that go meanwhile count nothing."""
    total = 0
    for parent, _, names in os.walk(directory):
        for name in names:
            with suppress(OSError):
                total += os.lstat(f"{parent}/{name}").st_blocks * 512
    return total


def _memory_below(ancestor: int, but: int) -> int:
    """Return the resident bytes of a process's descendants, without those of one of them."""
    parents, sizes = {}, {}
    for path in PROC.glob("[0-9]*"):
        with suppress(OSError):
            fields = _stat(int(path.name))
            parents[int(path.name)], sizes[int(path.name)] = int(fields[1]), int(fields[21]) * PAGE
    found = {ancestor}
    while more := {pid for pid, parent in parents.items() if parent in found} - found - {but}:
        found |= more
    return sum(sizes[pid] for pid in found - {ancestor})


def _stat(pid: int) -> list[str]:
    """Return the fields of ``/proc/PID/stat`` behind the name, which may hold anything."""
    return (PROC / str(pid) / "stat").read_text().rpartition(") ")[2].split()


def _peak(pid: int) -> int:
    for line in (PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
