"""The journal's promises: append-only, fenced, read while written, clear when damaged."""

import json
import multiprocessing
import os
import resource
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from skipstone.errors import InputError, RunLocked, RunStopped
from skipstone.run.faults import InjectedFault
from skipstone.run.fold import Fold
from skipstone.run.journal import APPLICATION_ID, INSERT, Journal, follow, read_events, read_view
from skipstone.run.lock import hold_cloud, holder_of
from skipstone.run.runner import plan_facts
from skipstone.run.state import RUN_MOVES, STEP_MOVES, ForbiddenMove, Kind, RunState, StepState
from tests.unit.run.toy import plan_of, toy


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def open_journal(path: Path, token: int = 1) -> Journal:
    return Journal(path, token=token, mask=lambda text: text.replace("hunter2", "***"))


def start(journal: Journal) -> None:
    plan = plan_facts(plan_of([toy("a"), toy("b", "a")]))
    journal.append(Kind.RUN_STARTED, run="r", plan_digest="d", plan=plan, who="me", host="here", pid=1)


def intend(journal: Journal, step: str = "a") -> None:
    journal.append(Kind.INTENT, step=step, attempt=1, script="true")


def test_it_is_read_while_it_is_written(path: Path) -> None:
    with open_journal(path) as journal:
        start(journal)
        assert read_view(path).state is RunState.RUNNING
        seen = read_view(path).last_seq
        intend(journal)
        assert [event.kind for event in read_events(path, after=seen)] == [Kind.INTENT]
        assert [event.step for event in read_events(path, step="a")] == ["a"]
        assert read_view(path) == journal.view


def test_it_goes_on_where_it_ended(path: Path) -> None:
    with open_journal(path) as journal:
        start(journal)
        intend(journal)
        view = journal.view
    with open_journal(path, token=2) as journal:
        assert journal.view == view
        assert journal.step("a").state is StepState.INTENDED


@pytest.mark.parametrize("statement", ["UPDATE events SET kind = 'run-done'", "DELETE FROM events"])
def test_nothing_in_it_is_changed_or_removed(path: Path, statement: str) -> None:
    with open_journal(path) as journal:
        start(journal)
    with closing(sqlite3.connect(path)) as file, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        file.execute(statement)


def test_a_process_that_was_taken_over_cannot_write(path: Path) -> None:
    with open_journal(path, token=1) as old, open_journal(path, token=2) as new:
        start(new)
        with pytest.raises(RunStopped, match="cannot be written") as error:
            start(old)
        assert "taken this run over" in error.value.evidence


def test_what_hosts_print_is_masked(path: Path) -> None:
    with open_journal(path) as journal:
        start(journal)
        intend(journal)
        journal.append(Kind.SUBMITTED, step="a", attempt=1)
        journal.append(Kind.OUTPUT, step="a", attempt=1, text="password is hunter2\n", offset=20)
        assert journal.output("a", 1) == "password is ***\n"
        assert journal.step("a").last_line == "password is ***"


def test_events_that_the_state_forbids_are_not_written(path: Path) -> None:
    with open_journal(path) as journal:
        start(journal)
        with pytest.raises(ForbiddenMove, match="pending cannot have the event verified"):
            journal.append(Kind.VERIFIED, step="a", attempt=1)
        with pytest.raises(ForbiddenMove):
            start(journal)
        assert journal.view.last_seq == 1


def test_a_full_disk_stops_the_run(path: Path) -> None:
    with open_journal(path) as journal:
        start(journal)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.with_name("journal.db-wal").stat().st_size, hard))
        try:
            with pytest.raises(RunStopped, match="cannot be written"):
                journal.append(Kind.INTENT, step="a", attempt=1, script="x" * 100_000)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert journal.step("a").state is StepState.PENDING
        intend(journal)
    assert read_view(path).last_seq == 2


