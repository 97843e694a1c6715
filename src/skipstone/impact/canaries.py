"""What canaries in instances say: whom they reach and whether their writes end, by their own clocks.

Nobody outside can ask an instance whether it reaches another one. A canary (``guest/canary.py``) tries, and
says in the line that carries its boot-id when it went well last; here that becomes samples, at the times when
it happened. So an outage inside is known although nobody could ask meanwhile:

    boot=ID tick=N up=SECONDS peers=10.0.0.5:ok@12.34,10.0.0.6:lost@9.10~3.00-7.20 write=/srv:ok@12.10

``NAME:STATE@LAST~FROM-TO``: good the last time at LAST, and the last time it was not was between FROM and TO,
each the end of a good one. All are seconds since boot. A line is a guest's word: eight of each are read.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import NamedTuple

from skipstone.impact.outage import went_back
from skipstone.impact.sample import MICROSECONDS, Kind, Reply
from skipstone.impact.spec import InstanceTarget

MOST = 8
"""Entries of one field that are read."""
NEIGHBOURS = 4
"""Instances that a canary is told of: each pings so many others, however many there are."""
INTRODUCE = 60 * MICROSECONDS
LATE = 3.0
"""Seconds after which a write that has not come to its end counts as lost."""

_FIELD = re.compile(rb"(?:^|\s)(peers|write)=([\x21-\x7e]*)")
_ENTRY = re.compile(
    r"(?:(?P<name>[^,\s@~]{1,200}):)?(?:(?P<state>ok|lost)@)?(?P<last>\d{1,10}(?:\.\d{1,6})?)"
    r"(?:~(?P<since>\d{1,10}(?:\.\d{1,6})?)-(?P<until>\d{1,10}(?:\.\d{1,6})?))?"
)
_JITTER = MICROSECONDS // 2


class Entry(NamedTuple):
    """One thing that a canary tries: ``last`` good, and ``past`` when it last was not; since boot."""

    name: str
    lost: bool
    last: float
    past: tuple[float, float] | None


class Word(NamedTuple):
    """One line of a canary; ``peers`` is None where it takes none."""

    peers: tuple[Entry, ...] | None
    writes: tuple[Entry, ...]


class Heard(NamedTuple):
    """One sample that a canary's line gives, with what names its probe."""

    kind: Kind
    subject: str
    name: str
    target: str
    sent: int
    reply: Reply
    text: str = ""


def read_word(content: bytes, up: float) -> Word:
    """Return what a line says, made at ``up``; what is not in its form, or in the future, is left out."""
    fields = {name: text.decode() for name, text in _FIELD.findall(content)}
    peers = fields.get(b"peers")
    return Word(
        None if peers is None else tuple(one for one in _entries(peers, up) if _is_address(one.name)),
        tuple(_entries(fields.get(b"write", ""), up)),
    )


def _entries(text: str, up: float) -> Iterator[Entry]:
    for part in text.split(",")[:MOST]:
        match = _ENTRY.fullmatch(part)
        if match is None or float(match["last"]) > up + 1:
            continue
        past = (float(match["since"]), float(match["until"])) if match["since"] else None
        if past and not past[0] < past[1] <= up + 1:
            past = None
        name = (match["name"] or "").strip("[]")
        yield Entry(name, match["state"] == "lost", float(match["last"]), past)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


