"""Answers from the terminal: before a verb begins, and at gates while its run goes on (``y`` or ``n``)."""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import click

from skipstone.errors import InputError

if TYPE_CHECKING:
    from skipstone.run.directory import RunDirectory
    from skipstone.run.journal import Journal

ANSWERS = {"y": True, "yes": True, "n": False, "no": False}


def expect_yes(question: str, *, whether: str) -> None:
    """Ask at the terminal; raise Abort after a no, and InputError where nobody can be asked."""
    if not sys.stdin.isatty():
        raise InputError(
            f"nobody can be asked here whether to {whether}", remedy="say --yes to do it unasked"
        )
    click.confirm(question, abort=True, err=True)


@contextmanager
def answered_from(terminal: int, directory: "RunDirectory", journal: "Journal") -> Iterator[None]:
    """Take lines from a terminal's file descriptor as decisions, as long as a gate is open.

    They go the way of every decision, so that one from elsewhere may come first. In a running event loop.
    """
    from skipstone.run.decision import decide, operator_here

    loop = asyncio.get_running_loop()

    def hear() -> None:
        try:
            said = os.read(terminal, 1024).decode(errors="replace").strip().lower()
        except OSError:  # the terminal is gone; the run goes on, and can be answered from elsewhere
            loop.remove_reader(terminal)
            return
        gate = journal.view.open_gate
        if gate is None or said not in ANSWERS:
            return
        with suppress(InputError):
            decide(
                directory, gate.id, approved=ANSWERS[said], who=operator_here(), why="said at its terminal"
            )

    loop.add_reader(terminal, hear)
    try:
        yield
    finally:
        loop.remove_reader(terminal)
