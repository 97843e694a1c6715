"""One question of a probe, and what came back."""

from enum import IntEnum, StrEnum
from typing import NamedTuple

MICROSECONDS = 1_000_000


class Kind(StrEnum):
    """What a probe asks: an API to read or to write, an instance by ICMP or for its boot-id over HTTP."""

    READ = "read"
    WRITE = "write"
    PING = "ping"
    BOOT = "boot"

    @property
    def of_instance(self) -> bool:
        """Whether an instance is asked, and not an API."""
        return self in {Kind.PING, Kind.BOOT}


class Reply(IntEnum):
    """What a question came to.

    NOT_ASKED says that the probe could not ask (no valid token, its own resource missing, or it was
    stalled itself): that is neither a good reply nor an outage.
    """

    GOOD = 0
    BAD = 1
    NOT_ASKED = 2


class Probe(NamedTuple):
    """One probe: ``subject`` is the service or the instance's id, ``name`` what people call it."""

    id: int
    kind: Kind
    subject: str
    name: str
    target: str


class Sample(NamedTuple):
    """One question: ``sent`` in microseconds since the epoch, ``took`` in microseconds until its end.

    ``text`` is the reason of a reply that is not good, or the boot-id of a good one of an instance;
    ``uptime`` is what that instance said, in seconds.
    """

    probe: int
    sent: int
    took: int
    reply: Reply
    text: str = ""
    uptime: float | None = None

    @property
    def ended(self) -> int:
        """Microseconds since the epoch when the reply came or was given up."""
        return self.sent + self.took
