"""The prober: all probes of a cloud in one event loop, until it is told to stop.

Nothing in the loop blocks: logging in and writing to disk happen in threads. Once a second the prober
writes what it has and its own pulse, so that a time in which it did not run is known and is not taken for
a time in which all was well.
"""

import asyncio
import logging
import os
import resource
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from skipstone.errors import SkipstoneError
from skipstone.impact.api import ApiProbe, Client
from skipstone.impact.calls import QUESTIONS
from skipstone.impact.canaries import Canaries, Heard
from skipstone.impact.cleaning import clean
from skipstone.impact.clock import Clock
from skipstone.impact.credentials import CloudAccess, Credentials
from skipstone.impact.icmp import Pinger
from skipstone.impact.instance import BootProbe, PingProbe, TcpProbe
from skipstone.impact.owners import Owners
from skipstone.impact.recording import Beat, LeftOut, Mark, Note, Recording
from skipstone.impact.sample import MICROSECONDS, Kind, Probe, Sample
from skipstone.impact.spec import InstanceTarget, ProbeSpec
from skipstone.impact.survey import Asker, survey
from skipstone.impact.wire import Unserved, exchange, new_http

_log = logging.getLogger(__name__)

_BEAT = 1.0
_HOUR = 3600
_INTRODUCE = 5.0
_OWNERS = 0.5
_LEFT = 60.0
"""Seconds between two looks whether an instance that was left out is to be asked: it never is again."""
_NICENESS = -10
"""Measuring comes first: a probe that waits for the processor sees outages that are none."""


