"""The operator's clock is set while a run goes on: a silent host is waited for by its deadline alone."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import ClassVar, Self

import pytest

from skipstone.run import executor, journal
from skipstone.run.question import Patience
from skipstone.run.runview import RunView
from skipstone.run.state import Kind, RunState, StepState
from tests.unit.run.toy import Hosts, Rig, plan_of, toy

PLAN = plan_of([toy("a", deadline=1)])
HASTE = Patience(silence=0.03, pause=0.01, longest_pause=0.02, watch=1)
FOR_EVER = 10**6


class Clock(datetime):
    """A clock that somebody sets."""

    ahead: ClassVar = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return super().now(tz) + cls.ahead


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for module in (journal, executor):
        monkeypatch.setattr(module, "datetime", Clock)
    yield
    Clock.ahead = timedelta()


def within(rig: Rig, *, seconds: float) -> RunView:
    return asyncio.run(asyncio.wait_for(rig.apply(PLAN), seconds))


@pytest.mark.parametrize("hours", [-5, 5])
def test_within_a_sitting_it_does_not_matter(tmp_path: Path, hours: int) -> None:
    hosts = Hosts(silent=FOR_EVER)
    rig = Rig(tmp_path, hosts, patience=HASTE)

    def step(event: object, _: object) -> None:
        if getattr(event, "kind", None) is Kind.INTENT:
            Clock.ahead = timedelta(hours=hours)

    async def stepped() -> tuple[RunView, float]:
        with rig.runner(PLAN) as (runner, written):
            written.listeners.append(step)
            began = asyncio.get_running_loop().time()
            view = await asyncio.wait_for(runner.run(), 15)
            return view, asyncio.get_running_loop().time() - began

    view, seconds = asyncio.run(stepped())
    assert view.state is RunState.FAILED
    assert [one.state for one in view.steps()] == [StepState.UNKNOWN]
    assert seconds > 0.9, "its deadline is waited for"
    hosts.silent = 0
    assert within(rig, seconds=15).state is RunState.DONE
    assert hosts.runs_per_job == {"toyplan-1/a.1": 1}


def test_who_goes_on_waits_for_no_longer_than_a_whole_deadline(tmp_path: Path) -> None:
    """What has passed since the attempt began is not known any more: not before it, in any case."""
    hosts = Hosts(silent=FOR_EVER)
    rig = Rig(tmp_path, hosts, patience=HASTE)
    assert within(rig, seconds=15).state is RunState.FAILED
    Clock.ahead = timedelta(hours=-5)
    assert within(rig, seconds=15).state is RunState.FAILED
    Clock.ahead = timedelta(hours=5)
    assert within(rig, seconds=15).state is RunState.FAILED
    hosts.silent = 0
    assert within(rig, seconds=15).state is RunState.DONE
    assert hosts.runs_per_job == {"toyplan-1/a.1": 1}
