"""A host that is a hypervisor's machine comes back whole: by the hook, once, whatever is killed meanwhile."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from skipstone.run.journal import read_view
from skipstone.run.state import Kind, RunState
from skipstone.steps.machine import LeaveMachineSnapshot, SettleMachine, TakeMachineSnapshot
from skipstone.steps.step import Reversibility
from tests.faults.hypervisor import NAME, Machine, running_machine
from tests.faults.toyrun import apply, end, prepare, rollback, start
from tests.unit.cloud.sshd import PROGRAM
from tests.unit.run.toy import plan_of, toy

SNAPSHOT = "p"
DIRECTORY = "/var/lib/skipstone/p/machine"
POINTS = [
    f"before-{Kind.SUBMITTED}@undo.take",
    f"before-{Kind.OUTCOME}@undo.take",
    f"after-{Kind.VERIFIED}@undo.take",
    f"before-{Kind.SUBMITTED}@undo.settle",
]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    if os.getuid() != 0 or not Path(PROGRAM).exists():
        pytest.skip("needs root and sshd (tools/prepare-machine tests)")
    (tmp_path / "machine").mkdir()
    with running_machine(tmp_path / "machine") as booted:
        yield booted


def prepared(base: Path, machine: Machine, *, deadline: int = 60) -> Path:
    """Write a plan that keeps the machine and then ruins it, and return the journal of its run."""
    data = machine.disk / "data"
    common = {"directory": DIRECTORY, "deadline": deadline, "estimate": 1}
    hooked = {"hook": str(machine.hook), "machine": NAME, "name": SNAPSHOT}
    keep = [
        SettleMachine(id="settle", title="t", host=NAME, **common),
        TakeMachineSnapshot(id="take", title="t", needs=("settle",), **hooked, **common),
        LeaveMachineSnapshot(id="leave", title="t", host=NAME, needs=("take",), **common),
    ]
    ruin = toy(
        "ruin", script=f"rm {data}/first; echo new > {data}/second", reversibility=Reversibility.FROM_BACKUP
    )
    prepare(
        base,
        plan_of([toy("stop", script=f"echo stopped > {data}/state", undo=f"rm {data}/state")], keep, [ruin]),
    )
    (base / "inventory.yaml").write_text(machine.inventory)
    return base / "state" / "runs" / "toyplan-1" / "journal.db"


def said(base: Path) -> str:
    return (base / "out").read_text()


def test_a_machine_comes_back_whole(tmp_path: Path, machine: Machine) -> None:
    before = machine.content()
    journal = prepared(tmp_path, machine)
    assert apply(tmp_path) == 0, said(tmp_path)
    assert machine.content() == {"second": "new\n", "state": "stopped\n"}
    assert rollback(tmp_path) == 0, said(tmp_path)
    assert machine.content() == before
    assert (machine.calls("restore"), read_view(journal).state) == (1, RunState.ROLLED_BACK)
    assert "h1: the whole machine comes back" in said(tmp_path)
    jobs = machine.disk / "var-lib" / "skipstone" / "jobs"
    kept = {path.name for path in (jobs / read_view(journal).jobs).iterdir()}
    assert kept == {"stop.1", "settle.1"}, "its records are those of the snapshot's moment"


@pytest.mark.parametrize("point", POINTS)
def test_it_is_brought_back_once_whatever_is_killed(tmp_path: Path, machine: Machine, point: str) -> None:
    before = machine.content()
    journal = prepared(tmp_path, machine)
    assert apply(tmp_path) == 0, said(tmp_path)
    assert rollback(tmp_path, f"{point}:kill") == -signal.SIGKILL, said(tmp_path)
    assert rollback(tmp_path) == 0, said(tmp_path)
    assert machine.content() == before
    assert (machine.calls("restore"), read_view(journal).state) == (1, RunState.ROLLED_BACK)


def test_undone_to_its_snapshot_the_run_goes_on_from_there(tmp_path: Path, machine: Machine) -> None:
    journal = prepared(tmp_path, machine)
    assert apply(tmp_path) == 0, said(tmp_path)
    assert end(start(tmp_path, "", "--to", "stage2", verb="rollback")) == 0, said(tmp_path)
    assert machine.content() == {"first": "as it was\n", "state": "stopped\n"}
    assert apply(tmp_path) == 0, said(tmp_path)
    assert machine.content() == {"second": "new\n", "state": "stopped\n"}, (
        "no job of the other time is believed"
    )
    assert rollback(tmp_path) == 0, said(tmp_path)
    assert machine.content() == {"first": "as it was\n"}
    assert (machine.calls("restore"), read_view(journal).state) == (2, RunState.ROLLED_BACK)


def test_a_hook_may_return_while_the_old_machine_still_answers(tmp_path: Path, machine: Machine) -> None:
    """What waits on the old machine is lost with it, and begins again on the one that came back."""
    before = machine.content()
    prepared(tmp_path, machine)
    assert apply(tmp_path) == 0, said(tmp_path)
    machine.disturb(
        "restore", 'rm disturbed-restore; (sleep 4; ./hook restore "$2" "$3") > out 2>&1 & exit 0\n'
    )
    assert rollback(tmp_path) == 0, said(tmp_path)
    assert machine.content() == before


def test_a_hook_that_fails_is_named_and_called_again_once_repaired(tmp_path: Path, machine: Machine) -> None:
    before = machine.content()
    prepared(tmp_path, machine)
    assert apply(tmp_path) == 0, said(tmp_path)
    machine.disturb("restore", "echo 'no such domain' >&2; exit 7\n")
    assert rollback(tmp_path) == 4
    assert "the snapshot hook failed: restore for h1 exited with 7" in said(tmp_path)
    assert "no such domain" in said(tmp_path)
    assert machine.content() == {"second": "new\n", "state": "stopped\n"}, "nothing is undone without it"
    (machine.place / "disturbed-restore").unlink()
    assert rollback(tmp_path) == 0, said(tmp_path)
    assert machine.content() == before


@pytest.mark.parametrize(
    ("disturbance", "told"),
    [
        ("sleep 60", "it was not over at its deadline of 2 s"),
        ("exit 1", "the snapshot hook failed: take for h1 exited with 1"),
        ("exit 0", "it ended well, but its effect cannot be seen"),
        ("rm hook; exit 0", "is not there, or cannot be executed"),
    ],
)
def test_without_a_snapshot_nothing_is_changed(
    tmp_path: Path, machine: Machine, disturbance: str, told: str
) -> None:
    prepared(tmp_path, machine, deadline=2)
    machine.disturb("take", f"echo password=hunter2\n{disturbance}\n")
    assert apply(tmp_path) == 4
    assert told in said(tmp_path).replace("\n", " ")
    assert machine.content() == {"first": "as it was\n", "state": "stopped\n"}
    for path in (tmp_path / "state").rglob("*"):
        if path.is_file() and path.stat().st_mode & 0o077:
            assert b"hunter2" not in path.read_bytes(), path
    assert "hunter2" not in said(tmp_path)
    machine.install()
    assert rollback(tmp_path) == 0, said(tmp_path)
    assert machine.content() == {"first": "as it was\n"}
    assert not (machine.place / "calls").read_text().count("restore")


def test_another_snapshot_of_the_same_name_is_no_way_back(tmp_path: Path, machine: Machine) -> None:
    prepared(tmp_path, machine)
    assert apply(tmp_path) == 0, said(tmp_path)
    (machine.place / f"kept-{NAME}-{SNAPSHOT}.id").write_text("another\n")
    assert rollback(tmp_path) == 2
    assert "is not the one that was taken" in said(tmp_path)
    (machine.place / f"kept-{NAME}-{SNAPSHOT}.id").unlink()
    assert rollback(tmp_path) == 2
    assert machine.calls("restore") == 0


def test_once_it_is_dropped_there_is_no_way_back(tmp_path: Path, machine: Machine) -> None:
    prepared(tmp_path, machine)
    assert apply(tmp_path) == 0, said(tmp_path)
    assert end(start(tmp_path, "", "--drop", verb="checkpoints")) == 0, said(tmp_path)
    assert not list(machine.place.glob("kept-*"))
    assert rollback(tmp_path) == 2
    assert "checkpoints were dropped" in said(tmp_path)
