"""One question of a probe, and what came back."""

from enum import IntEnum, StrEnum
from typing import NamedTuple

MICROSECONDS = 1_000_000


class Kind(StrEnum):
    """What a probe asks.

    An API to read or to write; an instance by ICMP, by a connection to a port, or for its boot-id over HTTP.
    What a canary in an instance says: whether it reaches a peer (PAIR), and whether its writes end (DISK).
    """

    READ = "read"
    WRITE = "write"
    PING = "ping"
    TCP = "tcp"
    BOOT = "boot"
    PAIR = "pair"
    DISK = "disk"

    @property
    def of_api(self) -> bool:
        """Whether an API is asked."""
        return self in {Kind.READ, Kind.WRITE}

    @property
    def of_instance(self) -> bool:
        """Whether an instance is asked from outside."""
        return self in {Kind.PING, Kind.TCP, Kind.BOOT}

    @property
    def of_guest(self) -> bool:
        """Whether it is what a guest says of itself: it says the last good reply, not each one."""
        return self in {Kind.PAIR, Kind.DISK}

    @property
    def overlaps(self) -> bool:
        """Whether questions do not wait for the one before, so that replies come out of order."""
        return self in {Kind.PING, Kind.TCP}


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
