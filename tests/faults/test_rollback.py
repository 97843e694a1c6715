"""kill -9 at every event of a rollback: in the end all is undone, and no command ran twice in an attempt."""

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from skipstone.cloud.command import OPERATOR
from skipstone.plan.plan import Plan
from skipstone.run.journal import read_view
from skipstone.run.state import Kind, RunState
from tests.faults.toyrun import VERSION, apply, end, prepare, rollback, start
from tests.unit.run.toy import Toy, plan_of, toy

POINTS = [
    *((kind, None) for kind in (Kind.ROLLBACK_BEGUN, Kind.RUN_STARTED, Kind.RUN_DONE, Kind.ROLLBACK_DONE)),
    *(
        (kind, step)
        for step in ("undo.a", "undo.c")
        for kind in (Kind.INTENT, Kind.SUBMITTED, Kind.OUTCOME, Kind.VERIFIED)
    ),
]


def undoable(base: Path, name: str, *needs: str) -> Toy:
    """Return a step that makes a file, and whose undoing takes it away and leaves a line."""
    undo = f'echo "$0" >>{base}/undone; rm -f {base}/made-{name}'
    return toy(name, *needs, host=OPERATOR, script=f"touch {base}/made-{name}", undo=undo)


def plan_for(base: Path) -> Plan:
    return plan_of([undoable(base, "a"), undoable(base, "b", "a")], [undoable(base, "c")])


@pytest.mark.parametrize("side", ["before", pytest.param("after", marks=pytest.mark.long)])
@pytest.mark.parametrize(("kind", "step"), POINTS)
def test_killed_at_any_event_it_ends_undone(tmp_path: Path, kind: Kind, step: str | None, side: str) -> None:
    prepare(tmp_path, plan_for(tmp_path))
    assert apply(tmp_path) == 0
    assert len(list(tmp_path.glob("made-*"))) == 3
    fault = f"{side}-{kind}@{step}:kill" if step else f"{side}-{kind}:kill"
    assert rollback(tmp_path, fault) == -signal.SIGKILL, (tmp_path / "out").read_text()
    journal = tmp_path / "state" / "runs" / "toyplan-1" / "journal.db"
    for _ in range(3):
        if read_view(journal).state is RunState.ROLLED_BACK:
            break
        assert rollback(tmp_path) == 0, (tmp_path / "out").read_text()
    assert read_view(journal).state is RunState.ROLLED_BACK
    assert not list(tmp_path.glob("made-*"))
    jobs = Counter((tmp_path / "undone").read_text().splitlines())
    assert set(jobs.values()) == {1}
    assert len(list(tmp_path.glob("state/runs/*-rollback-*"))) == 1, "nothing is undone a second time"
    assert rollback(tmp_path) == 2, "nothing is left to undo"


def test_an_undoing_that_fails_stops_and_goes_on(tmp_path: Path) -> None:
    made = plan_for(tmp_path)
    failing = (
        made.stages[0]
        .steps[0]
        .model_copy(update={"undo": f"test -e {tmp_path}/repaired && rm -f {tmp_path}/made-a"})
    )
    prepare(tmp_path, plan_of([failing, made.stages[0].steps[1]], made.stages[1].steps))
    assert apply(tmp_path) == 0
    assert rollback(tmp_path) == 4
    assert [path.name for path in tmp_path.glob("made-*")] == ["made-a"], "what needed it is undone"
    assert apply(tmp_path) == 2
    assert "is being rolled back" in (tmp_path / "out").read_text()
    os.mknod(tmp_path / "repaired")
    assert rollback(tmp_path) == 0
    assert not list(tmp_path.glob("made-*"))


@pytest.mark.parametrize("verb", ["rollback", "resume"])
def test_an_undoing_that_fails_goes_on_with_a_repaired_version(tmp_path: Path, verb: str) -> None:
    failing = undoable(tmp_path, "a").model_copy(
        update={"undo": f"test -e {tmp_path}/repaired && rm -f {tmp_path}/made-a"}
    )
    prepare(tmp_path, plan_of([failing, undoable(tmp_path, "b", "a")]))
    assert apply(tmp_path) == 0
    assert rollback(tmp_path) == 4
    os.mknod(tmp_path / "repaired")
    (tmp_path / VERSION).write_text("99")
    assert end(start(tmp_path, verb=verb)) == 0, (tmp_path / "out").read_text()
    assert not list(tmp_path.glob("made-*"))
    assert len(list(tmp_path.glob("state/runs/*-rollback-*"))) == 1, "nothing is undone a second time"
    journal = tmp_path / "state" / "runs" / "toyplan-1" / "journal.db"
    assert read_view(journal).state is RunState.ROLLED_BACK


def test_a_failure_names_every_way_on(tmp_path: Path) -> None:
    failing = undoable(tmp_path, "b", "a").model_copy(update={"script": "exit 3"})
    prepare(tmp_path, plan_of([undoable(tmp_path, "a"), failing]))
    assert apply(tmp_path) == 4
    said = (tmp_path / "out").read_text()
    for words in ("`skipstone resume` goes on here", "skipstone rollback undoes", "skipstone abort --reason"):
        assert words in said
    assert "skipstone skip" not in said, "without this step the upgrade is not whole"
    assert rollback(tmp_path) == 0
    assert not list(tmp_path.glob("made-*"))
