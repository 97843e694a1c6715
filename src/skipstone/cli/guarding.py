"""Watching what users feel while a run goes on: for who looks at it, and for its budgets.

The recording is read on once a second (``impact/tally.py``), in a thread. A budget that is broken pauses the
run as Ctrl-C does: running steps end, none begins. So does a recording that stands still, where there are
budgets. In any case the probes are kept going as long as somebody watches here.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from skipstone.errors import InputError, SkipstoneError
from skipstone.impact.process import want_probes
from skipstone.impact.spending import spend
from skipstone.impact.tally import Felt, Tally
from skipstone.run.budget import Allowance, Budget, Measure, Spent
from skipstone.steps.step import Impact

if TYPE_CHECKING:
    from skipstone.plan.plan import Plan
    from skipstone.run.budgetview import BudgetView
    from skipstone.run.directory import RunDirectory
    from skipstone.run.runner import Runner
    from skipstone.run.runview import RunView

PACE = 1.0
KEEP = 10.0
"""Seconds between two times that the tally is kept."""
SILENCE = 60.0
"""Seconds without a pulse of the probes after which nobody knows whether budgets hold."""
RESTART = 20.0
"""Seconds without a pulse after which the probes are started again, where they have died."""
AGAIN = 60.0
"""Seconds between two such tries: what keeps them from starting may pass, in a run of several nights."""

Show = Callable[[Sequence[Felt], Sequence[Spent]], None]


@dataclass
class Guard:
    """Reads one run's recording on; ``restart`` starts its probes where they have died."""

    directory: "RunDirectory"
    restart: Callable[[], object] = lambda: None
    tally: Tally = field(default_factory=Tally)
    felt: tuple[Felt, ...] = ()

    @classmethod
    def of(cls, directory: "RunDirectory", restart: Callable[[], object] = lambda: None) -> "Guard":
        """Return the guard of a run, as far as its recording was read before."""
        return cls(directory, restart, Tally.load(directory.impact))

    def look(self) -> tuple[Felt, ...]:
        """Read on, and return what users have felt so far; raise InputError where nothing was recorded."""
        self.tally.advance(self.directory.impact)
        self.felt = tuple(self.tally.felt())
        return self.felt

    def look_if_any(self) -> tuple[Felt, ...]:
        """Look; nothing where nothing was recorded."""
        with suppress(InputError):
            return self.look()
        return ()

    @asynccontextmanager
    async def watching(self, runner: "Runner", budgets: Sequence[Budget], show: Show) -> AsyncIterator[None]:
        """Watch meanwhile; a last look at the end is kept for who asks later."""
        task = asyncio.create_task(self._watch(runner, budgets, show))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.look_if_any()
            self.tally.save(self.directory.impact)

    async def _watch(self, runner: "Runner", budgets: Sequence[Budget], show: Show) -> None:
        pulse = _Pulse(time.monotonic())
        kept = time.monotonic()
        told: set[str] = set()
        want_probes(self.directory.impact)
        while True:
            with suppress(InputError):
                await asyncio.to_thread(self.look)
            for text in self.tally.left_out:
                if text not in told:
                    told.add(text)
                    runner.leave_out(text)
            spent = spend(self.felt, budgets)
            for one in spent:
                if one.broken:
                    runner.hold_back(one)
            show(self.felt, spent)
            await self._mind(pulse, runner, budgets)
            if time.monotonic() > kept + KEEP:
                kept = time.monotonic()
                want_probes(self.directory.impact)
                await asyncio.to_thread(self.tally.save, self.directory.impact)
            await asyncio.sleep(PACE)

    async def _mind(self, pulse: "_Pulse", runner: "Runner", budgets: Sequence[Budget]) -> None:
        """Start the probes again where they have died; stop where they stay silent, if there are budgets."""
        silent = pulse.silent(self.tally.beat)
        if silent > RESTART and time.monotonic() > pulse.tried + AGAIN:
            with suppress(SkipstoneError, OSError):
                await asyncio.to_thread(self.restart)
            pulse.tried = time.monotonic()
        if budgets and silent > SILENCE:
            runner.ask_stop("the probes are silent, so nobody knows whether the budgets hold: see prober.log")


@dataclass
class _Pulse:
    """When the prober's pulse was last seen to go on, and when it was last tried to start it again."""

    since: float
    beat: int = 0
    tried: float = float("-inf")

    def silent(self, beat: int) -> float:
        if beat != self.beat:
            self.since, self.beat = time.monotonic(), beat
        return time.monotonic() - self.since


def in_force(views: "Iterable[BudgetView]", allowance: Allowance) -> tuple[Budget, ...]:
    """Return the budgets that can pause the run: those it has and those given now, but accepted ones.

    Raise InputError where one is accepted that the run does not have.
    """
    given = {one.name: one.budget for one in views if not one.accepted}
    given |= {budget.name: budget for budget in allowance.budgets}
    known = {*given, *(one.name for one in views)}
    for name in allowance.accepted:
        if name not in known:
            remedy = f"its budgets are: {', '.join(sorted(known)) or 'none'}"
            raise InputError(f"the run has no budget {name!r}", remedy=remedy)
    return tuple(budget for name, budget in given.items() if name not in allowance.accepted)


def too_small(plan: "Plan", budgets: Iterable[Budget]) -> list[str]:
    """Return a line for each budget that the plan's own outage, as estimated, would break in its middle."""
    down = sum(
        stage.estimate for stage in plan.stages if any(step.impact is Impact.API_DOWN for step in stage.steps)
    )
    apis = {Measure.API_READS, Measure.API_WRITES}
    return [
        f"the plan itself has the APIs down for about {down} s:"
        f" the budget {one.name} of {one.figure(one.limit)}"
        " would pause it in the middle of that"
        for one in budgets
        if one.measure in apis and one.limit < down
    ]


def expect_budgets(directory: "RunDirectory", view: "RunView", allowance: Allowance) -> tuple[Budget, ...]:
    """Return the budgets in force; raise InputError where one is broken, as journal or recording say."""
    budgets = in_force(view.budgets, allowance)
    felt = Guard.of(directory).look_if_any() if budgets else ()
    broken = {one.budget.name: one.text for one in spend(felt, budgets) if one.broken}
    if not felt:  # the recording is lost: what the journal knows has to do
        limits = {budget.name: budget.limit for budget in budgets}
        broken = {
            one.name: one.figures for one in view.exceeded if one.spent > limits.get(one.name, one.spent)
        }
    if broken:
        name = next(iter(broken))
        raise InputError(
            "what users have felt is more than the budget allows; nothing was begun",
            where=directory.run,
            evidence="\n".join(f"{name}: {text}" for name, text in broken.items()),
            remedy=f"raise it: skipstone resume {directory.run} --budget {name}=VALUE\n"
            f"or accept it: skipstone resume {directory.run} --accept-budget {name} --reason TEXT\n"
            "or go back: skipstone rollback",
        )
    return budgets