@dataclass
class _Guest:
    """One instance's clock, and what it has said; ``booted`` is when its clock was zero, as we count."""

    boot: str = ""
    up: float = -1.0
    booted: int = 0
    takes: bool = False
    introduced: int | None = None
    address: str = ""
    recent: deque[int] = field(default_factory=lambda: deque(maxlen=8))
    told: dict[tuple[Kind, str], Entry] = field(default_factory=dict)

    def see(self, boot: str, up: float, received: int) -> bool:
        """Set the clock by a line; return whether it is a new one.

        A line is made some time before it comes, so of several the earliest zero is the nearest. A guest that
        stood still (its clock too) has a later one.
        """
        if boot != self.boot or went_back(self.up, up):
            self.boot, self.up, self.told = boot, -1.0, {}
            self.recent.clear()
        self.recent.append(received - int(up * MICROSECONDS))
        zero = min(self.recent)
        if len(self.recent) == 1 or zero < self.booted or zero > self.booted + _JITTER:
            self.booted = zero
        new, self.up = up > self.up, max(up, self.up)
        return new

    def at(self, second: float) -> int:
        """Return a second since boot as a sample's time."""
        return self.booted + int(second * MICROSECONDS)


class Canaries:
    """What all canaries of a cloud say, and whom they are told of, in a ring in the order of ``targets``."""

    def __init__(self, targets: Iterable[InstanceTarget]) -> None:
        self._addresses: dict[str, list[str]] = {}
        self._names: dict[str, str] = {}
        for target in targets:
            self._addresses.setdefault(target.id, []).append(target.address)
            # an address of several instances names none of them
            known = self._names.get(target.address)
            self._names[target.address] = target.name if known in {None, target.name} else target.address
        self._guests: dict[str, _Guest] = {}

    def hear(
        self, target: InstanceTarget, content: bytes, boot: str, up: float, received: int
    ) -> list[Heard]:
        """Return the samples in a line that an instance has served at ``received``."""
        word = read_word(content, up)
        if word.peers is None and not word.writes:
            return []
        guest = self._guests.setdefault(target.id, _Guest())
        guest.takes, guest.address = word.peers is not None, target.address
        if not guest.see(boot, up, received):
            return []
        entries = [(Kind.PAIR, one) for one in word.peers or ()]
        entries += [(Kind.DISK, _timely(one, up)) for one in word.writes]
        return [heard for kind, one in entries for heard in self._samples(guest, target, kind, one)]

    def due(self, now: int) -> list[tuple[str, tuple[str, ...]]]:
        """Return the canaries that are to be told of others now: their address, and those of the others."""
        ring = [id_ for id_ in self._addresses if id_ in self._guests and self._guests[id_].takes]
        told = []
        for place, id_ in enumerate(ring):
            guest = self._guests[id_]
            others = [ring[(place + step) % len(ring)] for step in range(1, min(NEIGHBOURS + 1, len(ring)))]
            if others and (guest.introduced is None or now - guest.introduced > INTRODUCE):
                guest.introduced = now
                addresses = (address for other in others for address in self._addresses[other])
                told.append((guest.address, tuple(one for one in addresses if ":" not in one)))
        return told

    def _samples(self, guest: _Guest, target: InstanceTarget, kind: Kind, entry: Entry) -> Iterator[Heard]:
        peer = self._names.get(entry.name, entry.name)
        name = f"{target.name} → {peer}" if kind is Kind.PAIR else f"{target.name} {entry.name}".strip()
        where = entry.name or "write"

        def heard(second: float, reply: Reply, text: str = "") -> Heard:
            return Heard(kind, target.id, name, where, guest.at(second), reply, text)

        known, guest.told[kind, entry.name] = guest.told.get((kind, entry.name)), entry
        if known and entry.past and entry.past != known.past:
            since, until = entry.past
            if since > known.last:
                yield heard(since, Reply.GOOD)
            # in its middle: a better reading of the guest's clock may have moved both ends a little
            yield heard((since + until) / 2, Reply.BAD, "lost")
            yield heard(until, Reply.GOOD)
        if known is None or entry.last > known.last:
            yield heard(entry.last, Reply.GOOD)
        if entry.lost:
            yield heard(guest.up, Reply.BAD, "lost")


def _timely(entry: Entry, up: float) -> Entry:
    """Return a write as lost where its last good end is too long ago: the next one hangs."""
    return entry._replace(lost=entry.lost or up - entry.last > LATE)
