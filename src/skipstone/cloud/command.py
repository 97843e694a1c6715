"""One script on one host, and its outcome.

A lost connection is UNKNOWN: never success, never failure (asyncssh returns no exit status when the peer
dies, and does not raise). Whoever gets UNKNOWN asks the host again.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

OPERATOR = "operator"
"""The place of a command that runs on the operator's machine, with the cloud's API credentials."""


@dataclass(frozen=True)
class Command:
    """A shell script (``/bin/sh``) for one host, or for ``OPERATOR``; run as root, or with sudo."""

    host: str
    script: str

    @property
    def stdin(self) -> bytes:
        """What ``sh -s`` reads: the whole script as one compound command, with no input of its own.

        A shell runs what it has read so far, so half a script, left by a connection lost while sending,
        would run as half an action; half a compound command is a syntax error. And a program of the script
        that reads its standard input (``rabbitmqctl`` does) finds it empty, not the rest of the script.
        """
        return f"{{\n{self.script}\n}} </dev/null\n".encode()


class Result(Enum):
    """How a command ended, as far as anyone knows."""

    EXITED = "exited"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Outcome:
    """What became of a command; ``code`` is None exactly where the result is UNKNOWN."""

    result: Result
    code: int | None
    stdout: str
    stderr: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the command is known to have exited with 0."""
        return self.code == 0


class Transport(Protocol):
    """Runs scripts on hosts; opened as an async context, closed with it."""

    async def run(self, command: Command, *, deadline: float) -> Outcome:
        """Run a script and wait for it, at most ``deadline`` seconds.

        The script is given on standard input to ``sh -s``, so it may be long and is not seen in a process
        list. After the deadline the outcome is UNKNOWN. Raise HostUnreachable where no session can be opened
        (nothing was run then), and InventoryError where there is no such host.
        """
        ...
