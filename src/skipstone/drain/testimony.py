"""What is to be judged: what an attempt asked for, and what nova, the hosts and their like say of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from skipstone.drain.model import Instance, Kind, Migration
from skipstone.drain.truth import Answer, Sighting


@dataclass(frozen=True)
class Attempt:
    """One attempt: the request to move an instance from ``source`` to ``target``.

    ``after`` is the highest id of the instance's migrations before the request: this attempt's is later.
    ``asked`` is when (seconds since the epoch); ``refused`` is nova's word where it said no,
    and ``accepted`` is false while its answer is not known.
    """

    instance: str
    number: int
    kind: Kind
    source: str
    target: str
    after: int
    asked: float
    accepted: bool = False
    refused: str = ""
    homeward: bool = False

    def began(self, migration: Migration) -> bool:
        """Say whether a migration is what nova has made of this request."""
        return (
            migration.id > self.after
            and migration.type == _TYPES[self.kind]
            and migration.source == self.source
            and migration.target in {self.target, None}
        )


_TYPES = {Kind.LIVE: "live-migration", Kind.COLD: "migration"}
"""Nova's words; it calls a move cold to another flavor ``resize``, and one off a lost host ``evacuation``."""


@dataclass(frozen=True)
class Records:
    """What nova says now: the server (None: there is no such), and this attempt's migration if it has one.

    ``later`` is the last migration since then, which somebody else has asked for.
    """

    server: Instance | None
    migration: Migration | None = None
    later: Migration | None = None


def records_of(attempt: Attempt, server: Instance | None, migrations: Sequence[Migration]) -> Records:
    """Return what nova says of an attempt, of all migrations of its instance, the oldest first."""
    own = next((one for one in migrations if attempt.began(one)), None)
    since = own.id if own else attempt.after
    others = [one for one in migrations if one.id > since]
    return Records(server, own, others[-1] if others else None)


@dataclass(frozen=True)
class Evidence:
    """What the hosts say, and what placement and neutron have that does not fit where nova says it is.

    ``paperwork`` is None where one of them did not answer.
    """

    answers: Mapping[str, Answer] = field(default_factory=dict)
    paperwork: tuple[str, ...] | None = None

    def sightings(self, uuid: str) -> dict[str, Sighting]:
        """Return how each host has a guest."""
        return {host: answer.sighting(uuid) for host, answer in self.answers.items()}


def silence_of(attempt: Attempt, evidence: Evidence, seen: Mapping[str, Sighting]) -> tuple[str, str] | None:
    """Return which hosts have not said what they have, and what to do about it; None where all have."""
    ends = dict.fromkeys((attempt.source, attempt.target, *seen))
    unknown = [host for host in ends if seen.get(host, Sighting.UNKNOWN) is Sighting.UNKNOWN]
    if not unknown:
        return None
    said = (evidence.answers[host].evidence if host in evidence.answers else "not asked" for host in unknown)
    why = "; ".join(f"{host}: {words}" for host, words in zip(unknown, said, strict=True))
    fence = ", ".join(f"`openstack compute service set --down {host} nova-compute`" for host in unknown)
    remedy = (
        "repair that; or, where the host is lost: see to it that it stays off, say so to nova"
        f" ({fence}), evacuate what nova has there, then repeat this"
    )
    return f"libvirt does not say whether it has the guest ({why})", remedy