def damage(path: Path, how: str) -> None:
    match how:
        case "truncated":
            os.truncate(path, path.stat().st_size // 2)
        case "garbage":
            path.write_bytes(b"no database" * 1000)
        case "another database":
            path.unlink()
            with closing(sqlite3.connect(path)) as file:
                file.execute("CREATE TABLE events (seq)")
        case "of the future":
            with closing(sqlite3.connect(path)) as file:
                file.execute("PRAGMA user_version = 99")
        case "an unknown kind":
            with closing(sqlite3.connect(path)) as file:
                file.execute(
                    "INSERT INTO events (time, token, kind, payload) VALUES ('2026-11-21', 9, 'odd', '{}')"
                )
                file.commit()
        case "events lost":
            with closing(sqlite3.connect(path)) as file:
                file.execute("DROP TRIGGER events_last")
                file.execute("DELETE FROM events WHERE seq = 2")
                file.commit()
        case "gone":
            path.unlink()


@pytest.mark.parametrize(
    "how",
    ["truncated", "garbage", "another database", "of the future", "an unknown kind", "events lost", "gone"],
)
def test_a_damaged_journal_is_a_clear_error(path: Path, how: str) -> None:
    with open_journal(path) as journal:
        start(journal)
        intend(journal)
        journal.append(Kind.SUBMITTED, step="a", attempt=1)
    damage(path, how)
    with pytest.raises(InputError) as error:
        read_view(path)
    assert error.value.where == str(path)
    assert error.value.remedy
    if how != "gone":
        before = path.read_bytes()
        with pytest.raises(InputError):
            open_journal(path)
        assert path.read_bytes() == before or how == "another database"


PLANLESS = {"run": "r", "plan_digest": "d", "who": "me", "host": "here", "pid": 1, "plan": []}
SENSELESS: dict[str, tuple[Kind, str | None, object]] = {
    "an impossible move": (Kind.VERIFIED, "b", {}),
    "an event of a step that there is not": (Kind.INTENT, "nix", {}),
    "a list": (Kind.RUN_RESUMED, None, []),
    "a list with something in it": (Kind.OUTPUT, "a", [1]),
    "a number": (Kind.OUTCOME, "a", 1),
    "an answer at no gate": (Kind.GATE_APPROVED, None, {"gate": "g"}),
    "no plan": (Kind.RUN_STARTED, None, PLANLESS),
}


@pytest.mark.parametrize("what", SENSELESS)
def test_an_event_that_makes_no_sense_is_named(path: Path, what: str) -> None:
    kind, step, payload = SENSELESS[what]
    with open_journal(path) as journal:
        if kind is not Kind.RUN_STARTED:
            start(journal)
            intend(journal)
            journal.append(Kind.SUBMITTED, step="a", attempt=1)
        if kind is Kind.GATE_APPROVED:
            journal.append(Kind.WINDOW_CLOSED, until="2026-11-30T22:00:00+00:00")
        row = ("2026-11-21T10:00:00+00:00", 9, kind, step, 1, json.dumps(payload))
        number = journal._file.execute(INSERT, row).lastrowid
    for read in (read_view, open_journal, lambda path: list(follow(path, Fold()))):
        with pytest.raises(InputError, match="this journal cannot be read") as error:
            read(path)
        assert error.value.where == str(path)
        assert f"event {number}, {kind}, makes no sense" in error.value.evidence
        assert error.value.remedy


def test_it_is_followed_from_where_a_fold_stands(path: Path) -> None:
    fold = Fold()
    with open_journal(path) as journal:
        start(journal)
        assert [(event.kind, fold.state) for event in follow(path, fold)] == [
            (Kind.RUN_STARTED, RunState.RUNNING)
        ]
        intend(journal)
        assert [event.kind for event in follow(path, fold)] == [Kind.INTENT]
        assert list(follow(path, fold)) == []
        assert fold.view == journal.view


def test_damage_that_no_event_shows_is_seen_before_anything_is_done(path: Path) -> None:
    with open_journal(path) as journal:
        start(journal)
        index = "SELECT rootpage FROM sqlite_schema WHERE name = 'events_by_step'"
        page, size = journal._file.execute(index).fetchone()[0], 4096
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(os.urandom(size))
    assert read_view(path).state is RunState.RUNNING
    before = path.read_bytes()
    with pytest.raises(InputError, match="cannot be read"):
        open_journal(path)
    assert path.read_bytes() == before


def test_the_file_says_what_it_is(path: Path) -> None:
    with open_journal(path):
        pass
    assert int.from_bytes(path.read_bytes()[68:72], "big") == APPLICATION_ID
    assert path.stat().st_mode & 0o077 == 0


def test_armed_faults_act_at_their_point_only(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKIPSTONE_FAULT", "after-intent@b:raise")
    with open_journal(path) as journal:
        start(journal)
        intend(journal, "a")
        with pytest.raises(InjectedFault, match="after-intent at b"):
            intend(journal, "b")
    assert read_view(path).last_seq == 3


def test_every_move_has_a_reason_and_every_state_can_be_reached() -> None:
    assert all(move.reason for move in STEP_MOVES.values())
    assert all(move.reason for move in RUN_MOVES.values())
    assert {move.to for move in STEP_MOVES.values()} | {StepState.PENDING} == set(StepState)
    assert {move.to for move in RUN_MOVES.values()} | {RunState.NEW} == set(RunState)


def test_what_is_done_stays_done() -> None:
    assert not [kind for state, kind in STEP_MOVES if state is StepState.DONE]
    moves = [(state, kind) for state, kind in RUN_MOVES if kind is not Kind.CHECKPOINTS_DROPPED]
    assert [kind for state, kind in moves if state is RunState.DONE] == [Kind.ROLLBACK_BEGUN]
    assert not [kind for state, kind in moves if state is RunState.ROLLED_BACK]
    kept = {state: move.to for (state, kind), move in RUN_MOVES.items() if kind is Kind.CHECKPOINTS_DROPPED}
    assert kept == {state: state for state in RunState if state.over}


def hold_for_ever(base: Path, ready: Any) -> None:
    with hold_cloud(base, "a/cloud", "run-1", runs=base):
        ready.set()
        ready.wait(60)
        signal_never: Any = multiprocessing.Event()
        signal_never.wait(60)


def test_one_run_per_cloud_until_its_process_dies(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=hold_for_ever, args=(tmp_path, ready))
    process.start()
    assert ready.wait(30)
    with (
        pytest.raises(RunLocked, match="held by run run-1") as error,
        hold_cloud(tmp_path, "a/cloud", "run-2", runs=tmp_path),
    ):
        pass
    assert f"process {process.pid}" in error.value.where
    assert "since 20" in error.value.evidence
    held = holder_of(tmp_path, "a/cloud")
    assert held is not None
    assert held.run == "run-1"
    with hold_cloud(tmp_path, "another", "run-3", runs=tmp_path):
        pass
    process.kill()
    process.join(10)
    process.close()
    assert holder_of(tmp_path, "a/cloud") is None
    with hold_cloud(tmp_path, "a/cloud", "run-2", runs=tmp_path) as lease:
        assert lease.token == held.token + 1


def test_the_time_between_sittings_is_not_the_runs(path: Path) -> None:
    with open_journal(path) as journal:
        start(journal)
        intend(journal)
        died = journal.view.last_time
    time.sleep(0.3)
    with open_journal(path, token=2) as journal:
        journal.append(Kind.RUN_RESUMED, who="me", host="here", pid=2)
        journal.append(Kind.STOP_ASKED)
        journal.append(Kind.RUN_STOPPED, reason="enough")
        view = journal.view
    assert view.began is not None
    assert died is not None
    assert view.ended is not None
    assert view.elapsed(view.ended) < (view.ended - view.began).total_seconds() - 0.3
    assert view.elapsed(view.ended) >= (died - view.began).total_seconds()
