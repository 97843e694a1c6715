"""Whether an instance is silent because of who owns it: nova is asked, before it counts.

Proof is what nova wrote down as a user did it (``os-instance-actions``): that it is off proves nothing, for
nova itself calls off what an upgrade has killed, and so writes an action without a user. Where nova does not
answer nothing is proven, and the instance counts as silent: while the API is out nobody can stop an instance
through it, so what goes silent then is the upgrade's more likely than not. It is asked again, and once it
answers what was the owner's is taken out of all figures, from the moment on when it was asked for.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pydantic import JsonValue

from skipstone.impact.api import Client
from skipstone.impact.calls import Call
from skipstone.impact.clock import Clock
from skipstone.impact.recording import LeftOut
from skipstone.impact.sample import MICROSECONDS, Probe, Reply, Sample
from skipstone.impact.spec import InstanceTarget
from skipstone.impact.wire import Unserved

_NOVA = {
    "OpenStack-API-Version": "compute 2.21"
}  # the first that tells of instances that are deleted (Mitaka)
_GOOD = frozenset({200})
_ACTIONS = Call("GET", "/v2.1/servers/{server}/os-instance-actions", _GOOD, headers=_NOVA)
_SERVER = Call("GET", "/v2.1/servers/{server}", _GOOD, headers=_NOVA)

ENDING: Mapping[str, str] = {
    "delete": "deleted",
    "stop": "stopped",
    "shelve": "shelved",
    "shelveOffload": "shelved",
    "suspend": "suspended",
    "pause": "paused",
}
"""Actions after which an instance does not answer, by nova's names."""
PASSING: Mapping[str, str] = {
    "reboot": "rebooted",
    "rebuild": "rebuilt",
    "rescue": "put into rescue",
    "resize": "resized",
    "revertResize": "resized back",
}
"""Actions after which it answers again, maybe as another one."""
_RETURNING = frozenset({"create", "start", "unshelve", "resume", "unpause", "restore", "unrescue"})

_SILENT = 1 * MICROSECONDS
"""An instance that was silent for less is not asked about: nothing counts as early as that."""
_CLOCKS = 5 * MICROSECONDS
"""So much later than the silence an action may be by nova's clock, and still be its cause."""
_SHUTDOWN = 600 * MICROSECONDS
"""So long a guest may take to shut down, and answer meanwhile."""
_REBOOT = 60 * MICROSECONDS
_AT_ONCE = 5
"""Instances that nova is asked about in half a second: in a wide outage they take turns."""
_PAUSES = (5 * MICROSECONDS, 60 * MICROSECONDS)
"""Between two questions about the same silent instance, from the first to the last."""
_LONGEST_REST = 8 * MICROSECONDS


class Cause(NamedTuple):
    """Since when an owner has made an instance silent, and how."""

    since: int
    how: str


def cause_of(
    actions: Iterable[Mapping[str, Any]], silent: int, server: Mapping[str, Any] | None
) -> Cause | None:
    """Return what an instance's owner did that explains its silence since a time, or None.

    ``actions`` are nova's, ``server`` what it says of the instance now, None where it is deleted. The last
    word of a user counts, as long as the instance is still as it says.
    """
    action = _last_word(actions)
    if action is None:
        return None
    name, at = str(action["action"]), _moment(str(action["start_time"]))
    if name in PASSING and not silent - _REBOOT <= at <= silent + _CLOCKS:
        return None
    settled = (
        server is not None and server.get("status") == "ACTIVE" and not server.get("OS-EXT-STS:task_state")
    )
    if name in ENDING and (settled or at < silent - _SHUTDOWN):
        return None
    since = min(at, silent) if at <= silent + _CLOCKS else at
    how = ENDING.get(name) or PASSING[name]
    return Cause(since, f"{how} by its owner (nova's user {action['user_id']})")


