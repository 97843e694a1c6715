"""How a drain, or a return, is asked to stop: by a person's signal, or by the run whose step it is."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import click

LOOK = 1.0
"""Seconds between two looks for a run's request to pause."""


@contextmanager
def stopped_by_signals(stopping: asyncio.Event) -> Iterator[None]:
    """Let the first Ctrl-C (or SIGTERM) begin nothing more, the second one leave at once."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def on_signal() -> None:
        if stopping.is_set() and task is not None:
            task.cancel()
            return
        stopping.set()
        click.echo(
            "what is on its way is seen through; nothing more is begun (again: leave at once)", err=True
        )

    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, on_signal)
    try:
        yield
    except asyncio.CancelledError:
        from skipstone.drain.gear import DrainStopped

        raise DrainStopped(
            "left at once; migrations that were begun go on in nova",
            remedy="the same command takes them up again",
        ) from None
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


@asynccontextmanager
async def paused_by_run(stopping: asyncio.Event) -> AsyncIterator[None]:
    """Begin nothing more once the run whose step this is asks for that."""
    looking = asyncio.ensure_future(_look(stopping))
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def _look(stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        if pause_asked():
            stopping.set()
            click.echo(
                "the run is to pause: what is on its way is seen through, nothing more is begun", err=True
            )
        await asyncio.sleep(LOOK)


def pause_asked() -> bool:
    """Say whether the run whose step this is has asked it to pause (``run/job.py``)."""
    from skipstone.run.job import PAUSE

    job = os.environ.get("SKIPSTONE_JOB")
    return job is not None and Path(job, PAUSE).exists()
