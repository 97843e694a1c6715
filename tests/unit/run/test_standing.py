"""Where a run stands is the same, whether all of its events are folded or those since it was last written."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skipstone.run import journal as journals
from skipstone.run import standing
from skipstone.run.fold import fold
from skipstone.run.journal import Journal, read_events, read_view
from skipstone.run.runner import plan_facts
from skipstone.run.runview import RunView
from skipstone.run.state import RUN_MOVES, STEP_MOVES, Kind, RunState, StepState
from skipstone.views.progress import run_json
from tests.unit.run.toy import plan_of, toy

STEPS = ("a", "b", "c")
WHY = {"what": "no room", "evidence": "df", "remedy": "make room"}
FACTS: dict[Kind, dict[str, Any]] = {
    Kind.RUN_STARTED: {
        "run": "r",
        "plan_digest": "d",
        "who": "me",
        "host": "here",
        "pid": 1,
        "allowed_by": "ann",
        "plan": plan_facts(plan_of([toy("a"), toy("b", "a")], [toy("c")])),
        "budgets": {"boots": 1.0},
    },
    Kind.RUN_RESUMED: {"who": "you", "host": "there", "pid": 2},
    Kind.BUDGET_BROKEN: {"budget": "boots", "spent": 2, "figures": "2 of 1", "reason": "broken"},
    Kind.INSTANCE_LEFT_OUT: {"text": "vm1: stopped by its owner"},
    Kind.HOST_WRITTEN_OFF: {"host": "h1", "who": "ann", "why": "burnt"},
    Kind.ROLLBACK_BEGUN: {"by": "r2", "to": "stage2", "reason": "by run r2"},
    Kind.CHECKPOINT_REACHED: {"undone": ["c"], "stages": ["stage2"], "reason": "by run r2"},
    Kind.WINDOW_CLOSED: {"until": "2026-11-30T22:00:00+00:00"},
    Kind.GATE_OPENED: {
        "gate": "g",
        "title": "a gate",
        "stage": "stage2",
        "basis": ["one", "two"],
        "expires": "2026-11-30T22:00:00+00:00",
    },
    **{kind: {"gate": "g", "who": "ann", "why": "so"} for kind in (Kind.GATE_APPROVED, Kind.GATE_REJECTED)},
    Kind.GATE_EXPIRED: {"gate": "g"},
    Kind.INTENT: {"script": "true", "host": "h1"},
    Kind.OUTPUT: {"text": "a line\n", "offset": 7},
    Kind.OUTCOME: {"end": "exited", "code": 3, "seconds": 0.0, "rebooted": False},
    Kind.FAILURE: WHY,
    Kind.NO_ANSWER: WHY,
    Kind.SKIPPED: {"who": "ann", "why": "so"},
}
GATE_ENDS = {Kind.GATE_APPROVED, Kind.GATE_REJECTED, Kind.GATE_EXPIRED}


def possible(view: RunView) -> list[tuple[Kind, str | None]]:
    """Return the events that may come next, in words of the tables of moves."""
    if view.state is RunState.NEW:
        return [(Kind.RUN_STARTED, None)]
    asked = {None} if view.open_gate else GATE_ENDS
    found = [(kind, None) for state, kind in RUN_MOVES if state is view.state and kind not in asked]
    states = {step.id: step.state for step in view.steps()}
    return [*found, *((kind, step) for step in STEPS for state, kind in STEP_MOVES if state is states[step])]


@st.composite
def histories(draw: st.DrawFn) -> list[int]:
    """Numbers by which the next event is chosen from the possible ones; 0 opens the journal anew."""
    return draw(st.lists(st.integers(0, 400), max_size=60))


def written(path: Path, history: list[int]) -> Iterator[RunView]:
    """Write such a journal, and yield what its writer says after each event."""
    journal, token = Journal(path, token=1, mask=str), 1
    for number in [1, *history]:
        if number == 0:
            token += 1
            journal.__exit__(None, None, None) if token % 2 else journal._file.close()
            journal = Journal(path, token=token, mask=str)
        elif able := possible(journal.view):
            kind, step = able[number % len(able)]
            journal.append(kind, step=step, attempt=1 if step else None, **FACTS.get(kind, {}))
        yield journal.view
    journal._file.close()


@settings(deadline=None, max_examples=60)
@given(histories(), st.integers(1, 9))
def test_it_is_what_the_events_say(history: list[int], every: int) -> None:
    with TemporaryDirectory() as base, pytest.MonkeyPatch.context() as patch:
        patch.setattr(journals, "KEPT_EVERY", every)
        path = Path(base) / "journal.db"
        for said in written(path, history):
            assert read_view(path) == said == fold(read_events(path))
            assert run_json(read_view(path)) == run_json(said)


def a_journal(path: Path) -> None:
    with Journal(path, token=1, mask=str) as journal:
        journal.append(Kind.RUN_STARTED, **FACTS[Kind.RUN_STARTED])
        journal.append(Kind.INTENT, step="a", attempt=1, **FACTS[Kind.INTENT])


def spoilt(path: Path, statement: str) -> None:
    """Make what was written of the standing another one, so that it can be seen who reads it."""
    with closing(sqlite3.connect(path)) as file:
        assert file.execute(statement).rowcount > 0
        file.commit()


OTHER = 'UPDATE standing SET facts = replace(facts, \'"state": "running"\', \'"state": "failed"\')'


def test_only_what_came_later_is_folded(tmp_path: Path) -> None:
    a_journal(tmp_path / "journal.db")
    spoilt(tmp_path / "journal.db", OTHER)
    assert read_view(tmp_path / "journal.db").state is RunState.FAILED


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM standing",
        "UPDATE standing SET facts = replace(facts, 'made_by\": \"', 'made_by\": \"9') WHERE place = 0",
        "UPDATE standing SET facts = replace(facts, '\"last_seq\": 2', '\"last_seq\": 3') WHERE place = 0",
    ],
)
def test_what_is_not_of_these_events_is_not_looked_at(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "journal.db"
    a_journal(path)
    spoilt(path, OTHER)
    spoilt(path, statement)
    assert read_view(path) == fold(read_events(path))
    with Journal(path, token=2, mask=str) as journal:
        assert journal.step("a").state is StepState.INTENDED
        journal.append(Kind.RUN_RESUMED, **FACTS[Kind.RUN_RESUMED])
        assert read_view(path) == journal.view


def test_a_journal_of_before_there_was_any_is_read_and_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    a_journal(path)
    with closing(sqlite3.connect(path)) as file:
        file.execute("DROP TABLE standing")
    view = read_view(path)
    assert view == fold(read_events(path))
    with Journal(path, token=2, mask=str) as journal:
        assert journal.view == view
        journal.append(Kind.SUBMITTED, step="a", attempt=1, directory="/", unit="")
    spoilt(path, OTHER)
    assert read_view(path).state is RunState.FAILED


def test_who_was_taken_over_does_not_write_it_any_more(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    a_journal(path)
    with Journal(path, token=1, mask=str) as old, Journal(path, token=2, mask=str) as new:
        new.append(Kind.RUN_RESUMED, **FACTS[Kind.RUN_RESUMED])
        with pytest.raises(sqlite3.IntegrityError, match="taken this run over"):
            old._standing.keep(old._fold)
        assert read_view(path) == new.view


def test_every_field_that_is_a_time_comes_back_as_one() -> None:
    assert {standing._FIELDS[number] for number in standing._TIMES} == {"began", "ended", "attempt_began"}
