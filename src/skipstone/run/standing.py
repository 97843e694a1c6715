"""Where a run stood at one of its events, in the journal's own file: what came later is folded on top.

It says nothing that the events do not, which alone are the truth: without it all of them are folded. There
are half a million of a run of ten thousand hosts, and here one row for each step.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import from_json

from skipstone import __version__
from skipstone.collecting import collecting_later
from skipstone.run.fold import Fold
from skipstone.run.runview import RunView, StepView
from skipstone.run.state import StepState

SCHEMA = """
CREATE TABLE IF NOT EXISTS standing (
    place INTEGER PRIMARY KEY,
    token INTEGER NOT NULL,
    facts TEXT NOT NULL
) STRICT;
CREATE TRIGGER IF NOT EXISTS standing_fenced BEFORE INSERT ON standing
    WHEN NEW.place = 0 AND NEW.token < (SELECT token FROM events ORDER BY seq DESC LIMIT 1)
    BEGIN SELECT RAISE(ABORT, 'a later process has taken this run over'); END;
"""
"""The run itself is at place 0; its steps follow, in the plan's order."""

_WRITE = "INSERT OR REPLACE INTO standing (place, token, facts) VALUES (?, ?, ?)"
_IS_THERE = "SELECT 1 FROM sqlite_schema WHERE name = 'standing'"

_FIELDS = tuple(field.name for field in fields(StepView))
_BEGINNING = tuple(field.default for field in fields(StepView))
_STATE = _FIELDS.index("state")
_TIMES = tuple(number for number, field in enumerate(fields(StepView)) if field.type == datetime | None)
_STATES: Mapping[str, StepState] = {str(state): state for state in StepState}
_RUN = TypeAdapter(RunView)

MADE_BY = f"{__version__}: {' '.join([*_FIELDS, *(field.name for field in fields(RunView))])}"
"""Who says so: another version may fold the same events into something else, and does not look at it."""


class Standing:
    """Keeps where a run stands in its journal's file; ``token`` is the writer's, as in the events."""

    def __init__(self, file: sqlite3.Connection, token: int) -> None:
        self._file = file
        self._token = token
        self._places: dict[str, int] = {}
        file.executescript(SCHEMA)

    def keep(self, fold: Fold) -> None:
        """Write what has changed since it was last written; raise sqlite3.Error where that cannot be done."""
        view, changed = fold.view, fold.changed
        if changed is None or not self._places:
            self._places = {step.id: place for place, step in enumerate(view.steps(), start=1)}
        steps = self._places if changed is None else changed
        rows = [(self._places[step], self._token, _told(fold.step(step))) for step in steps]
        self._file.execute("BEGIN IMMEDIATE")
        try:
            if changed is None:
                self._file.execute("DELETE FROM standing")
            self._file.executemany(_WRITE, [*rows, (0, self._token, _head(view))])
        except BaseException:
            if self._file.in_transaction:  # SQLite itself has rolled back where the disk is full
                self._file.execute("ROLLBACK")
            raise
        self._file.execute("COMMIT")
        fold.changed = set()


@collecting_later()
def kept(file: sqlite3.Connection) -> RunView:
    """Return where a run stood when this version last wrote it; as if it were new, where it never did."""
    if not file.execute(_IS_THERE).fetchone():
        return RunView()
    rows = ",".join(facts for (facts,) in file.execute("SELECT facts FROM standing ORDER BY place"))
    head, *steps = from_json(f"[{rows}]") if rows else [{}]
    if head.get("made_by") != MADE_BY:
        return RunView()
    read = map(_read, steps)
    for stage in head["run"]["stages"]:
        stage["steps"] = tuple(islice(read, stage["steps"]))
    view = _RUN.validate_python(head["run"])
    return view if _is_of(file, view) else RunView()


def _is_of(file: sqlite3.Connection, view: RunView) -> bool:
    """Say whether it is of these events, and all of them are there; who folds them can say what is wrong."""
    try:
        there, last = file.execute(_HOW_MANY).fetchone()
    except sqlite3.DatabaseError:  # their index is damaged
        return False
    time = file.execute("SELECT time FROM events WHERE seq = ?", (view.last_seq,)).fetchone()
    return there == last and time is not None and datetime.fromisoformat(time[0]) == view.last_time


_HOW_MANY = "SELECT (SELECT count(*) FROM events), (SELECT max(seq) FROM events)"


def _head(view: RunView) -> str:
    run = _RUN.dump_python(view, mode="json", exclude={"stages": {"__all__": {"steps"}}})
    for told, stage in zip(run["stages"], view.stages, strict=True):
        told["steps"] = len(stage.steps)
    return json.dumps({"made_by": MADE_BY, "run": run})


def _told(step: StepView) -> str:
    """Return a step's fields as JSON, in their order, up to the last that is not as at its beginning."""
    values: list[Any] = [getattr(step, name) for name in _FIELDS]
    while values[-1] is _BEGINNING[len(values) - 1]:
        values.pop()
    return json.dumps([value.isoformat() if isinstance(value, datetime) else value for value in values])


def _read(values: list[Any]) -> StepView:
    if len(values) > _STATE:
        values[_STATE] = _STATES[values[_STATE]]
        for number in _TIMES:
            if number < len(values) and values[number]:
                values[number] = _time(values[number])
    step = object.__new__(StepView)
    # __init__ would take as long as all the rest; what is at its default is read from the class
    step.__dict__.update(zip(_FIELDS, values, strict=False))
    return step


_time = lru_cache(maxsize=64)(datetime.fromisoformat)  # a step and its attempt have often begun together
