"""Moves one instance off a host: as often as it may be tried, and what then."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from skipstone.cloud.api import ApiSilent
from skipstone.drain.attempt import Pursuit, begin
from skipstone.drain.dock import Berth, Dock, NoTarget, StopAsked
from skipstone.drain.gear import Gear, News, Options, Phase, Stuck
from skipstone.drain.judgement import Next, Verdict
from skipstone.drain.model import Compute, Instance, Kind
from skipstone.drain.targets import Cargo, Need, cargo_of
from skipstone.drain.testimony import Attempt
from skipstone.drain.treatment import WISH, Judged, Treatment, Wish, treat
from skipstone.drain.tries import Tries


@dataclass(frozen=True)
class Ending:
    """What became of one instance."""

    id: str
    name: str
    phase: Phase
    reason: str
    target: str = ""
    kind: Kind | None = None

    @property
    def certain(self) -> bool:
        """Whether nothing is open about it."""
        return self.phase not in {Phase.STUCK, Phase.PAUSED}


@dataclass(frozen=True)
class Way:
    """What the moves of one drain share; ``homeward`` says that they go back to where they came from."""

    gear: Gear
    dock: Dock
    options: Options
    computes: Mapping[str, Compute]
    homeward: bool = False

    def compute(self, host: str) -> Compute:
        """Return a compute host; one of which nothing is known where nova has no such any more."""
        gone = Compute(host, node="", service="", enabled=False, up=False)
        return self.computes.get(host, gone)


class Mover:
    """Moves one instance off ``source``.

    It ends with what is certain, or STUCK, or PAUSED where the drain is to stop. An attempt that the record
    has open is gone on with first: no other begins while that one may still be carried out.
    """

    def __init__(self, way: Way, instance: Instance, source: Compute) -> None:
        self._way = way
        self._gear = way.gear
        self._options = way.options
        self._instance = instance
        self._source = source
        self._tries = Tries()
        self._cargo: Cargo | None = None
        self._kind: Kind | None = None
        self._last_migration = 0

    async def move(self) -> Ending:
        """Move it, and return what became of it."""
        try:
            ending = await self._move()
        except ApiSilent as silence:
            ending = self._ending(Phase.STUCK, f"{silence} ({silence.evidence})")
        self._gear.tell(
            News(ending.id, ending.name, ending.phase, ending.reason, target=ending.target, kind=ending.kind)
        )
        return ending

    async def _move(self) -> Ending:
        trace = self._gear.record.chapter.traces.get(self._instance.id)
        if trace and trace.open and (ending := await self._resumed(trace.open, trace.need)):
            return ending
        while True:
            judged = await self._ready()
            if isinstance(judged, Ending):
                return judged
            try:
                ending = await self._try(self._kind or Kind(judged.treatment))
            except NoTarget as none:
                ending = self._give_up(f"no host can take it: {none}")
            except StopAsked:
                return self._paused()
            if ending:
                return ending

    async def _resumed(self, attempt: Attempt, need: Need) -> Ending | None:
        """Go on with an open attempt; None where there is more to do.

        One of the other direction (a drain was stopped, and is now to be undone) only says where the instance
        sets out from.
        """
        berth = self._way.dock.resume(self._instance, need, attempt.source, attempt.target)
        ending = await self._pursue(attempt, berth)
        if attempt.homeward == self._way.homeward or (ending and ending.phase is not Phase.MOVED):
            return ending
        self._tries = Tries()
        if self._way.homeward:
            if ending is None:
                return self._ending(Phase.GONE, "it has not left")
            self._source = self._way.compute(attempt.target)
        return None

    async def _ready(self) -> Judged | Ending:
        """Return how it is moved, once nobody is at work on it; or its ending, where it is not moved."""
        limit = time.monotonic() + self._gear.patience.busy
        while True:
            if ending := await self._refreshed():
                return ending
            judged = await self._judged()
            if judged.treatment is not Treatment.WAITS:
                break
            if time.monotonic() > limit:
                return self._ending(Phase.STUCK, judged.reason)
            if self._gear.stopping.is_set():
                return self._paused()
            self._waits(judged.reason)
            await self._gear.pause()
        if judged.treatment is Treatment.STAYS:
            return self._ending(Phase.STAYS, judged.reason)
        if judged.treatment is Treatment.BLOCKS:
            leave = self._options.stuck is Stuck.LEAVE
            return self._ending(Phase.LEFT if leave else Phase.STUCK, judged.reason)
        return judged

    async def _judged(self) -> Judged:
        """Judge the instance as it is now; it WAITS while nova has a migration of it, whoever wanted that."""
        judged = treat(self._instance, cold=self._options.cold, empty=self._options.empty)
        migrations = await self._gear.ask(self._gear.nova.migrations, self._instance.id)
        self._last_migration = max((one.id for one in migrations), default=0)
        if migrations and migrations[-1].running:
            last = migrations[-1]
            return Judged(Treatment.WAITS, f"nova has migration {last.id} of it, which is {last.status}")
        return judged

    async def _refreshed(self) -> Ending | None:
        """Take what nova says of the instance now; return its ending where it has left the source."""
        now = await self._gear.ask(self._gear.nova.instance, self._instance.id)
        if now is None:
            return self._ending(Phase.GONE, "its owner has deleted it")
        if now.host != self._source.host:
            return self._ending(
                Phase.GONE, f"it is on {now.host or 'no host'} already", target=now.host or ""
            )
        self._instance = replace(now, nics=self._instance.nics, group=self._instance.group)
        return None

    async def _try(self, kind: Kind) -> Ending | None:
        """Make one attempt; return the ending, or None where there is another to be made."""
        if self._gear.stopping.is_set():
            return self._paused()
        held = await self._gear.ask(self._gear.placement.allocations, self._instance.id)
        tried = frozenset(self._tries.hosts)
        self._cargo = cargo_of(self._instance, held, self._source, tried, refused=self._tries.unfit)
        berth = await self._way.dock.take(self._cargo, self._waits, self._gear.stopping.is_set)
        attempt = await self._begun(kind, berth)
        if attempt is None:
            await self._way.dock.leave(berth, arrived=False)
            return None
        return await self._pursue(attempt, berth)

    def _waits(self, why: str) -> None:
        self._gear.tell(News(self._instance.id, self._instance.name, Phase.WAITS, why))

    async def _begun(self, kind: Kind, berth: Berth) -> Attempt | None:
        """Make the request; None where it was not made, because things have changed meanwhile."""
        if self._gear.stopping.is_set() or await self._refreshed():
            return None
        judged = await self._judged()
        if judged.treatment not in {Treatment.LIVE, Treatment.COLD}:
            return None
        attempt = Attempt(
            instance=self._instance.id,
            number=len(self._tries.hosts) + 1,
            kind=kind,
            source=self._source.host,
            target=berth.target,
            after=self._last_migration,
            asked=time.time(),
            homeward=self._way.homeward,
        )
        return await begin(self._gear, self._instance, attempt, berth.need)

    async def _pursue(self, attempt: Attempt, berth: Berth) -> Ending | None:
        """See an attempt through; return the ending, or None where another is to be made."""
        ends = (self._way.compute(host) for host in (attempt.source, attempt.target))
        pursuit = Pursuit(
            self._gear, self._instance, attempt, ends, berth.need, force=self._options.force_complete
        )
        verdict = await pursuit.see_through()
        await self._way.dock.leave(berth, arrived=verdict.next is not Next.BACK)
        return self._after(attempt, verdict, stuck=bool(pursuit.stuck))

    def _after(self, attempt: Attempt, verdict: Verdict, *, stuck: bool) -> Ending | None:
        if verdict.next is Next.MOVED:
            return self._ending(Phase.MOVED, verdict.reason, attempt.target, attempt.kind)
        if verdict.next is Next.GONE:
            return self._ending(Phase.GONE, verdict.reason)
        if verdict.next is Next.MOVED_ON:
            # as where it is found elsewhere without an attempt: it is left out of what comes back
            return self._ending(Phase.LEFT if self._way.homeward else Phase.GONE, verdict.reason)
        if verdict.next is Next.STOP:
            return self._ending(Phase.STUCK, verdict.reason, attempt.target, attempt.kind)
        self._tries.add(attempt.target, verdict.reason, stuck=stuck, likely=self._has_likely)
        return self._give_up("") if self._tries.enough else None

    def _has_likely(self) -> bool:
        left = self._cargo and replace(self._cargo, tried=frozenset(self._tries.hosts))
        return left is not None and self._way.dock.has_likely(left)

    def _give_up(self, reason: str) -> Ending | None:
        """Do what the operator wants done with what cannot be moved; None: it is stopped and moved now."""
        failures = self._tries.failures
        text = "; ".join([*failures, *([reason] if reason else [])])
        if self._options.stuck is Stuck.LEAVE:
            return self._ending(Phase.LEFT, text)
        wish = self._instance.metadata.get(WISH, "")
        if self._options.stuck is Stuck.COLD and self._kind is None and wish != Wish.LIVE and failures:
            self._kind, self._tries = Kind.COLD, Tries(failures=[text])
            return None
        return self._ending(Phase.STUCK, text)

    def _paused(self) -> Ending:
        return self._ending(Phase.PAUSED, "not begun: the drain was asked to stop")

    def _ending(self, phase: Phase, reason: str, target: str = "", kind: Kind | None = None) -> Ending:
        return Ending(self._instance.id, self._instance.name, phase, reason, target, kind)
