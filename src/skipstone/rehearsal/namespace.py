"""A network with loopback and nothing else, for processes that have to find each other."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from skipstone.errors import SkipstoneError

HOLD = Path(__file__).parent / "scripts" / "hold.py"


class LoopbackNetwork:
    """A network namespace whose loopback is up; a context, and it ends with this process too.

    ``way`` is what cuts a command off from every network (``isolate``); without one, processes share the
    machine's network. Entering raises SkipstoneError where loopback does not come up.
    """

    def __init__(self, way: tuple[str, ...]) -> None:
        self._way = way
        self._holder: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        if not self._way:
            return self
        self._holder = subprocess.Popen(
            (*self._way, sys.executable, "-I", str(HOLD)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # Ctrl-C is for us alone
        )
        assert self._holder.stdout is not None  # noqa: S101 - for the type checker: asked for above
        said = self._holder.stdout.readline()
        if said.strip() != "ready":
            rest = self._holder.stdout.read()
            self.__exit__(None, None, None)
            raise SkipstoneError(
                "the loopback of a network of our own does not come up", where=str(HOLD), evidence=said + rest
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._holder:
            self._holder.kill()
            self._holder.communicate()

    @property
    def prefix(self) -> Sequence[str]:
        """What to put before a command line."""
        if self._holder is None:
            return ()
        own = f"/proc/{self._holder.pid}/ns"
        user = (f"--user={own}/user", "--preserve-credentials") if "--user" in self._way else ()
        return ("nsenter", *user, f"--net={own}/net", "--")
