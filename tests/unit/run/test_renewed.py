"""A version of Skipstone that renders steps otherwise goes on with an attempt that another one has begun."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from skipstone.cloud.command import Command, Outcome
from skipstone.run.faults import InjectedFault
from skipstone.run.journal import read_events
from skipstone.run.state import Kind, RunState
from tests.unit.run.test_runner import apply
from tests.unit.run.toy import Hosts, Rig, Toy, plan_of, toy


@dataclass
class Scripts(Hosts):
    """Hosts that remember what ran, and who was asked about jobs."""

    scripts: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def run(self, command: Command, *, deadline: float) -> Outcome:
        self.asked.append(command.host)
        return await super().run(command, deadline=deadline)

    def _start(self, host: str, name: str, script: str) -> None:
        super()._start(host, name, script)
        self.scripts.append(script)


def renewed(step: Toy) -> Command:
    """Render a step as a repaired version does, for another host."""
    return Command("h2", f"do {step.id} better")


@pytest.mark.parametrize(
    "fault", ["after-intent@a:raise", "before-submitted@a:raise", "after-submitted@a:raise"]
)
def test_what_was_begun_goes_on_as_it_was_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    hosts = Scripts()
    rig, plan = Rig(tmp_path, hosts), plan_of([toy("a", undo="undo a"), toy("b", "a")])
    with monkeypatch.context() as killed:
        killed.setenv("SKIPSTONE_FAULT", fault)
        with pytest.raises(InjectedFault):
            asyncio.run(rig.apply(plan))
    monkeypatch.setattr(Toy, "apply", renewed)
    assert apply(rig, plan).state is RunState.DONE
    assert hosts.scripts == ["do a", "do b better"]
    assert set(hosts.asked[:-1]) == {"h1"}, "where the job is"
    assert hosts.asked[-1] == "h2"


def test_a_further_attempt_is_made_as_steps_are_rendered_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = Scripts(codes={"a": [1]})
    rig, plan = Rig(tmp_path, hosts), plan_of([toy("a", resetting="as it was")])
    assert apply(rig, plan).state is RunState.FAILED
    monkeypatch.setattr(Toy, "apply", renewed)
    assert apply(rig, plan).state is RunState.DONE
    first, second = hosts.scripts
    assert (first, "as it was" in second, "do a better" in second) == ("do a", True, True)
    events = read_events(tmp_path / "runs/toyplan-1/journal.db")
    assert hosts.scripts == [event.payload["script"] for event in events if event.kind is Kind.INTENT]
