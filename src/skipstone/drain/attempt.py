"""One attempt at moving an instance, from the request to what is certain of its end."""

import asyncio
import time
from collections.abc import Callable, Iterable

from skipstone.cloud.api import ApiSilent
from skipstone.drain.gear import Gear, News, Phase
from skipstone.drain.judgement import Next, Since, Verdict, by_evidence, by_records
from skipstone.drain.model import Compute, Instance, Kind, Migration, Progress
from skipstone.drain.pace import Watch, load, longest
from skipstone.drain.record import Event
from skipstone.drain.targets import Need
from skipstone.drain.testimony import Attempt, Evidence, Records, records_of
from skipstone.drain.tidying import Tidying
from skipstone.drain.wire import Reply
from skipstone.drain.witness import hosts_say

_ENDS = {Next.MOVED: "moved", Next.BACK: "back", Next.GONE: "gone", Next.MOVED_ON: "gone"}
"""The record's words."""


async def begin(gear: Gear, instance: Instance, attempt: Attempt, need: Need) -> Attempt:
    """Write an attempt down, make the request, and return the attempt with nova's answer.

    No answer is no answer: the request may have been carried out, and what nova then has shows it.
    """
    written = gear.record.intend(instance.name, attempt, need)
    ask = gear.nova.live_migrate if attempt.kind is Kind.LIVE else gear.nova.cold_migrate
    try:
        reply = await asyncio.to_thread(ask, instance.id, attempt.target)
    except ApiSilent:
        return written
    gear.record.append(Event.ANSWER, instance=instance.id, accepted=not reply.refused, refused=reply.refused)
    answered = gear.record.chapter.traces[instance.id].open
    assert answered is not None  # noqa: S101 - for the type checker
    return answered


