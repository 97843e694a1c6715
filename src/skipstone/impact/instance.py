"""Probing one instance at one address: ICMP echo, a connection to a port, the boot-id it serves over HTTP."""

import asyncio
import re
from collections.abc import Callable

import aiohttp

from skipstone.impact.clock import Clock
from skipstone.impact.icmp import Pinger
from skipstone.impact.sample import MICROSECONDS, Probe, Reply, Sample
from skipstone.impact.wire import Unserved, exchange

_OK = 200
_LATE = MICROSECONDS // 2
_STALLED = "the probe itself was stalled"
_BOOT = re.compile(rb"boot(?:[_-]id)?[\"']?\s*[:=]\s*[\"']?(?P<boot>[\w-]{8,64})")
_UP = re.compile(rb"\bup(?:time(?:_seconds)?)?[\"']?\s*[:=]\s*(?P<up>\d+(?:\.\d+)?)")
"""One line of text, ``boot=0f3c... up=12.5``, or JSON, ``{"boot_id": "0f3c...", "uptime_seconds": 12.5}``."""


class PingProbe:
    """Pings one address; a lost reply does not hold up the next question."""

    overlaps = True
    rest = 0.0

    def __init__(self, probe: Probe, pinger: Pinger, clock: Clock, limit: float) -> None:
        self.probe = probe
        self._pinger = pinger
        self._clock = clock
        self._limit = limit

    async def ask(self) -> Sample:
        """Send one echo request and wait for its reply."""
        sent = self._clock.now()
        try:
            replied = await self._pinger.ping(self.probe.target, self._limit)
        except BlockingIOError:
            return Sample(self.probe.id, sent, 0, Reply.NOT_ASKED, "the probe's own send queue was full")
        except OSError as fault:
            return Sample(self.probe.id, sent, 0, Reply.BAD, str(fault.strerror or fault))
        took = self._clock.now() - sent
        if replied:
            return Sample(self.probe.id, sent, took, Reply.GOOD)
        if took > self._limit * MICROSECONDS + _LATE:
            return Sample(self.probe.id, sent, took, Reply.NOT_ASKED, _STALLED)
        return Sample(self.probe.id, sent, took, Reply.BAD, f"no reply in {self._limit:g} s")


class TcpProbe:
    """Connects to a port of one address, and closes the connection at once."""

    overlaps = True
    rest = 0.0

    def __init__(self, probe: Probe, clock: Clock, port: int, limit: float) -> None:
        self.probe = probe
        self._clock = clock
        self._port = port
        self._limit = limit

    async def ask(self) -> Sample:
        """Connect once; a refusal is bad: nobody is served."""
        sent = self._clock.now()
        reason = ""
        try:
            async with asyncio.timeout(self._limit):
                _, writer = await asyncio.open_connection(self.probe.target, self._port)
            writer.close()
        except TimeoutError:
            reason = f"no connection in {self._limit:g} s"
        except ConnectionRefusedError:
            reason = "connection refused"
        except OSError as fault:
            reason = str(fault.strerror or fault)
        took = self._clock.now() - sent
        if reason and took > self._limit * MICROSECONDS + _LATE:
            return Sample(self.probe.id, sent, took, Reply.NOT_ASKED, _STALLED)
        return Sample(self.probe.id, sent, took, Reply.BAD if reason else Reply.GOOD, reason)


OnPage = Callable[[Probe, bytes, str, float, int], None]
"""Called with the probe, the page, its boot-id and uptime, and when it had come."""


class BootProbe:
    """Asks one address for its boot-id and uptime; ``on_page`` reads what else the page says."""

    overlaps = False
    rest = 0.0

    def __init__(
        self,
        probe: Probe,
        http: aiohttp.ClientSession,
        clock: Clock,
        port: int,
        limit: float,
        *,
        on_page: OnPage = lambda *_: None,
    ) -> None:
        self._on_page = on_page
        self.probe = probe
        self._http = http
        self._clock = clock
        self._limit = limit
        host = f"[{probe.target}]" if ":" in probe.target else probe.target
        self._url = f"http://{host}:{port}/"

    async def ask(self) -> Sample:
        """Ask once."""
        sent = self._clock.now()
        try:
            status, content = await exchange(self._http, "GET", self._url, timeout=self._limit)
        except Unserved as fault:
            took = self._clock.now() - sent
            if fault.timed_out and took > self._limit * MICROSECONDS + _LATE:
                return Sample(self.probe.id, sent, took, Reply.NOT_ASKED, _STALLED)
            return Sample(self.probe.id, sent, took, Reply.BAD, fault.reason)
        return self._read(sent, status, content)

    def _read(self, sent: int, status: int, content: bytes) -> Sample:
        took = self._clock.now() - sent
        if status != _OK:
            return Sample(self.probe.id, sent, took, Reply.BAD, f"HTTP {status}")
        boot, up = _BOOT.search(content), _UP.search(content)
        if not boot:
            # it did reply; a page read while the guest rewrites it is empty
            return Sample(self.probe.id, sent, took, Reply.GOOD)
        name, uptime = boot["boot"].decode(), float(up["up"]) if up else None
        if uptime is not None:
            self._on_page(self.probe, content, name, uptime, sent + took)
        return Sample(self.probe.id, sent, took, Reply.GOOD, name, uptime)
