"""Who may set out now, and whereto: the limits on moves at the same time, and the room that they take."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

from skipstone.drain.model import Compute, Instance
from skipstone.drain.places import Places
from skipstone.drain.targets import Books, Cargo, Need, Rules, choose, like_its_own

AGAIN = 2.0
"""Seconds after which other processes' places are looked at again: nobody tells when one is given back."""

_TOLD = 3
"""Names of busy places that a person is told."""


class NoTarget(Exception):  # noqa: N818 - reads as what happened
    """No host can take an instance; ``why`` has the reason of each."""

    def __init__(self, why: dict[str, str]) -> None:
        super().__init__("; ".join(f"{host}: {reason}" for host, reason in sorted(why.items())))


class StopAsked(Exception):  # noqa: N818 - reads as what happened
    """Nothing is waited for any more: the drain is to stop."""


@dataclass(frozen=True)
class Berth:
    """A place that was taken for one move."""

    instance: Instance
    need: Need
    source: str
    target: str
    places: ExitStack = field(default_factory=ExitStack, compare=False)


class Dock:
    """Gives out targets to moves; one for each drain, for all of its tasks in one event loop.

    ``places`` are those that it shares with other drains: the limits hold for all of them together.
    """

    def __init__(
        self, computes: tuple[Compute, ...], rules: Rules, places: Places, books: Books | None = None
    ) -> None:
        self._computes = computes
        self._rules = rules
        self._places = places
        self._books = books or Books()
        self._changed = asyncio.Condition()

    async def take(
        self, cargo: Cargo, waits: Callable[[str], None], stopping: Callable[[], bool] = lambda: False
    ) -> Berth:
        """Wait for a free place, and take it; raise NoTarget where no host could ever give one.

        Raise StopAsked where none is free and the drain is ``stopping``.

        A host that is avoided, or that another process empties or fills now, is taken only where no other
        could, not where the others are busy. Once nova's scheduler has refused a host, those that are like
        the instance's own come before all others. ``waits`` is told for what.
        """
        async with self._changed:
            while True:
                fit, why = choose(cargo, self._computes, self._books, self._rules)
                if not fit:
                    raise NoTarget(why)
                asked = list[str]()
                likely = (like_its_own(cargo, fit) if cargo.refused else ()) or fit
                taken = self._places.take_one(
                    self._lanes(cargo.source.host), self._choices(likely, asked.append)
                )
                if taken:
                    target, places = taken
                    return self._taken(cargo.instance, cargo.need, cargo.source.host, target, places)
                if stopping():
                    raise StopAsked
                waits(self._busy(cargo.source.host, asked))
                await self._news()

    def has_likely(self, cargo: Cargo) -> bool:
        """Say whether there is a host left that nova's scheduler should take as the instance's own."""
        fit, _ = choose(cargo, self._computes, self._books, self._rules)
        return bool(like_its_own(cargo, fit))

    def resume(self, instance: Instance, need: Need, source: str, target: str) -> Berth:
        """Take the place of a move that is under way already, whatever the limits say."""
        places = self._places.take(self._lanes(source) | self._lane_to(target)) or ExitStack()
        return self._taken(instance, need, source, target, places)

    async def leave(self, berth: Berth, *, arrived: bool) -> None:
        """Give a place up: the move is over, and the instance is there or is not."""
        async with self._changed:
            berth.places.close()
            if arrived:
                self._books.arrived(berth.target)
            else:
                self._books.give_back(berth.instance, berth.need, berth.target)
            self._changed.notify_all()

    async def _news(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(AGAIN):
                await self._changed.wait()

    def _in_turn(self, fit: tuple[Compute, ...]) -> Iterator[Compute]:
        """Yield the hosts that are no last resort, or all where there are none.

        One by one: each look at a host's place opens a file, and mostly the first host is taken.
        """
        found = False
        for target in fit:
            if not self._is_last_resort(target.host):
                found = True
                yield target
        if not found:
            yield from fit

    def _is_last_resort(self, host: str) -> bool:
        """Say whether a host is drained next, or now.

        The drains of one wave look at the cloud at the same moment, each before the other's host is disabled.
        """
        return host in self._rules.avoided or self._places.claimed(host)

    def _choices(
        self, fit: tuple[Compute, ...], asked: Callable[[str], None]
    ) -> Iterator[tuple[str, dict[str, int]]]:
        for target in self._in_turn(fit):
            lane = self._lane_to(target.host)
            asked(*lane)
            yield target.host, lane

    def _lanes(self, source: str) -> dict[str, int]:
        """Return what every move from a host takes, wherever it goes."""
        return {"all": self._rules.at_once, f"from {source}": self._rules.per_source}

    def _lane_to(self, target: str) -> dict[str, int]:
        return {f"to {target}": self._rules.per_target}

    def _busy(self, source: str, asked: list[str]) -> str:
        names = [*self._places.taken(self._lanes(source))] or asked
        more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
        return f"as many migrations as may be are on their way: {', '.join(names[:_TOLD])}{more}"

    def _taken(self, instance: Instance, need: Need, source: str, target: str, places: ExitStack) -> Berth:
        self._books.take(instance, need, target)
        return Berth(instance, need, source, target, places)
