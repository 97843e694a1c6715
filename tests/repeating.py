"""What is done again and again while a test does something else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread


@contextmanager
def repeating(action: Callable[[], object], pause: float) -> Iterator[None]:
    """Call ``action`` in a thread, with ``pause`` seconds before each call, until the block ends."""
    over = Event()

    def repeat() -> None:
        while not over.wait(pause):
            action()

    thread = Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
