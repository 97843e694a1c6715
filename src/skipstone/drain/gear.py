"""What a drain works with: the APIs, the hosts, the record, and whom it tells."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from skipstone.cloud.api import ApiSilent
from skipstone.cloud.command import Transport
from skipstone.cloud.hostname import short
from skipstone.drain.model import Kind
from skipstone.drain.nova import Nova
from skipstone.drain.pace import Patience
from skipstone.drain.paperwork import Neutron, Placement
from skipstone.drain.places import Places
from skipstone.drain.record import Record
from skipstone.drain.targets import Rules
from skipstone.errors import InputError, SkipstoneError

T = TypeVar("T")


class Stuck(StrEnum):
    """What becomes of an instance that cannot be moved: stop for a person, leave it, or stop and move it."""

    PAUSE = "pause"
    LEAVE = "leave"
    COLD = "cold"


@dataclass(frozen=True)
class Options:
    """What the operator asks for; ``purpose`` names the plan or person in nova's disabled reason.

    ``empty`` says that nothing may stay on the host, on or off: it is to be installed anew.
    """

    rules: Rules = field(default_factory=Rules)
    stuck: Stuck = Stuck.PAUSE
    force_complete: bool = False
    cold: bool = False
    empty: bool = False
    purpose: str = "by hand"


class Phase(StrEnum):
    """Where an instance is on its way."""

    WAITS = "waits"
    MOVES = "moves"
    VERIFIES = "verifies"
    MOVED = "moved"
    STAYS = "stays"
    LEFT = "left"
    PAUSED = "paused"
    GONE = "gone"
    STUCK = "stuck"


@dataclass(frozen=True)
class News:
    """One thing to tell about an instance; ``done`` is the share of its bytes that have crossed."""

    id: str
    name: str
    phase: Phase
    text: str = ""
    target: str = ""
    kind: Kind | None = None
    done: float | None = None


class DrainRefused(InputError):  # noqa: N818 - reads as what happened
    """The host cannot be drained as things are; nothing was changed."""


class DrainStopped(SkipstoneError):  # noqa: N818 - reads as what happened
    """The drain stopped before its end and needs an operator; what was moved stays moved."""


class DrainPaused(DrainStopped):
    """It was asked to stop, and nothing else is wrong; what was on its way has come to its end."""


@dataclass(frozen=True)
class Gear:
    """Everything that a drain reaches the cloud with.

    ``names`` has the inventory's name of each host that nova knows and the inventory has. ``places`` are
    shared by all drains of one cloud on this machine.
    """

    nova: Nova
    placement: Placement
    neutron: Neutron
    transport: Transport
    names: Mapping[str, str]
    record: Record
    places: Places
    patience: Patience
    tell: Callable[[News], None]
    stopping: asyncio.Event

    async def ask(self, question: Callable[..., T], *arguments: object) -> T:
        """Put a read-only question to an API, again while it is silent; raise ApiSilent in the end."""
        limit = time.monotonic() + self.patience.api
        while True:
            try:
                return await asyncio.to_thread(question, *arguments)
            except ApiSilent:
                if time.monotonic() > limit:
                    raise
                await self.pause()

    async def pause(self) -> None:
        """Wait until it is time to ask again."""
        await asyncio.sleep(self.patience.poll)


def by_short_name(hosts: tuple[str, ...], wanted: str) -> str | None:
    """Return the host that is meant by a name, with or without its domain."""
    if wanted in hosts:
        return wanted
    return next((host for host in hosts if short(host) == short(wanted)), None)