def _come_first() -> None:
    """Raise this process's priority, where it may: also that of its session, which Linux weighs first."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)
        Path("/proc/self/autogroup").write_text(str(_NICENESS), encoding="ascii")


async def repeat(
    ask: Callable[[], Awaitable[float | None]], interval: float, delay: float, stop: asyncio.Event
) -> None:
    """Call at a fixed rate until ``stop``, never twice at once; what was missed is not made up for.

    ``ask`` returns for how many seconds it is to be left alone in any case, if at all.

    It is not to be cancelled: aiohttp 3.14 now and then takes a cancellation for a failed connection, and
    whoever waits for the end would wait for ever.
    """
    loop = asyncio.get_running_loop()
    due = loop.time() + delay
    while not await _stopped(stop, due - loop.time()):
        rest = await ask()
        due = max(due + interval, loop.time() + (rest or 0))


async def _stopped(stop: asyncio.Event, seconds: float) -> bool:
    """Wait so long, or until ``stop``; return whether it was set."""
    with suppress(TimeoutError):
        async with asyncio.timeout(max(seconds, 0)):
            await stop.wait()
    return stop.is_set()


class Prober:
    """Asks everything that a specification names, and records it in one directory.

    ``wanted`` tells when somebody has last wanted it to go on, in seconds since the epoch.
    """

    def __init__(
        self,
        spec: ProbeSpec,
        recording: Recording,
        access: CloudAccess,
        *,
        wanted: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._spec = spec
        self._wanted = wanted
        self._recording = recording
        self._clock = Clock()
        self._access = access
        self._credentials = Credentials(access.fetch)
        self._samples: list[Sample] = []
        self._heard: list[Heard] = []
        self._left: list[LeftOut] = []
        self._canaries = Canaries(spec.instances)
        self._ids: dict[tuple[Kind, str, str], int] = {}
        self._beats: list[Beat] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Probe until ``stop`` is set or nobody has wanted it for so many hours, then remove what was made.

        Raise SkipstoneError where a first start can log in nowhere or may not ping; a later one, in the
        middle of an upgrade, starts in any case.
        """
        again = any(note.mark is Mark.BEGAN for note in self._recording.notes())
        _come_first()
        async with AsyncExitStack() as stack:
            client = await self._client(stack)
            await self._login(again=again)
            probes = [*self._apis(client), *await self._instances(stack, again=again)]
            owners = Owners(client, self._clock, self._spec.instances, self._recording.left_out())
            self._note(Mark.BEGAN)
            await self._probe(probes, owners, stop)
            await self._pulse()
            await self._flush()
            await self._clean(client)
            self._note(Mark.ENDED)

    async def clean(self) -> None:
        """Remove what an earlier prober had no time to remove; raise SkipstoneError without a token."""
        async with AsyncExitStack() as stack:
            client = await self._client(stack)
            await self._credentials.login()
            await self._clean(client)
            self._note(Mark.ENDED)

    async def _client(self, stack: AsyncExitStack) -> Client:
        http = await stack.enter_async_context(new_http(self._access.tls()))
        urls = {api.service: api.url for api in self._spec.apis}
        return Client(http, urls, self._credentials, self._spec.timeout)

    async def _login(self, *, again: bool) -> None:
        try:
            await self._credentials.login()
        except SkipstoneError:
            if not again:
                raise

    def _apis(self, client: Client) -> Iterator[tuple[float, Asker]]:
        pace = {Kind.READ: self._spec.read_interval, Kind.WRITE: self._spec.write_interval}
        for api in self._spec.apis:
            for kind, interval in pace.items():
                probe = self._recording.probe(kind, api.service, api.service, api.url)
                yield interval, ApiProbe(probe, QUESTIONS[api.service], client, self._clock)

    async def _instances(self, stack: AsyncExitStack, *, again: bool) -> list[tuple[float, Asker]]:
        """Return the probes of the instances: those that answer now, or that answered at the first start."""
        pinger = Pinger()
        stack.callback(pinger.close)
        http = await stack.enter_async_context(new_http(tls=True))
        limit, port = self._spec.timeout, self._spec.boot_port

        def asker(probe: Probe) -> Asker:
            if probe.kind is Kind.PING:
                return PingProbe(probe, pinger, self._clock, limit)
            if probe.kind is Kind.TCP:
                return TcpProbe(probe, self._clock, self._spec.tcp_port or port, limit)
            return BootProbe(probe, http, self._clock, port, limit, on_page=self._hear)

        if not again:
            await self._survey(asker)
        pace = {
            Kind.PING: self._spec.ping_interval,
            Kind.TCP: self._spec.tcp_interval,
            Kind.BOOT: self._spec.boot_interval,
        }
        found = [probe for probe in self._recording.probes() if probe.kind.of_instance]
        return [(pace[probe.kind], asker(probe)) for probe in found]

    async def _survey(self, asker: Callable[[Probe], Asker]) -> None:
        kinds = [Kind.PING, Kind.BOOT, *([Kind.TCP] if self._spec.tcp_port else [])]
        found, left_out = await survey(self._spec.instances, asker, kinds)
        for target, kind in found:
            self._recording.probe(kind, target.id, target.name, target.address)
        for line in left_out:
            self._note(Mark.LEFT_OUT, line)

    async def _probe(self, probes: list[tuple[float, Asker]], owners: Owners, stop: asyncio.Event) -> None:
        count = len(probes)
        async with asyncio.TaskGroup() as group:
            keeper = group.create_task(self._credentials.keep())
            group.create_task(repeat(self._pulse, _BEAT, 0, stop))
            group.create_task(repeat(self._flush, _BEAT, _BEAT, stop))
            group.create_task(repeat(self._introduce, _INTRODUCE, _INTRODUCE, stop))
            if any(api.service == "nova" for api in self._spec.apis):
                group.create_task(repeat(lambda: self._leave_out(owners), _OWNERS, _OWNERS, stop))
            for index, (interval, asker) in enumerate(probes):
                # spread over the interval, so that the cloud is not asked everything at once
                delay = interval * index / count
                group.create_task(repeat(self._recorded(asker, owners, group), interval, delay, stop))
            await self._forgotten(stop)
            stop.set()
            keeper.cancel()

    async def _forgotten(self, stop: asyncio.Event) -> None:
        """Wait until ``stop``, or until nobody has wanted it for its hours: whoever started it has died."""
        began = time.time()
        while (left := max(began, self._wanted()) + self._spec.hours * _HOUR - time.time()) > 0:
            if await _stopped(stop, left):
                return

    def _recorded(
        self, asker: Asker, owners: Owners, group: asyncio.TaskGroup
    ) -> Callable[[], Awaitable[float | None]]:
        async def ask() -> float:
            if asker.probe.subject in owners.left:
                return _LEFT
            # two lines: the list is another one where a flush came while the question was under way
            sample = await asker.ask()
            self._samples.append(sample)
            if asker.probe.kind.of_instance:
                owners.hear(asker.probe, sample)
            return asker.rest

        async def spawn() -> None:
            group.create_task(ask())

        return spawn if asker.overlaps else ask

    async def _leave_out(self, owners: Owners) -> None:
        """Leave out what its owner has made silent."""
        self._left += await owners.ask()

    def _hear(self, probe: Probe, content: bytes, boot: str, up: float, received: int) -> None:
        """Take what a canary says beside its boot-id; nothing of a survey, which has no probe yet."""
        if probe.id:
            target = InstanceTarget(id=probe.subject, name=probe.name, address=probe.target)
            self._heard += self._canaries.hear(target, content, boot, up, received)

    async def _introduce(self) -> None:
        """Tell canaries of one another; one that cannot be told is told again in a minute."""
        for address, peers in self._canaries.due(self._clock.now()):
            url = f"http://{address}:{self._spec.boot_port}/cgi-bin/peers?{','.join(peers)}"
            with suppress(Unserved):
                async with new_http(tls=True) as http:
                    await exchange(http, "GET", url, timeout=self._spec.timeout)

    async def _pulse(self) -> None:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        cpu = int((usage.ru_utime + usage.ru_stime) * MICROSECONDS)
        self._beats.append(Beat(self._clock.now(), cpu, usage.ru_maxrss * 1024))

    async def _flush(self) -> None:
        samples, self._samples = self._samples, []
        beats, self._beats = self._beats, []
        heard, self._heard = self._heard, []
        left, self._left = self._left, []
        try:
            await asyncio.to_thread(self._write, samples, heard, beats, left)
        except sqlite3.Error:
            # a full disk: kept in memory and written when there is room again
            _log.exception("the recording could not be written")
            self._samples[:0] = samples
            self._heard[:0] = heard
            self._beats[:0] = beats
            self._left[:0] = left

    def _write(
        self, samples: list[Sample], heard: list[Heard], beats: list[Beat], left: list[LeftOut]
    ) -> None:
        # first: no pulse says that all is written before what explains a silence is
        self._recording.leave_out(left)
        self._recording.write([*samples, *map(self._said, heard)], beats)

    def _said(self, heard: Heard) -> Sample:
        """Return what a canary says as a sample; its probe is there from the first word on."""
        key = (heard.kind, heard.subject, heard.target)
        if key not in self._ids:
            self._ids[key] = self._recording.probe(heard.kind, heard.subject, heard.name, heard.target).id
        return Sample(self._ids[key], heard.sent, 0, heard.reply, heard.text)

    async def _clean(self, client: Client) -> None:
        token = self._credentials.valid
        self._note(Mark.CLEANING)
        services = [api.service for api in self._spec.apis]
        left = await clean(client, services, token) if token else ("everything: no valid token",)
        for line in left:
            self._note(Mark.LEFT_BEHIND, line)

    def _note(self, mark: Mark, text: str = "") -> None:
        self._recording.note(Note(self._clock.now(), mark, text))
