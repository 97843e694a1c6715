"""Who begins next where several share limits: pure, for the run itself and for the estimate of one.

A **lane** is what some share, with a limit of how many may be in it at the same time: all hosts that are
down, those of one availability zone. Who has room in all of its lanes may begin, and is in them until it
leaves.
"""

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

Lanes = tuple[str, ...]


class Waiting(NamedTuple):
    """Who waits: its number in the queue, its name, and the seconds that it is expected to take."""

    number: int
    name: str
    seconds: int


class Admission:
    """The queue before some lanes; a lane without a limit is none.

    What has the same lanes begins in the order in which it came. Between others, the lane goes first that has
    the most to do for its size, for it will take the longest: kept busy, all are over as soon as the limits
    allow.
    """

    def __init__(self, limits: Mapping[str, int]) -> None:
        self._limits = limits
        self._queues: dict[Lanes, deque[Waiting]] = {}
        self._inside: dict[str, Lanes] = {}
        self._taken: Counter[str] = Counter()
        self._load: Counter[str] = Counter()
        self._pressure: dict[str, float] = {}
        self._full = {lane for lane, limit in limits.items() if limit <= 0}
        self._number = 0
        self._none = False

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def wait(self, name: str, lanes: Lanes, seconds: int) -> None:
        """Put somebody into the queue."""
        known = tuple(lane for lane in lanes if lane in self._limits)
        self._queues.setdefault(known, deque()).append(Waiting(self._number, name, seconds))
        self._loads(known, seconds)
        self._number += 1
        self._none = False

    def enter(self, name: str, lanes: Lanes) -> None:
        """Let somebody in who has begun before, and counts whatever the limits say."""
        self._inside[name] = tuple(lane for lane in lanes if lane in self._limits)
        self._taken.update(self._inside[name])
        self._full.update(lane for lane in self._inside[name] if self._taken[lane] >= self._limits[lane])

    def leave(self, name: str) -> None:
        """Let somebody go: its places are free."""
        lanes = self._inside.pop(name)
        self._taken.subtract(lanes)
        self._full.difference_update(lane for lane in lanes if self._taken[lane] < self._limits[lane])
        self._none = False

    def admit(self, fits: Callable[[int], bool] = lambda _: True) -> str | None:
        """Let the next one in and return its name; None where nobody may begin now.

        ``fits`` says whether somebody may begin that takes so many seconds.
        """
        pressure = self._pressure.__getitem__
        able = [
            (-max(map(pressure, lanes), default=0.0), self._queues[lanes][0].number, lanes)
            for lanes in self._with_room()
            if fits(self._queues[lanes][0].seconds)
        ]
        if not able:
            return None
        _, _, lanes = min(able)
        waiting = self._queues[lanes].popleft()
        if not self._queues[lanes]:
            del self._queues[lanes]
        self._loads(lanes, -waiting.seconds)
        self.enter(waiting.name, lanes)
        return waiting.name

    def heads(self) -> list[int]:
        """Return the seconds of those who would begin next, were it not for what ``admit`` was told."""
        return [self._queues[lanes][0].seconds for lanes in self._with_room()]

    def _with_room(self) -> list[Lanes]:
        found = [] if self._none else [lanes for lanes in self._queues if self._full.isdisjoint(lanes)]
        self._none = not found  # until somebody comes or goes: asked after every step, of ten thousand hosts
        return found

    def _loads(self, lanes: Lanes, seconds: int) -> None:
        """Count what there is to do in each of some lanes, and how much that is for its size."""
        for lane in set(lanes):
            self._load[lane] += seconds
            self._pressure[lane] = self._load[lane] / max(self._limits[lane], 1)


def forecast(groups: Iterable[tuple[str, Lanes, int]], limits: Mapping[str, int]) -> int:
    """Return the seconds until all are over, where each takes as many as it says."""
    queue, known = Admission(limits), dict[str, int]()
    for name, lanes, seconds in groups:
        queue.wait(name, lanes, seconds)
        known[name] = seconds
    now, running = 0, list[tuple[int, str]]()
    while True:
        while (begins := queue.admit()) is not None:
            heapq.heappush(running, (now + known[begins], begins))
        if not running:
            return now
        now, ends = heapq.heappop(running)
        queue.leave(ends)
