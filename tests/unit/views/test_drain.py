import io

from rich.console import Console
from rich.live import Live

from skipstone.drain.gear import News, Phase
from skipstone.drain.model import Kind
from skipstone.views.drain import Moves, shown_moves


def news(phase: Phase = Phase.MOVES, done: float | None = None, text: str = "running") -> News:
    return News("id", "vm [red]one[/]", phase, text, target="cmp2", kind=Kind.LIVE, done=done)


def test_a_name_is_no_markup() -> None:
    console = Console(file=io.StringIO(), record=True, width=100, force_terminal=True)
    with Live(console=console, auto_refresh=False) as live:
        moves = Moves(console, live)
        moves.tell(news(done=0.25))
        live.refresh()
    assert "vm [red]one[/]  moves  live → cmp2  25%  running" in console.export_text()


def test_lines_tell_what_changes_and_not_each_byte() -> None:
    file = io.StringIO()
    with shown_moves(file) as shown:
        for done in (0.1, 0.2, 0.3):
            shown.tell(news(done=done))
        shown.tell(news(Phase.MOVED, text="it runs there"))
    lines = file.getvalue().splitlines()
    assert lines == [
        "vm [red]one[/] (id)  moves  live → cmp2  10%  running",
        "vm [red]one[/] (id)  moved  live → cmp2  it runs there",
    ]
