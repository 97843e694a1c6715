"""Moves of instances as they go on: a live table on a terminal, else a line for each change."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from skipstone.drain.gear import News, Phase

_STYLE = {
    Phase.WAITS: "dim",
    Phase.MOVES: "cyan",
    Phase.VERIFIES: "cyan",
    Phase.MOVED: "green",
    Phase.STAYS: "",
    Phase.GONE: "",
    Phase.LEFT: "yellow",
    Phase.PAUSED: "yellow",
    Phase.STUCK: "red",
}

_EVERY = 10.0
"""Seconds between lines of one migration where nothing but its bytes changes."""


class Moves:
    """What is known of each instance; ``tell`` draws it anew."""

    def __init__(self, console: Console, live: Live | None) -> None:
        self._console = console
        self._live = live
        self._news: dict[str, News] = {}
        self._told: dict[str, float] = {}

    def tell(self, news: News) -> None:
        """Take one piece of news."""
        before = self._news.get(news.id)
        self._news[news.id] = news
        if self._live:
            self._live.update(self._table())
        elif self._worth_a_line(before, news):
            self._told[news.id] = time.monotonic()
            self._console.print(_line(news), soft_wrap=True)

    def _worth_a_line(self, before: News | None, news: News) -> bool:
        if before is None or (before.phase, before.text) != (news.phase, news.text):
            return True
        moved = news.done is not None and before.done != news.done
        return moved and time.monotonic() - self._told.get(news.id, 0) > _EVERY

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for news in self._news.values():
            words = (news.name, news.phase, _way(news), _share(news), news.text)
            style = _STYLE[news.phase]
            # as Text: a tenant's name for an instance may look like markup
            table.add_row(*(Text(word, style if word is news.phase else "") for word in words))
        return table


def _way(news: News) -> str:
    return f"{news.kind or ''} → {news.target}" if news.target else ""


def _share(news: News) -> str:
    return f"{news.done:.0%}" if news.done is not None else ""


def _line(news: News) -> Text:
    words = [f"{news.name} ({news.id})", news.phase, _way(news), _share(news), news.text]
    return Text("  ".join(word for word in words if word), _STYLE[news.phase])


@contextmanager
def shown_moves(file: TextIO) -> Iterator[Moves]:
    """Yield what shows moves on a file."""
    console = Console(file=file, highlight=False)
    if not console.is_terminal:
        yield Moves(console, None)
        return
    with Live(console=console, refresh_per_second=4) as live:
        yield Moves(console, live)
