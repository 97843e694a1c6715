"""What the lab tells while it works: steps, each with its time; several can be under way at once."""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table


class Progress(Protocol):
    """Where the lab tells what it does."""

    def step(self, title: str) -> contextlib.AbstractContextManager[None]:
        """Show a step for as long as the context lasts, then how long it took."""


class QuietProgress:
    """Tells nothing."""

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Do nothing around the step."""
        del title
        yield


class TerminalProgress:
    """Steps on a terminal with a spinner and the elapsed time; plain lines where there is no terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._running: dict[int, tuple[str, float]] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def shown(self) -> Iterator["TerminalProgress"]:
        """Keep the display alive; steps belong inside."""
        if not self._console.is_terminal:
            yield self
            return
        with Live(get_renderable=self._render, console=self._console, refresh_per_second=4, transient=True):
            yield self

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show the step; print one line when it has ended."""
        begin = time.monotonic()
        with self._lock:
            key = max(self._running, default=0) + 1
            self._running[key] = (title, begin)
        if not self._console.is_terminal:
            self._console.print(f"{self._elapsed()}  begin  {title}", highlight=False, soft_wrap=True)
        mark = "[red]failed[/]"
        try:
            yield
            mark = "[green]done[/]  "
        finally:
            with self._lock:
                del self._running[key]
            took = time.monotonic() - begin
            self._console.print(
                f"{self._elapsed()}  {mark} {title} [dim]({took:.1f} s)[/]", highlight=False, soft_wrap=True
            )

    def _elapsed(self) -> str:
        seconds = int(time.monotonic() - self._started)
        return f"[dim]{seconds // 60:3d}:{seconds % 60:02d}[/]"

    def _render(self) -> Table:
        table = Table.grid(padding=(0, 1))
        with self._lock:
            running = list(self._running.values())
        for title, begin in running:
            table.add_row(Spinner("dots"), f"{title} [dim]{time.monotonic() - begin:.0f} s[/]")
        return table
