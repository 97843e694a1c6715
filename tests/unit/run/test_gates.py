"""Gates: who is asked, on what basis, and what becomes of a run that nobody answers."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skipstone.errors import InputError
from skipstone.plan.plan import Gate
from skipstone.run import gatekeeper
from skipstone.run.decision import decide
from skipstone.run.directory import RunDirectory, find_run
from skipstone.run.gatekeeper import Consent, basis_of
from skipstone.run.journal import read_events
from skipstone.run.runview import RunView
from skipstone.run.state import GateState, Kind, RunState, StepState
from skipstone.steps.conversion import ConvertConfiguration, ConvertedFile, Do, Part
from skipstone.steps.registry import KINDS
from tests.unit.run.toy import Hosts, Rig, Toy, plan_of, toy, waiting_at_a_gate

FIRST = Gate(id="first", title="change the first thing", before="stage1")
SECOND = Gate(id="second", title="go further", before="stage2")
PLAN = plan_of([toy("a")], [toy("b")], gates=(FIRST, SECOND))


@pytest.fixture(autouse=True)
def haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gatekeeper, "PAUSE", 0.01)
    monkeypatch.setitem(KINDS, "toy", Toy)


def run_of(base: Path) -> RunDirectory:
    return find_run(base / "runs", None)


def kinds(base: Path) -> list[Kind]:
    return [event.kind for event in read_events(run_of(base).journal) if event.kind.startswith("gate-")]


def answering(rig: Rig, answer: Callable[[str], bool], plan: Any = PLAN) -> RunView:
    """Apply, and answer at each gate from outside, as another terminal would."""

    async def outside(applying: "asyncio.Task[RunView]") -> None:
        while not applying.done():
            await asyncio.sleep(0.02)
            gate = (
                run_of(rig.base).view().open_gate if list((rig.base / "runs").glob("*/journal.db")) else None
            )
            if gate:
                decide(run_of(rig.base), gate.id, approved=answer(gate.id), who="eve", why="because")
                await asyncio.sleep(0.1)

    async def both() -> RunView:
        applying = asyncio.create_task(rig.apply(plan))
        await outside(applying)
        return await applying

    return asyncio.run(both())


def test_each_gate_waits_for_a_person_before_its_stage(tmp_path: Path) -> None:
    hosts = Hosts()
    seen: list[tuple[str, list[str]]] = []
    rig = Rig(tmp_path, hosts)

    def yes(gate: str) -> bool:
        seen.append((gate, list(hosts.ran)))
        return True

    view = answering(rig, yes)
    assert view.state is RunState.DONE
    assert seen == [("first", []), ("second", ["toyplan-1/a.1"])]
    assert [(gate.id, gate.state, gate.who, gate.why) for gate in view.gates] == [
        ("first", GateState.APPROVED, "eve", "because"),
        ("second", GateState.APPROVED, "eve", "because"),
    ]


def test_what_was_converted_is_shown_at_the_next_gate_alone() -> None:
    file = ConvertedFile(
        path="/etc/nova/nova.conf",
        sha256="0" * 64,
        parts=(Part(do=Do.CHANGE, first=1, last=1, old="a", new="b", text="a = 1\n"),),
    )
    convert = ConvertConfiguration(
        id="a", title="t", host="h1", deadline=1, estimate=1, directory="/x", files=(file,)
    )
    gates = [Gate(id=name, title=name, before=f"stage{number}") for number, name in enumerate("xyz", 1)]
    plan = plan_of([toy("k")], [toy("l")], [toy("m")], gates=gates)
    first = plan.stages[0].model_copy(update={"steps": (convert,)})
    plan = plan.model_copy(update={"stages": (first, *plan.stages[1:])})
    shown = [
        [line for line in basis_of(plan, RunView("r"), gate) if line.startswith(("/etc", "@@", "-", "+"))]
        for gate in plan.gates
    ]
    assert shown == [[], ["/etc/nova/nova.conf on h1:", "@@ line 1", "-a = 1", "+b = 1"], []]


def test_the_basis_names_what_is_done_and_what_comes(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Hosts())
    view = answering(rig, lambda _: True)
    first, second = view.gates
    assert [line.partition(":")[0] for line in first.basis] == ["next", "what users feel"]
    assert "stage1" in first.basis[0]
    assert second.basis[0].startswith("done: stage1 in ")
    assert "next: stage2" in second.basis[1]


def test_a_no_stops_the_run_and_it_can_be_asked_again(tmp_path: Path) -> None:
    hosts = Hosts()
    rig = Rig(tmp_path, hosts)
    view = answering(rig, lambda gate: gate == "first")
    assert view.state is RunState.STOPPED
    assert view.reason == "eve has said no at gate second: because"
    assert hosts.ran == ["toyplan-1/a.1"]
    view = answering(rig, lambda _: True)
    assert view.state is RunState.DONE
    assert kinds(tmp_path) == [
        *(Kind.GATE_OPENED, Kind.GATE_APPROVED, Kind.GATE_OPENED, Kind.GATE_REJECTED),
        *(Kind.GATE_OPENED, Kind.GATE_APPROVED),
    ]


def test_a_gate_that_nobody_answers_expires_and_the_run_pauses(tmp_path: Path) -> None:
    hosts = Hosts()
    plan = plan_of([toy("a")], [toy("b")], gates=(SECOND.model_copy(update={"expires": 0}),))
    view = asyncio.run(Rig(tmp_path, hosts).apply(plan))
    assert view.state is RunState.STOPPED
    assert view.gates[0].state is GateState.EXPIRED
    assert hosts.ran == ["toyplan-1/a.1"]
    with pytest.raises(InputError, match="gate second is not open"):
        decide(run_of(tmp_path), "second", approved=True, who="eve", why="")


def test_consent_on_the_command_line_is_recorded_with_who_gave_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Hosts(), consent=Consent("adam", "--yes", {"second": "--approve"}))
    view = asyncio.run(rig.apply(PLAN))
    assert view.state is RunState.DONE
    assert [(gate.who, gate.why) for gate in view.gates] == [("adam", "--yes"), ("adam", "--approve")]


def test_a_stop_while_it_waits_stops_the_run(tmp_path: Path) -> None:
    hosts = Hosts()

    async def stopped() -> RunView:
        with Rig(tmp_path, hosts).runner(PLAN) as (runner, journal):
            running = asyncio.create_task(runner.run())
            await waiting_at_a_gate(journal)
            runner.ask_stop()
            return await running

    view = asyncio.run(stopped())
    assert (view.state, hosts.ran) == (RunState.STOPPED, [])
    assert answering(Rig(tmp_path, hosts), lambda _: True).state is RunState.DONE


def test_an_answer_counts_that_came_while_the_process_was_dead(tmp_path: Path) -> None:
    hosts = Hosts()

    async def killed() -> None:
        with Rig(tmp_path, hosts).runner(PLAN) as (runner, journal):
            running = asyncio.create_task(runner.run())
            await waiting_at_a_gate(journal)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(killed())
    assert run_of(tmp_path).view().state is RunState.WAITING
    decide(run_of(tmp_path), "first", approved=True, who="eve", why="overnight")
    view = answering(Rig(tmp_path, hosts), lambda gate: gate == "second")
    assert view.state is RunState.DONE
    assert view.gates[0].why == "overnight"


def test_only_the_open_gate_can_be_decided_and_once(tmp_path: Path) -> None:
    hosts = Hosts()

    async def waiting() -> None:
        with Rig(tmp_path, hosts).runner(PLAN) as (runner, journal):
            running = asyncio.create_task(runner.run())
            await waiting_at_a_gate(journal)
            with pytest.raises(InputError, match="gate second is not open") as caught:
                decide(run_of(tmp_path), "second", approved=True, who="eve", why="")
            assert "waits at gate first" in caught.value.evidence
            decide(run_of(tmp_path), "first", approved=False, who="eve", why="no")
            with pytest.raises(InputError, match="rejected before"):
                decide(run_of(tmp_path), "first", approved=True, who="adam", why="yes")
            await running

    asyncio.run(waiting())
    assert run_of(tmp_path).view().state is RunState.STOPPED


def test_until_does_not_ask_for_what_is_not_wanted(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Hosts(), consent=Consent("adam", "", {"first": "--approve"}))
    view = asyncio.run(rig.apply(PLAN, until="stage1"))
    assert [gate.id for gate in view.gates] == ["first"]
    assert {step.id: step.state for step in view.steps()} == {"a": StepState.DONE, "b": StepState.PENDING}


BROKEN = [b"", b"\x00" * 90, b"[]", b'{"gate": "first"}', b"\xff\xfe"]


def answer_file(base: Path) -> Path:
    directory = run_of(base)
    gate = directory.view().open_gate
    assert gate is not None
    return directory.path / "decisions" / f"{gate.id}-{gate.opened}.json"


@pytest.mark.parametrize("content", BROKEN)
def test_an_answer_that_cannot_be_read_is_told_once_and_the_run_goes_on_waiting(
    tmp_path: Path, content: bytes
) -> None:
    hosts = Hosts()

    async def waiting() -> RunView:
        with Rig(tmp_path, hosts, consent=Consent("adam", "", {"second": "ok"})).runner(PLAN) as (
            runner,
            journal,
        ):
            running = asyncio.create_task(runner.run())
            await waiting_at_a_gate(journal)
            path = answer_file(tmp_path)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
            await asyncio.sleep(0.2)
            assert not running.done(), running
            assert hosts.ran == []
            view = journal.view
            assert (view.state, view.open_gate and view.open_gate.id) == (RunState.WAITING, "first")
            assert str(path) in view.reason
            with pytest.raises(InputError, match="what was said at gate first cannot be read") as error:
                decide(run_of(tmp_path), "first", approved=True, who="eve", why="because")
            assert error.value.where == str(path)
            assert error.value.evidence
            assert "remove that file" in error.value.remedy
            path.unlink()
            decide(run_of(tmp_path), "first", approved=True, who="eve", why="because")
            return await running

    assert asyncio.run(asyncio.wait_for(waiting(), 30)).state is RunState.DONE
    assert kinds(tmp_path).count(Kind.GATE_UNHEARD) == 1


def test_one_that_was_left_while_the_process_was_dead_is_asked_for_again(tmp_path: Path) -> None:
    async def killed() -> None:
        with Rig(tmp_path, Hosts()).runner(PLAN) as (runner, journal):
            running = asyncio.create_task(runner.run())
            await waiting_at_a_gate(journal)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(killed())
    path = answer_file(tmp_path)
    path.parent.mkdir(exist_ok=True)
    path.touch()
    assert answering(Rig(tmp_path, Hosts()), lambda _: True).state is RunState.DONE
    assert kinds(tmp_path).count(Kind.GATE_UNHEARD) == 1


def test_an_answer_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def noting(name: str) -> Callable[..., Any]:
        act = getattr(os, name)

        def noted(*arguments: Any) -> Any:
            order.append(name)
            return act(*arguments)

        return noted

    for name in ("fsync", "link"):
        monkeypatch.setattr(os, name, noting(name))

    async def waiting() -> None:
        with Rig(tmp_path, Hosts()).runner(PLAN) as (runner, journal):
            running = asyncio.create_task(runner.run())
            await waiting_at_a_gate(journal)
            order.clear()
            decide(run_of(tmp_path), "first", approved=False, who="Zoë", why="no")
            assert order == ["fsync", "link", "fsync"]
            await running

    asyncio.run(waiting())
    assert run_of(tmp_path).view().gates[0].who == "Zoë"
    assert [path.suffix for path in (run_of(tmp_path).path / "decisions").iterdir()] == [".json"]
