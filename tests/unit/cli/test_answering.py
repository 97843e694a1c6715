"""A terminal that answers at a gate."""

import asyncio
import os
import pty
from pathlib import Path

import pytest

from skipstone.cli.answering import answered_from
from skipstone.plan.plan import Gate
from skipstone.run import gatekeeper
from skipstone.run.directory import find_run
from skipstone.run.runview import RunView
from skipstone.run.state import RunState
from skipstone.steps.registry import KINDS
from tests.unit.run.toy import Hosts, Rig, Toy, plan_of, toy, waiting_at_a_gate

GATE = Gate(id="begin", title="begin", before="stage1")


@pytest.mark.parametrize(
    ("typed", "state"),
    [(b"y\n", RunState.DONE), (b"NO\n", RunState.STOPPED), (b"what?\n\nyes\n", RunState.DONE)],
)
def test_what_is_typed_counts_while_a_gate_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: bytes, state: RunState
) -> None:
    monkeypatch.setattr(gatekeeper, "PAUSE", 0.01)
    monkeypatch.setitem(KINDS, "toy", Toy)
    keyboard, terminal = pty.openpty()

    async def typing() -> RunView:
        with (
            Rig(tmp_path, Hosts()).runner(plan_of([toy("a")], gates=[GATE])) as (runner, journal),
            answered_from(terminal, find_run(tmp_path / "runs", None), journal),
        ):
            running = asyncio.create_task(runner.run())
            await waiting_at_a_gate(journal)
            for line in typed.splitlines(keepends=True):
                os.write(keyboard, line)
                await asyncio.sleep(0.05)
            return await asyncio.wait_for(running, 10)

    view = asyncio.run(typing())
    assert view.state is state
    assert view.gates[0].why == "said at its terminal"


def test_a_terminal_that_goes_away_does_not_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, "toy", Toy)
    keyboard, terminal = pty.openpty()

    async def gone() -> RunView:
        with (
            Rig(tmp_path, Hosts()).runner(plan_of([toy("a")])) as (runner, journal),
            answered_from(terminal, find_run(tmp_path / "runs", None), journal),
        ):
            os.close(keyboard)
            await asyncio.sleep(0.05)
            return await runner.run()

    assert asyncio.run(gone()).state is RunState.DONE
