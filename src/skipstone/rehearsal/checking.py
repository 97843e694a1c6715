"""What the target's own upgrade checks say of the migrated copies."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from skipstone.catalog import Purpose, Release
from skipstone.rehearsal.carrying import MoveDone, Workshop
from skipstone.rehearsal.fastforward import Move

ENTRY = re.compile(
    r"^\| Check: (.*?)\s*\|$\n^\| Result: (\w+)\s*\|$\n^\| Details: (.*?)\s*\|$((?:\n\|.*\|$)*)",
    re.MULTILINE,
)
"""One of the boxes in which oslo.upgradecheck prints what it has found; details go on for several lines."""


@dataclass(frozen=True)
class Checked:
    """What a service's check said: per question that did not end well, its result and the details."""

    service: str
    made: MoveDone
    found: tuple[tuple[str, str, str], ...]


def check(workshop: Workshop, target: Release, services: tuple[str, ...]) -> tuple[Checked, ...]:
    """Ask the services whose databases have arrived, side by side, in the catalog's order."""
    moves = [
        Move(service.name, target, Purpose.STATUS_CHECK, invocation)
        for service in workshop.catalog.in_order(services)
        for invocation in service.invocations(Purpose.STATUS_CHECK, target)
    ]
    with ThreadPoolExecutor(max(len(moves), 1)) as pool:
        running = [pool.submit(_ask, workshop, move) for move in moves]
        try:
            return tuple(one.result() for one in running)
        except BaseException:
            workshop.stopping.set()
            raise


def _ask(workshop: Workshop, move: Move) -> Checked:
    workshop.watcher.move(move)
    made = workshop.run(move, workshop.configurations[move.service][0])
    workshop.watcher.advance()
    found = tuple(entry for entry in entries(made.output) if entry[0] not in move.invocation.beyond)
    return Checked(move.service, made, found)


def entries(output: str) -> Iterator[tuple[str, str, str]]:
    """Yield the questions that did not end well, each with its result and its details."""
    for question, result, first, more in ENTRY.findall(output):
        if result != "Success":
            lines = (line.strip("| \t") for line in more.splitlines())
            yield question, result.lower(), " ".join([first, *(line for line in lines if line)])
