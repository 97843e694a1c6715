"""Which instances are on their way, as a drain's own lines tell it: in the journal, live, and as data."""

import io
import json
import uuid
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from skipstone.drain.gear import News, Phase
from skipstone.drain.model import Kind as Way
from skipstone.run.journal import Journal
from skipstone.run.moves import short, under_way
from skipstone.run.runner import plan_facts
from skipstone.run.runview import RunView
from skipstone.run.state import Kind
from skipstone.views.drain import shown_moves
from skipstone.views.progress import run_json, run_picture
from tests.unit.run.toy import plan_of, toy

ON_THEIR_WAY = {Phase.MOVES, Phase.VERIFIES}
NAMES = st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=30).map(str.strip)


def said(*news: News) -> str:
    """Return what a drain prints of them where nobody sits before it."""
    file = io.StringIO()
    with shown_moves(file) as shown:
        for one in news:
            shown.tell(one)
    return file.getvalue()


def move(number: int, phase: Phase, *, name: str = "vm", done: float | None = 0.5, text: str = "") -> News:
    return News(str(uuid.UUID(int=number)), name, phase, text, target="cmp2", kind=Way.LIVE, done=done)


@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.sampled_from(Phase), NAMES.filter(bool), st.booleans()), max_size=20
    )
)
def test_who_is_on_its_way_is_who_was_last_said_to_be(course: list[tuple[int, Phase, str, bool]]) -> None:
    going, last = "", dict[str, Phase]()
    for number, phase, name, ends in course:
        news = move(number, phase, name=name, text="as nova says" if ends else "")
        going = under_way(going, f"a line before\n{said(news)}a (strange)  line after")
        last[news.id] = phase
    wanted = {one for one, phase in last.items() if phase in ON_THEIR_WAY}
    lines = going.splitlines()
    assert len(lines) == len(wanted)
    assert all(any(f"({one})  {last[one]}" in line for line in lines) for one in wanted)


def test_a_line_is_short_without_the_id() -> None:
    (line,) = under_way("", said(move(7, Phase.MOVES, name="web (new)", text="running"))).splitlines()
    assert short(line) == "web (new)  moves  live → cmp2  50%  running"


def run_with(path: Path, *texts: str, over: bool = False) -> RunView:
    with Journal(path, token=1, mask=str) as journal:
        started: dict[str, Any] = {"run": "r", "plan_digest": "d", "who": "me", "host": "here", "pid": 1}
        journal.append(Kind.RUN_STARTED, plan=plan_facts(plan_of([toy("drain")])), **started)
        journal.append(Kind.INTENT, step="drain", attempt=1, script="true", host="h1")
        journal.append(Kind.SUBMITTED, step="drain", attempt=1)
        for text in texts:
            journal.append(Kind.OUTPUT, step="drain", attempt=1, text=text, offset=1)
        if over:
            facts = {"end": "exited", "code": 0, "seconds": 1, "rebooted": False}
            journal.append(Kind.OUTCOME, step="drain", attempt=1, **facts)
        return journal.view


def test_each_migration_is_shown_under_its_drain(tmp_path: Path) -> None:
    many = said(*(move(number, Phase.MOVES, name=f"vm{number}") for number in range(9)))
    view = run_with(tmp_path / "journal.db", many, said(move(3, Phase.MOVED, name="vm3")))
    console = Console(width=120)
    with console.capture() as capture:
        console.print(run_picture(view))
    lines = [line.strip() for line in capture.get().splitlines()]
    shown = [line for line in lines if line.startswith("vm")]
    assert shown == [f"vm{number}  moves  live → cmp2  50%" for number in (0, 1, 2, 4, 5, 6)]
    assert "and 2 more on their way" in lines
    (step,) = json.loads(run_json(view))["stages"][0]["steps"]
    assert len(step["moves"]) == 8


def test_none_is_on_its_way_once_the_drain_is_over(tmp_path: Path) -> None:
    view = run_with(tmp_path / "journal.db", said(move(1, Phase.MOVES)), over=True)
    assert [step.moves for step in view.steps()] == [""]
