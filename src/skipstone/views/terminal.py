"""The console that all verbs print on."""

from rich.console import Console

LOG_WIDTH = 160


def terminal(*, stderr: bool = False) -> Console:
    """Return a console: as wide as the terminal, and where there is none, wide enough for a log's lines."""
    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=LOG_WIDTH)
