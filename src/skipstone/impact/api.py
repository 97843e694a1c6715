"""Probing one API: a read, or a pair of writes in turn, one question at a time."""

import asyncio
import json
from collections.abc import Mapping

import aiohttp
from pydantic import JsonValue

from skipstone.impact.calls import NAME, Call, Questions, Sweep, Thing
from skipstone.impact.clock import Clock
from skipstone.impact.credentials import Credentials, Token
from skipstone.impact.sample import MICROSECONDS, Kind, Probe, Reply, Sample
from skipstone.impact.wire import Unserved, exchange

_UNAUTHORIZED = 401
_NOT_FOUND = 404
_FAILING = 500
_LATE = MICROSECONDS // 2
"""A timeout that is noticed later than this says that the prober was stalled, not the API."""
_LONGEST_REST = 8.0


class Client:
    """The APIs of one cloud with the probes' token; ``names`` is what calls learned, to fill others."""

    def __init__(
        self, http: aiohttp.ClientSession, urls: Mapping[str, str], credentials: Credentials, limit: float
    ) -> None:
        self._http = http
        self._urls = urls
        self._making = asyncio.Lock()
        self.credentials = credentials
        self.limit = limit
        self.names: dict[str, str] = {}

    async def perform(self, service: str, call: Call, token: Token, **names: str) -> JsonValue:
        """Return the JSON reply of one call (None where it has no body); raise Unserved if it is not good."""
        known = {**token.names, **self.names, **names}
        status, content = await exchange(
            self._http,
            call.method,
            self._urls[service] + call.path.format_map(known),
            timeout=self.limit,
            body=None if call.body is None else json.dumps(_filled(call.body, known)).encode(),
            headers={"Content-Type": "application/json", **call.headers, "X-Auth-Token": token.value},
        )
        if status not in call.good:
            raise Unserved(f"HTTP {status}", status=status)
        reply = _parsed(content, needed=call.method == "GET" or bool(call.learn))
        for name, path in call.learn.items():
            self.names |= {name: value} if (value := _found(reply, path)) else {}
        return reply

    async def knock(self, service: str) -> None:
        """Ask a service for its root, without a token; raise Unserved where it fails or does not answer."""
        status, _ = await exchange(self._http, "GET", f"{self._urls[service]}/", timeout=self.limit)
        if status >= _FAILING:
            raise Unserved(f"HTTP {status}", status=status)

    async def ensure(self, thing: Thing, token: Token) -> None:
        """Find or make what a write needs; raise Unserved where neither is possible now."""
        async with self._making:
            if thing.name not in self.names:
                await self.perform(thing.service, thing.find, token)
            if thing.name not in self.names:
                await self.perform(thing.service, thing.make, token)

    async def sweep(self, service: str, sweep: Sweep, token: Token) -> None:
        """Remove everything of the probes' name from a list; raise Unserved at the first that stays."""
        reply = await self.perform(service, sweep.list, token)
        for item in _items(reply, sweep.items):
            if item.get("name") == NAME:
                await self.perform(service, sweep.remove, token, id=str(item["id"]))


class ApiProbe:
    """Asks one API to read or to write.

    A server works on a question that nobody waits for any more. One that takes ten seconds for each would
    soon do nothing else, so after each that is not answered in time the next comes later, up to 8 s.
    """

    overlaps = False

    def __init__(self, probe: Probe, questions: Questions, client: Client, clock: Clock) -> None:
        self.probe = probe
        self._client = client
        self._clock = clock
        self._needs = questions.needs if probe.kind is Kind.WRITE else ()
        self._calls = questions.write if probe.kind is Kind.WRITE else (questions.read,)
        self._turn = 0
        self.rest = 0.0

    async def ask(self) -> Sample:
        """Ask once. The same write is sent again until it is served, then the other of the pair."""
        sent = self._clock.now()
        token = self._client.credentials.valid
        if token is None:
            return await self._knocked(sent)
        for thing in self._needs:
            try:
                await self._client.ensure(thing, token)
            except Unserved as fault:
                if thing.service == self.probe.subject:
                    return self._unserved(sent, fault, token)
                text = f"what it would write to is not there: {fault.reason}"
                return self._sample(sent, Reply.NOT_ASKED, text)
        return await self._served(token)

    async def _knocked(self, sent: int) -> Sample:
        """Without a token only this much can be told: an API that nobody can reach is out."""
        try:
            await self._client.knock(self.probe.subject)
        except Unserved as fault:
            return self._failed(sent, fault)
        return self._sample(sent, Reply.NOT_ASKED, "no valid token")

    async def _served(self, token: Token) -> Sample:
        sent = self._clock.now()
        try:
            await self._client.perform(self.probe.subject, self._calls[self._turn], token)
        except Unserved as fault:
            return self._unserved(sent, fault, token)
        self._turn = (self._turn + 1) % len(self._calls)
        return self._sample(sent, Reply.GOOD)

    def _unserved(self, sent: int, fault: Unserved, token: Token) -> Sample:
        if fault.status == _UNAUTHORIZED and self._client.credentials.doubt(token):
            return self._sample(sent, Reply.NOT_ASKED, "the token was rejected and is renewed")
        if fault.status == _NOT_FOUND:
            # somebody removed it, or a database was restored: make it again before the next write
            for thing in self._needs:
                self._client.names.pop(thing.name, None)
        return self._failed(sent, fault)

    def _failed(self, sent: int, fault: Unserved) -> Sample:
        if not fault.timed_out:
            return self._sample(sent, Reply.BAD, fault.reason)
        if self._clock.now() - sent > self._client.limit * MICROSECONDS + _LATE:
            return self._sample(sent, Reply.NOT_ASKED, "the probe itself was stalled")
        rest = min(max(2 * self.rest, self._client.limit), _LONGEST_REST)
        return self._sample(sent, Reply.BAD, fault.reason, rest=rest)

    def _sample(self, sent: int, reply: Reply, text: str = "", *, rest: float = 0.0) -> Sample:
        self.rest = rest
        return Sample(self.probe.id, sent, self._clock.now() - sent, reply, text)


def _parsed(content: bytes, *, needed: bool) -> JsonValue:
    try:
        reply: JsonValue = json.loads(content) if content or needed else None
    except ValueError as fault:
        # a proxy's page of apology comes with 200 as well
        if needed:
            raise Unserved("not JSON") from fault
        return None
    return reply


def _filled(body: JsonValue, names: Mapping[str, str]) -> JsonValue:
    match body:
        case str():
            return body.format_map(names)
        case dict():
            return {key: _filled(value, names) for key, value in body.items()}
        case list():
            return [_filled(value, names) for value in body]
        case _:
            return body


def _found(reply: JsonValue, path: str) -> str | None:
    for part in path.split("."):
        match reply:
            case dict() if part in reply:
                reply = reply[part]
            case list() if int(part) < len(reply):
                reply = reply[int(part)]
            case _:
                return None
    return str(reply)


def _items(reply: JsonValue, key: str) -> list[dict[str, JsonValue]]:
    items = reply.get(key) if isinstance(reply, dict) else None
    if not isinstance(items, list):
        raise Unserved(f"no {key} in the reply")
    return [item for item in items if isinstance(item, dict)]