def may_explain(actions: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether a user's last word can be why an instance is silent, whatever nova says of it now."""
    return _last_word(actions) is not None


def _last_word(actions: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the last that a user did to whether an instance runs, where it makes it silent."""
    known = {*ENDING, *PASSING, *_RETURNING}
    said = [one for one in actions if one.get("user_id") and one.get("action") in known]
    last = max(said, key=lambda one: str(one.get("start_time") or ""), default=None)
    return last if last and last["action"] not in _RETURNING else None


def _moment(text: str) -> int:
    found = datetime.fromisoformat(text)
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * MICROSECONDS)


@dataclass
class _Hearing:
    """What was last heard of an instance's probes: when a good reply came, and a bad question was sent."""

    name: str
    good: dict[int, int] = field(default_factory=dict)
    bad: dict[int, int] = field(default_factory=dict)
    due: int = 0
    pause: int = 0

    def add(self, sample: Sample) -> None:
        if sample.reply is Reply.GOOD:
            self.good[sample.probe] = max(sample.ended, self.good.get(sample.probe, 0))
            self.bad.pop(sample.probe, None)
            self.due = self.pause = 0
        elif sample.reply is Reply.BAD and sample.sent > self.good.get(sample.probe, 0):
            self.bad.setdefault(sample.probe, sample.sent)

    @property
    def silent(self) -> int | None:
        """Since when none of its probes has a good reply, or None."""
        if not self.bad or self.good.keys() - self.bad.keys():
            return None
        return max(self.good.values(), default=min(self.bad.values()))


class Owners:
    """Asks nova about silent instances, the longest silent first; ``left`` are those that are left out."""

    def __init__(
        self, client: Client, clock: Clock, targets: Iterable[InstanceTarget], left: Iterable[LeftOut]
    ) -> None:
        self._client = client
        self._clock = clock
        self._addresses: dict[str, list[str]] = {}
        uses: dict[str, set[str]] = {}
        for target in targets:
            uses.setdefault(target.address, set()).add(target.id)
        for address, ids in uses.items():
            if len(ids) == 1:  # another's address of the same name says nothing
                self._addresses.setdefault(min(ids), []).append(address)
        self._heard: dict[str, _Hearing] = {}
        self._due = self._rest = 0
        self.left = {one.subject for one in left}

    def hear(self, probe: Probe, sample: Sample) -> None:
        """Take what came of one question to an instance."""
        self._heard.setdefault(probe.subject, _Hearing(probe.name)).add(sample)

    async def ask(self) -> list[LeftOut]:
        """Ask about those that are silent and whose turn it is; return which are to be left out now."""
        now = self._clock.now()
        found = {
            id_: one.silent for id_, one in self._heard.items() if id_ not in self.left and one.due <= now
        }
        silent = sorted((since, id_) for id_, since in found.items() if since and since < now - _SILENT)
        if not silent or now < self._due:
            return []
        # where nova did not answer, one question tells whether it does again
        turn = silent[: 1 if self._rest else _AT_ONCE]
        answers = await asyncio.gather(*(self._about(id_, since) for since, id_ in turn))
        left = [one for one in answers if one]
        self.left |= {one.subject for one in left}
        return left

    async def _about(self, id_: str, silent: int) -> LeftOut | None:
        hearing = self._heard[id_]
        try:
            cause = await self._cause(id_, silent)
        except Unserved as fault:
            if fault.status != _NOT_FOUND:
                self._rest = min(2 * self._rest or MICROSECONDS, _LONGEST_REST)
                self._due = self._clock.now() + self._rest
                return None
            cause = None
        self._rest = 0
        hearing.pause = min(2 * hearing.pause or _PAUSES[0], _PAUSES[1])
        hearing.due = self._clock.now() + hearing.pause
        if cause is None:
            return None
        at = datetime.fromtimestamp(cause.since / MICROSECONDS, UTC)
        text = f"{hearing.name}: {cause.how} at {at:%Y-%m-%d %H:%M:%S} UTC, left out from then on"
        return LeftOut(id_, cause.since, text, tuple(self._addresses.get(id_, ())))

    async def _cause(self, id_: str, silent: int) -> Cause | None:
        """Ask nova; raise Unserved where it does not answer."""
        actions = _list(await self._get(_ACTIONS, id_), "instanceActions")
        if not may_explain(actions):
            return None
        server: Mapping[str, Any] | None = None
        try:
            reply = await self._get(_SERVER, id_)
            found = reply.get("server") if isinstance(reply, dict) else None
            server = found if isinstance(found, dict) else {}
        except Unserved as fault:
            if fault.status != _NOT_FOUND:
                raise
        try:
            return cause_of(actions, silent, server)
        except (KeyError, ValueError) as fault:
            raise Unserved("an answer of another form") from fault

    async def _get(self, call: Call, id_: str) -> JsonValue:
        token = self._client.credentials.valid
        if token is None:
            raise Unserved("no valid token")
        try:
            return await self._client.perform("nova", call, token, server=id_)
        except Unserved as fault:
            if fault.status == _UNAUTHORIZED:
                self._client.credentials.doubt(token)
            raise


_UNAUTHORIZED = 401
_NOT_FOUND = 404


def _list(reply: JsonValue, key: str) -> list[Mapping[str, Any]]:
    found = reply.get(key) if isinstance(reply, dict) else None
    if not isinstance(found, list):
        raise Unserved("an answer of another form")
    return [one for one in found if isinstance(one, dict)]
