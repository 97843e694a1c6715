"""What to believe of an attempt to move an instance, and what to do next; pure.

The rules that everything else serves:

* an instance is moved only where libvirt has it at the target and nowhere else, nova's record says the same,
  and placement and neutron have nothing left of the move;
* another attempt begins only after the last one is known to be over, with the guest at its source alone, and
  counted there alone: what is left of a failed one would be taken along by the next;
* what cannot be asked is not known, and nothing is concluded from it;
* what its owner or somebody else has moved on since is theirs: the attempt is over where its source has no
  such guest;
* a guest on both hosts or on neither is shown to a person, and not touched.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from skipstone.drain.model import Instance, Kind, Migration
from skipstone.drain.pace import Patience
from skipstone.drain.testimony import Attempt, Evidence, Records, silence_of
from skipstone.drain.truth import Sighting


class Next(StrEnum):
    """What to do about an attempt."""

    WAIT = "wait"
    FOLLOW = "follow"
    LOOK = "look"
    CONFIRM = "confirm"
    MEND = "mend"
    TIDY = "tidy"
    MOVED = "moved"
    BACK = "back"
    GONE = "gone"
    MOVED_ON = "moved-on"
    STOP = "stop"


@dataclass(frozen=True)
class Verdict:
    """What to do next, and why."""

    next: Next
    reason: str = ""


@dataclass(frozen=True)
class Since:
    """For how many seconds a migration has been over, and how long what does not fit may last."""

    seconds: float
    patience: Patience

    def unsettled(self, reason: str) -> Verdict:
        """Wait for nova, placement and neutron to tidy up; STOP in the end."""
        return Verdict(Next.STOP if self.seconds > self.patience.settle else Next.WAIT, reason)

    def silent(self, reason: str, remedy: str = "") -> Verdict:
        """Wait for who does not answer; STOP in the end, with what is to be done."""
        if self.seconds > self.patience.api:
            return Verdict(Next.STOP, f"{reason}; {remedy}" if remedy else reason)
        return Verdict(Next.WAIT, reason)


FAILED = frozenset({"error", "failed"})
"""Statuses of a migration that nova has given up: it takes nothing away any more, wherever the guest is."""


def by_records(attempt: Attempt, records: Records, since: float, patience: Patience) -> Verdict:
    """Judge by nova's records alone, ``since`` seconds after the request: LOOK where the hosts must be asked.

    Never an end but BACK, where nova cannot have begun anything.
    """
    server, migration, later = records.server, records.migration, records.later
    if server is None:
        return Verdict(Next.LOOK, "nova has no such instance any more")
    if later and later.running:
        return Verdict(Next.WAIT, f"migration {later.id}, which is none of this attempt's, is {later.status}")
    if migration is None:
        return _not_begun(attempt, server, since, patience)
    overtaken = later is not None and server.host != attempt.source
    if migration.running and not overtaken:
        return Verdict(Next.FOLLOW, f"migration {migration.id} is {migration.status}")
    return _over(attempt, server, migration)


def _over(attempt: Attempt, server: Instance, migration: Migration) -> Verdict:
    """Judge a migration that nova has left: the hosts are asked once nova is done with the instance too."""
    if server.status == "VERIFY_RESIZE" and not server.task and attempt.kind is Kind.COLD:
        return Verdict(Next.LOOK, "it waits for the confirmation of its move")
    given_up = server.status == "ERROR" and migration.status in FAILED
    if server.task and not given_up:
        return Verdict(Next.WAIT, f"nova is still at work on it: {server.task}")
    return Verdict(Next.LOOK, f"migration {migration.id} is {migration.status}")


def _not_begun(attempt: Attempt, server: Instance, since: float, patience: Patience) -> Verdict:
    """Judge an attempt of which nova has no migration: refused, on its way, or never asked for."""
    if attempt.refused:
        return Verdict(Next.BACK, f"nova refused: {attempt.refused}")
    if server.task or since < patience.appear:
        return Verdict(Next.WAIT, "nova has not begun yet")
    if server.host != attempt.source:
        return Verdict(
            Next.LOOK, f"nova has no migration of it, but says it is on {server.host or 'no host'}"
        )
    return Verdict(Next.BACK, "nova has no trace of the request: it never arrived")


def by_evidence(attempt: Attempt, records: Records, evidence: Evidence, since: Since) -> Verdict:
    """Judge a migration that is over by what the hosts say."""
    seen = evidence.sightings(attempt.instance)
    server = records.server
    if server and (reason := _moved_on(server, attempt, records, seen)):
        return Verdict(Next.MOVED_ON, reason)
    if silence := silence_of(attempt, evidence, seen):
        return since.silent(*silence)
    places = tuple(host for host, sighting in seen.items() if sighting is not Sighting.ABSENT)
    if server is None:
        return _deleted(places, seen, since)
    if _confirming(server, attempt, records, seen):
        return Verdict(Next.CONFIRM, "it has moved, and waits for the confirmation")
    if len(places) != 1:
        return since.unsettled(_scattered(places, server, evidence, seen))
    return _in_one_place(places[0], attempt, records, evidence, since)


def _moved_on(server: Instance, attempt: Attempt, records: Records, seen: Mapping[str, Sighting]) -> str:
    """Return where an instance is that was moved on after its attempt, or nothing.

    The source must say that it has it no more: only then can nothing of the attempt be carried out there.
    What other hosts say does not matter where somebody has moved it since: it is theirs.
    """
    if server.host == attempt.source or seen.get(attempt.source) is not Sighting.ABSENT:
        return ""
    places = [host for host, sighting in seen.items() if sighting is not Sighting.ABSENT]
    if server.status == "SHELVED_OFFLOADED" and not places:
        return "its owner has shelved it, and no host has it"
    at_target = places == [server.host] == [attempt.target] and server.status in _EXPECTED
    if records.later and not at_target:
        later = f"migration {records.later.id} ({records.later.type}) is none of this attempt's"
        return f"{_BY_OTHERS}: {later}; nova says {server.status} on {server.host or 'no host'}"
    if places == [server.host] != [attempt.target] and seen[places[0]] is not Sighting.UNKNOWN:
        return f"{_BY_OTHERS}: {seen[places[0]]} on {places[0]}, where nova has it"
    return ""


_BY_OTHERS = "moved on, by its owner or somebody else"


def _scattered(
    places: tuple[str, ...], server: Instance, evidence: Evidence, seen: Mapping[str, Sighting]
) -> str:
    """Say of a guest that is not on one host where it is, and what is to be done where that is clear."""
    here = server.host or ""
    if not places and here in seen and (why := evidence.answers[here].evidence):
        return f"nova has it on {here}, which is {why}: evacuate it, then repeat this ({_told(seen)})"
    count = "on more than one host" if places else "on neither host"
    waiting = "; its resize is to be confirmed or reverted first" if server.status == "VERIFY_RESIZE" else ""
    return f"the guest is {count}: {_told(seen)}{waiting}"


def _deleted(places: tuple[str, ...], seen: Mapping[str, Sighting], since: Since) -> Verdict:
    if places:
        return since.unsettled(f"nova has deleted it, but {_told(seen)}")
    return Verdict(Next.GONE, "its owner has deleted it")


def _in_one_place(
    place: str, attempt: Attempt, records: Records, evidence: Evidence, since: Since
) -> Verdict:
    """Judge a guest that exactly one host has."""
    sighting, server = evidence.sightings(attempt.instance)[place], records.server
    assert server is not None  # noqa: S101 - for the type checker: such a one is judged before
    if server.host != place:
        return since.unsettled(f"the guest is on {place}, nova says on {server.host}")
    if server.status == "ERROR":
        return _in_error(place, sighting, since)
    own = records.migration if records.later is None else None
    failed = own is not None and own.status in FAILED
    if place == attempt.source:
        back = Verdict(Next.BACK, f"the guest is {sighting} on {place}, where it was")
        return _settled(back, evidence.paperwork, since, failed=failed)
    if place != attempt.target:
        return since.unsettled(f"the guest is on {place}, not on {attempt.target}")
    if sighting is not _EXPECTED.get(server.status):
        return since.unsettled(f"nova says {server.status}, but the guest is {sighting} on {place}")
    moved = Verdict(Next.MOVED, f"{sighting} on {place}, absent elsewhere")
    return _settled(moved, evidence.paperwork, since, failed=failed)


def _confirming(server: Instance, attempt: Attempt, records: Records, seen: Mapping[str, Sighting]) -> bool:
    """Say whether a cold migration waits for its confirmation, with the guest at the target alone running.

    Its source keeps the disk, and the definition of a guest that does not run. What waits because of a later
    resize is its owner's to confirm.
    """
    return (
        attempt.kind is Kind.COLD
        and records.later is None
        and server.status == "VERIFY_RESIZE"
        and server.host == attempt.target
        and seen[attempt.target] is not Sighting.ABSENT
        and seen[attempt.source] in {Sighting.ABSENT, Sighting.PRESENT}
        and all(
            sighting is Sighting.ABSENT
            for host, sighting in seen.items()
            if host not in {attempt.source, attempt.target}
        )
    )


_EXPECTED = {
    "ACTIVE": Sighting.RUNNING,
    "PAUSED": Sighting.PAUSED,
    "SHUTOFF": Sighting.PRESENT,
    "SUSPENDED": Sighting.PRESENT,
    "SHELVED": Sighting.PRESENT,
    "SOFT_DELETED": Sighting.PRESENT,
    "RESCUE": Sighting.RUNNING,
}
"""How libvirt has a guest of which nova says so; the last four its owner may make of it after its move."""


def _in_error(place: str, sighting: Sighting, since: Since) -> Verdict:
    """Judge a guest of which nova says ERROR, on the one host that has it, which nova names too.

    Only one that runs is mended: nova's word for that is ``active``, and for a paused one it would be wrong.
    """
    if sighting is Sighting.RUNNING:
        return Verdict(Next.MEND, f"nova says ERROR, but the guest runs on {place} and nowhere else")
    return since.unsettled(f"nova says ERROR, and the guest is {sighting} on {place}")


def _settled(verdict: Verdict, paperwork: tuple[str, ...] | None, since: Since, *, failed: bool) -> Verdict:
    """Return a verdict where placement and neutron fit it; after one that ``failed`` nobody tidies up."""
    if paperwork is None:
        return since.silent("placement or neutron do not answer")
    if paperwork:
        waiting = since.unsettled("; ".join(paperwork))
        return Verdict(Next.TIDY, waiting.reason) if failed and waiting.next is Next.STOP else waiting
    return verdict


def _told(seen: Mapping[str, Sighting]) -> str:
    return ", ".join(f"{host}: {sighting}" for host, sighting in sorted(seen.items()))
