"""A cgroup of one's own for each host, and for each build.

Without one, all hosts share ``/payload`` and stopping a unit fails with "Failed to kill control group ...
Input/output error". It is also how the lab finds and ends everything it started, even after its own crash.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from skipstone.errors import InputError, LabError

MOUNTS = Path("/proc/self/mounts")
JOIN = 'for procs in $CGROUPS; do echo 0 > "$procs"; done; unset CGROUPS; exec "$@"'


def hierarchies(mounts: Path = MOUNTS) -> tuple[Path, ...]:
    """Return where cgroups are made: the unified hierarchy, then systemd's own of version 1 where it exists.

    Raises InputError on a machine without cgroup version 2.
    """
    unified: list[Path] = []
    named: list[Path] = []
    for line in mounts.read_text().splitlines():
        _, where, kind, options = line.split()[:4]
        if kind == "cgroup2" and not unified:
            unified.append(Path(where))
        elif kind == "cgroup" and "name=systemd" in options.split(",") and not named:
            named.append(Path(where))
    if not unified:
        raise InputError(
            "the cgroup2 file system is not mounted",
            remedy="mount -t cgroup2 none /sys/fs/cgroup/unified",
        )
    return (*unified, *named)


class Cgroup:
    """One group of processes, named by a path such as ``sklab/ctl1``."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._paths = tuple(root / name for root in hierarchies())

    def start(
        self,
        argv: Sequence[str | Path],
        log: Path,
        *,
        leaf: str = "",
        environment: dict[str, str] | None = None,
    ) -> "subprocess.Popen[bytes]":
        """Start a program in the group, in a session of its own, its output going to ``log``."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            return subprocess.Popen(
                self.joining(argv, leaf=leaf),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, **(environment or {}), **self.joining_environment(leaf)},
            )

    def joining(self, argv: Sequence[str | Path], *, leaf: str = "") -> list[str]:
        """Return a command that first moves itself into the group (needs ``joining_environment``)."""
        for path in self._paths:
            (path / leaf).mkdir(parents=True, exist_ok=True)
        return ["sh", "-c", JOIN, "sh", *(str(word) for word in argv)]

    def joining_environment(self, leaf: str = "") -> dict[str, str]:
        """Return the environment of a ``joining`` command."""
        return {"CGROUPS": " ".join(str(path / leaf / "cgroup.procs") for path in self._paths)}

    def processes(self) -> list[int]:
        """Return the ids of every process in the group and below."""
        found: set[int] = set()
        for folder in self._folders():
            with contextlib.suppress(OSError):  # a group may go while it is read
                found.update(int(line) for line in (folder / "cgroup.procs").read_text().split())
        return sorted(found)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Hold every process of the group still, as between two instructions."""
        freezer = self._paths[0] / "cgroup.freeze"
        freezer.write_text("1")
        try:
            self._wait_frozen()
            yield
        finally:
            freezer.write_text("0")

    def kill(self, deadline: float = 20) -> None:
        """End every process of the group at once and remove the group.

        Raises LabError when a process is still there after ``deadline`` seconds.
        """
        end = time.monotonic() + deadline
        while processes := self.processes():
            for process in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            if time.monotonic() > end:
                raise LabError("processes do not end", where=self.name, evidence=f"ids {processes}")
            time.sleep(0.05)
        self._remove(end)

    def _remove(self, end: float) -> None:
        while any(path.is_dir() for path in self._paths):
            failure = ""
            for folder in reversed(self._folders()):
                try:
                    folder.rmdir()
                except OSError as error:
                    failure = str(error)
            if failure and time.monotonic() > end:
                raise LabError("a cgroup cannot be removed", where=self.name, evidence=failure)

    def _folders(self) -> list[Path]:
        # os.walk passes over groups that go while it walks, where Path.rglob raises
        return [Path(folder) for path in self._paths for folder, _, _ in os.walk(path)]

    def _wait_frozen(self) -> None:
        end = time.monotonic() + 10
        while "frozen 1" not in (self._paths[0] / "cgroup.events").read_text():
            if time.monotonic() > end:
                raise LabError("processes cannot be frozen", where=self.name)
            time.sleep(0.01)
