"""The orchestrator's death at any event that it writes, as often as a test likes."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from skipstone.run import journal as journals
from skipstone.run.fold import Fold
from skipstone.run.standing import Standing


class Killed(Exception):  # noqa: N818 - reads as what happened
    """The orchestrator was killed; hosts know nothing of it."""


@dataclass
class Reaper:
    """Kills the orchestrator before or after events that ``chance`` chooses, ``left`` times.

    Who is dead writes nothing any more, whatever else of it still runs in this process of the test's.
    """

    chance: random.Random
    left: int
    rate: float = 0.0
    dead: bool = False

    def reach(self, fault: object, point: str, step: str | None) -> None:
        """Stand in for the journal's fault points."""
        del fault, point, step
        if not self.dead and self.left and self.chance.random() < self.rate:
            self.dead, self.left = True, self.left - 1
        if self.dead:
            raise Killed

    @contextmanager
    def at_work(self) -> Iterator["Reaper"]:
        """Let nobody be spared."""
        keep = Standing.keep

        def keep_alive(standing: Standing, fold: Fold) -> None:
            if not self.dead:
                keep(standing, fold)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(journals, "reach", self.reach)
            patch.setattr(Standing, "keep", keep_alive)
            yield self
