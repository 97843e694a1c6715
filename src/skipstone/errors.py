"""Every error that Skipstone raises on purpose.

    SkipstoneError                 what happened, where, the evidence, what to do
    ├── InputError         exit 2  the operator's input is wrong; nothing was changed
    │   ├── CatalogError           a catalog file is invalid: file, line, field
    │   ├── UnknownRelease         no such release, or a route that goes backward
    │   ├── InventoryError         an inventory is invalid or names what does not exist
    │   └── PlanRefused            a plan that was edited, or made for another state of the cloud
    ├── Inhibited          exit 2  findings forbid the upgrade; nothing was changed
    ├── HostUnreachable    exit 4  no session with a host
    ├── RunLocked          exit 2  another run holds this cloud
    ├── RollbackRefused    exit 2  the run is past its point of no return
    ├── RunStopped         exit 4  the run stopped before its end and needs an operator
    │   └── EngineAway             the engine's database does not answer; no step was begun
    ├── ToolchainError     exit 4  a release's own commands cannot be had, or are not right
    └── LabError           exit 4  the lab could not be built, started or stopped

The exit code lives on the class, so that ``cli.main`` is the only place that exits.
"""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the process answers to the shell."""

    DONE = 0
    WARNINGS = 1
    REFUSED = 2
    ROLLED_BACK = 3
    NEEDS_OPERATOR = 4
    PAUSED = 75
    """Stopped where it was, as the run was to pause whose step it is; EX_TEMPFAIL: the same again goes on."""


class SkipstoneError(Exception):
    """An error with its place, its evidence and its remedy.

    ``what`` is one sentence; ``where`` names the host, file or step; ``evidence`` holds the lines that
    prove it (never a secret); ``remedy`` is what the operator does next.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.NEEDS_OPERATOR

    def __init__(self, what: str, *, where: str = "", evidence: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.evidence = evidence
        self.remedy = remedy
        if evidence:
            self.add_note(evidence)  # where a traceback is all there is to read: a test, a crash

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


class InputError(SkipstoneError):
    """The operator's input is wrong; nothing was changed."""

    exit_code = ExitCode.REFUSED


class CatalogError(InputError):
    """A catalog file is invalid; ``where`` is ``file:line: field``."""


class UnknownRelease(InputError):  # noqa: N818 - reads as what happened
    """No release has this name, or the route would go backward."""


class InventoryError(InputError):
    """An inventory is invalid or names what does not exist."""


class PlanRefused(InputError):  # noqa: N818 - reads as what happened
    """The plan was edited, is of another format, or was made for another state of the cloud."""


class Inhibited(SkipstoneError):  # noqa: N818 - reads as what happened
    """Findings forbid the upgrade; nothing was changed."""

    exit_code = ExitCode.REFUSED


class HostUnreachable(SkipstoneError):  # noqa: N818 - reads as what happened
    """No session with a host could be opened, or the one that was open is lost."""


class RunLocked(SkipstoneError):  # noqa: N818 - reads as what happened
    """Another run holds this cloud."""

    exit_code = ExitCode.REFUSED


class RollbackRefused(SkipstoneError):  # noqa: N818 - reads as what happened
    """What a run has done cannot be undone by Skipstone; nothing was changed."""

    exit_code = ExitCode.REFUSED


class RunStopped(SkipstoneError):  # noqa: N818 - reads as what happened
    """The run stopped before its end: a step failed, or the operator asked for it."""


class EngineAway(RunStopped):
    """The engine's database does not answer, so no step was begun."""


class ToolchainError(SkipstoneError):
    """A release's own commands could not be installed, or are not what they should be."""


class LabError(SkipstoneError):
    """The lab could not be built, started or stopped."""