class Pursuit:
    """Follows one attempt to its end.

    ``ends`` are the hosts that it is on and goes to, ``need`` is what it shall hold on either.
    """

    def __init__(
        self,
        gear: Gear,
        instance: Instance,
        attempt: Attempt,
        ends: Iterable[Compute],
        need: Need,
        *,
        force: bool,
    ) -> None:
        self._gear = gear
        self._instance = instance
        self._attempt = attempt
        self._tidying = Tidying(gear, ends, need, attempt.kind)
        self._force = force
        self._gib = load(instance.flavor.ram, instance.local_disk)
        self._watch = Watch(self._gib, gear.patience, asked=time.monotonic())
        self._over: float | None = None
        self._idle: float | None = None
        self._mended = False
        self._forced: float | None = None
        self._aborted: float | None = None
        self.stuck = ""
        """Why the migration was ended by us, where it was."""

    async def see_through(self) -> Verdict:
        """Return its end, which the record then has, or STOP, which leaves the attempt open."""
        while True:
            try:
                verdict = await self._judge()
            except ApiSilent as silence:
                return Verdict(Next.STOP, f"{silence}; what nova does with it goes on ({silence.evidence})")
            if verdict.next in _ENDS:
                reason = f"{self.stuck}; {verdict.reason}" if self.stuck else verdict.reason
                self._gear.record.append(
                    Event.ENDED, instance=self._instance.id, end=_ENDS[verdict.next], reason=reason
                )
                return Verdict(verdict.next, reason)
            if verdict.next is Next.STOP:
                return verdict
            await self._gear.pause()

    async def _judge(self) -> Verdict:
        records = await self._records()
        since = time.time() - self._attempt.asked
        verdict = by_records(self._attempt, records, since, self._gear.patience)
        if verdict.next is Next.FOLLOW and records.migration:
            self._over = None
            return await self._follow(records.migration)
        if verdict.next is Next.WAIT:
            return self._bounded(verdict)
        if verdict.next is Next.LOOK:
            self._idle = None
            return await self._look(records)
        return verdict

    async def _records(self) -> Records:
        uuid = self._instance.id
        # the migration first: one that is over by then has left its marks in the server
        migrations = await self._gear.ask(self._gear.nova.migrations, uuid)
        server = await self._gear.ask(self._gear.nova.instance, uuid)
        return records_of(self._attempt, server, migrations)

    def _bounded(self, verdict: Verdict) -> Verdict:
        """Let nova be at work for so long and no longer."""
        now = time.monotonic()
        self._idle = now if self._idle is None else self._idle
        if now - self._idle > self._gear.patience.begin:
            return Verdict(Next.STOP, f"after {now - self._idle:.0f} s: {verdict.reason}")
        self._say(Phase.MOVES, verdict.reason)
        return verdict

    async def _follow(self, migration: Migration) -> Verdict:
        """Watch a running migration; end it where it is stuck."""
        if self._attempt.kind is Kind.COLD:
            return self._follow_cold(migration)
        if not migration.cancellable:
            return self._bounded(Verdict(Next.WAIT, f"migration {migration.id} is {migration.status}"))
        self._idle = None
        progress = await self._gear.ask(self._gear.nova.progress, self._instance.id, migration.id)
        self._say(Phase.MOVES, migration.status, progress)
        now = time.monotonic()
        if migration.status == "queued":
            self._watch.queued(now)
        stuck = self._watch.stuck(now, progress)
        if stuck or self._aborted is not None:
            return await self._unstick(migration, stuck, self._watch.last_pass(now, progress))
        return Verdict(Next.FOLLOW, migration.status)

    def _follow_cold(self, migration: Migration) -> Verdict:
        self._say(Phase.MOVES, migration.status)
        spent = time.time() - self._attempt.asked
        if spent > longest(self._gib) + self._gear.patience.begin:
            return Verdict(Next.STOP, f"its cold migration is {migration.status} after {spent:.0f} s")
        return Verdict(Next.FOLLOW, migration.status)

    async def _unstick(self, migration: Migration, stuck: str, last_pass: float) -> Verdict:
        """Push a migration to its end where that is allowed, else end it; STOP where nova does not obey.

        One that was told to complete is aborted only after the time in which all of its bytes could cross.
        """
        now = time.monotonic()
        if self._aborted is not None:
            if now - self._aborted > self._gear.patience.settle:
                return Verdict(Next.STOP, f"{self.stuck}; nova was told to abort it, and does not")
            return Verdict(Next.FOLLOW, "being aborted")
        if self._force and migration.status == "running":
            if self._forced is None:
                self._forced = now
                reply = await self._order(self._gear.nova.force_complete, migration)
                self._say(Phase.MOVES, f"{stuck}: told to complete{f' ({reply})' if reply else ''}")
                return Verdict(Next.FOLLOW, stuck)
            if now - self._forced < last_pass:
                return Verdict(Next.FOLLOW, "being completed")
        self._aborted, self.stuck = now, stuck
        self._say(Phase.MOVES, f"{stuck}: aborted")
        await self._order(self._gear.nova.abort, migration)
        return Verdict(Next.FOLLOW, stuck)

    async def _order(self, order: Callable[[str, int], Reply], migration: Migration) -> str:
        """Give nova an order about a migration; what it does is seen afterwards, answer or not."""
        try:
            return (await asyncio.to_thread(order, self._instance.id, migration.id)).refused
        except ApiSilent as silence:
            return str(silence)

    async def _look(self, records: Records) -> Verdict:
        """Ask the hosts, and judge; mend and confirm where that is the judgement."""
        now = time.monotonic()
        if self._over is None:
            self._over = now
            self._say(Phase.VERIFIES)
        evidence = await self._evidence(records)
        since = Since(now - self._over, self._gear.patience)
        verdict = by_evidence(self._attempt, records, evidence, since)
        if verdict.next is Next.CONFIRM:
            await self._confirm()
        elif verdict.next is Next.MEND:
            return await self._mend(verdict)
        elif verdict.next is Next.TIDY:
            return await self._tidy(verdict, records)
        elif verdict.next is Next.BACK:
            said = await self._gear.ask(self._gear.nova.complaint, self._instance.id)
            return Verdict(Next.BACK, f"{verdict.reason}; nova says: {said}" if said else verdict.reason)
        if verdict.next in {Next.CONFIRM, Next.WAIT}:
            self._say(Phase.VERIFIES, verdict.reason)
        return verdict

    async def _evidence(self, records: Records) -> Evidence:
        ends = {self._attempt.source, self._attempt.target}
        if records.migration:
            ends |= {records.migration.source or "", records.migration.target or ""}
        if records.server:
            ends.add(records.server.host or "")
        by_host = await hosts_say(self._gear, sorted(ends - {""}))
        return Evidence(by_host, await self._tidying.faults(records))

    async def _confirm(self) -> None:
        try:
            await asyncio.to_thread(self._gear.nova.confirm, self._instance.id)
        except ApiSilent:
            return

    async def _mend(self, verdict: Verdict) -> Verdict:
        """Let nova's record say what libvirt has proven; once, for an ERROR that comes back is a real one."""
        if self._mended:
            return Verdict(Next.STOP, f"{verdict.reason}; it was mended once, and came back")
        self._mended = True
        self._gear.record.append(Event.MENDED, instance=self._instance.id, evidence=verdict.reason)
        try:
            reply = await asyncio.to_thread(self._gear.nova.say_active, self._instance.id)
        except ApiSilent as silence:
            return Verdict(Next.WAIT, str(silence))
        if reply.refused:
            return Verdict(Next.STOP, f"{verdict.reason}; nova does not let it be mended: {reply.refused}")
        self._say(Phase.VERIFIES, f"mended: {verdict.reason}")
        return Verdict(Next.WAIT, verdict.reason)

    async def _tidy(self, verdict: Verdict, records: Records) -> Verdict:
        """Tidy up after nova; once."""
        if self._tidying.done or not self._tidying.knows(records):
            return Verdict(Next.STOP, verdict.reason)
        self._over = None
        self._gear.record.append(Event.TIDIED, instance=self._instance.id, evidence=verdict.reason)
        self._say(Phase.VERIFIES, f"tidied up after a failed migration: {verdict.reason}")
        try:
            await self._tidying.tidy(records)
        except ApiSilent as silence:
            return Verdict(Next.WAIT, str(silence))
        return Verdict(Next.WAIT, verdict.reason)

    def _say(self, phase: Phase, text: str = "", progress: Progress | None = None) -> None:
        done = None
        if progress and progress.total and progress.remaining is not None:
            done = max(0.0, min(1.0, 1 - progress.remaining / progress.total))
        attempt = self._attempt
        self._gear.tell(
            News(
                self._instance.id,
                self._instance.name,
                phase,
                text,
                target=attempt.target,
                kind=attempt.kind,
                done=done,
            )
        )
