"""Where a guest really is: what libvirt says on the hosts, which goes before nova's records.

A host that cannot be asked is UNKNOWN, which is never taken for absence. Only its operator's word that it is
fenced is: nova has that (``forced_down``), and evacuates on no other ground.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from skipstone.cloud.command import Command, Transport
from skipstone.errors import HostUnreachable

DEADLINE = 60.0
_MARK = "skipstone-guests"
VIRSH = "timeout 40 virsh --connect qemu:///system"

SCRIPT = f"""
set -eu
all=$({VIRSH} list --uuid --all)
running=$({VIRSH} list --uuid --state-running)
paused=$({VIRSH} list --uuid --state-paused)
for uuid in $all; do echo present "$uuid"; done
for uuid in $running; do echo running "$uuid"; done
for uuid in $paused; do echo paused "$uuid"; done
echo {_MARK}
"""


class Sighting(StrEnum):
    """How one host's libvirt has a guest."""

    RUNNING = "running"
    PAUSED = "paused"
    PRESENT = "present"
    ABSENT = "absent"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Guests:
    """Every guest of one host, by UUID; a guest that is neither running nor paused is only ``present``."""

    present: frozenset[str] = frozenset()
    running: frozenset[str] = frozenset()
    paused: frozenset[str] = frozenset()

    def sighting(self, uuid: str) -> Sighting:
        """Return how the host has a guest."""
        for sighting, guests in (
            (Sighting.RUNNING, self.running),
            (Sighting.PAUSED, self.paused),
            (Sighting.PRESENT, self.present),
        ):
            if uuid in guests:
                return sighting
        return Sighting.ABSENT


@dataclass(frozen=True)
class Answer:
    """What one host said: its guests, or why nothing is known of them.

    ``evidence`` also says on whose word a host has no guests that cannot be asked.
    """

    guests: Guests | None
    evidence: str = ""

    def sighting(self, uuid: str) -> Sighting:
        """Return how the host has a guest; UNKNOWN where it did not say."""
        return self.guests.sighting(uuid) if self.guests else Sighting.UNKNOWN


async def guests_on(transport: Transport, host: str) -> Answer:
    """Ask one host's libvirt for its guests."""
    try:
        outcome = await transport.run(Command(host, SCRIPT), deadline=DEADLINE)
    except HostUnreachable as error:
        return Answer(None, f"{error.what}: {error.evidence}")
    lines = [line.split() for line in outcome.stdout.splitlines()]
    if not outcome.ok or [_MARK] not in lines:
        said = outcome.stderr.strip()[-300:] or "no whole answer"
        return Answer(None, said)
    return Answer(_parsed(lines))


def _parsed(lines: list[list[str]]) -> Guests:
    found: dict[str, set[str]] = {"present": set(), "running": set(), "paused": set()}
    for words in lines:
        if len(words) == 2 and words[0] in found:  # noqa: PLR2004 - a word and a UUID
            found[words[0]].add(words[1])
    return Guests(**{name: frozenset(uuids) for name, uuids in found.items()})


async def look(transport: Transport, hosts: Iterable[str]) -> Mapping[str, Answer]:
    """Ask several hosts at the same time."""
    names = list(dict.fromkeys(hosts))
    answers = await asyncio.gather(*(guests_on(transport, host) for host in names))
    return dict(zip(names, answers, strict=True))
