"""Whose job a host has: that of one run, also where another one has the same name."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from skipstone.run import runner
from skipstone.run.directory import find_run
from skipstone.run.journal import read_events, read_view
from skipstone.run.question import Patience
from skipstone.run.rollback import plan_rollback
from skipstone.run.state import Kind, RunState
from tests.unit.run.test_runner import apply
from tests.unit.run.toy import Hosts, Rig, plan_of, toy


def told(base: Path) -> list[tuple[str, str]]:
    """Return the directory and the unit of each job, as the journal has them."""
    events = read_events(base / "runs/toyplan-1/journal.db")
    facts = [event.payload for event in events if event.kind is Kind.SUBMITTED]
    return [(one["directory"], one["unit"]) for one in facts]


def test_records_of_another_run_of_the_same_name_are_not_its_own(tmp_path: Path) -> None:
    """Whoever has no runs yet (another account or machine, a state that was lost) counts from 1 again."""
    hosts, plan = Hosts(), plan_of([toy("a", undo="undo a")])
    for operator in ("alice", "bob"):
        rig = Rig(tmp_path / operator, hosts)
        assert apply(rig, plan).state is RunState.DONE
        assert apply(rig, plan_rollback(find_run(rig.base / "runs", None)).plan).state is RunState.DONE
    assert hosts.ran == ["toyplan-1/a.1", "toyplan-1-rollback-1/undo.a.1"] * 2


def test_a_run_keeps_the_names_of_its_jobs(tmp_path: Path) -> None:
    hosts = Hosts(silent=10**6, lose=lambda: False)
    rig = Rig(tmp_path, hosts, patience=Patience(silence=0.03, pause=0.01, watch=1))
    plan = plan_of([toy("a", deadline=0), toy("b", "a")])
    assert apply(rig, plan).state is RunState.FAILED
    (submitted,) = hosts.jobs
    hosts.silent = 0
    assert apply(rig, plan).state is RunState.DONE
    assert list(hosts.jobs) == [submitted, submitted.replace("/a.1", "/b.1")]
    mark = read_view(tmp_path / "runs/toyplan-1/journal.db").mark
    assert submitted == f"toyplan-1.{mark}/a.1"
    assert told(tmp_path) == [
        (f"{tmp_path}/jobs/toyplan-1.{mark}/{step}.1", f"skipstone-toyplan-1.{mark}-{step}.1")
        for step in "ab"
    ]


def test_a_run_of_a_version_without_marks_goes_on_with_names_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = Hosts(silent=10**6, lose=lambda: False)
    rig = Rig(tmp_path, hosts, patience=Patience(silence=0.03, pause=0.01, watch=1))
    plan = plan_of([toy("a", deadline=0), toy("b", "a")])
    with monkeypatch.context() as before:
        before.setattr(runner, "new_mark", str)
        assert apply(rig, plan).state is RunState.FAILED
    with closing(sqlite3.connect(tmp_path / "runs/toyplan-1/journal.db")) as file:
        file.executescript(
            "DROP TABLE standing; DROP TRIGGER events_stay; PRAGMA user_version = 1;"
            "UPDATE events SET payload = json_remove(payload, '$.mark')"
        )
    hosts.silent = 0
    assert apply(rig, plan).state is RunState.DONE
    assert list(hosts.jobs) == ["toyplan-1/a.1", "toyplan-1/b.1"]
