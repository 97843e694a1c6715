"""What each way of upgrading a compute took in the lab, and a large guest's move: noted here for the docs."""

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

OUT, LINKS = Path("out/ways.jsonl"), Path("out/links.jsonl")
PHASES = {
    "drain": "drain",
    "snapshot": "snapshot",
    "reinstall": "install",
    "packages": "packages",
    "return": "return",
}
"""Steps, by the end of their id, that are told apart; all others are together."""


def note(way: str, status: dict[str, Any], drains: Path) -> None:
    """Append what each compute took, by `skipstone status --json` and the records in ``drains``."""
    moves = [*_moves(drains)] if drains.exists() else []
    OUT.parent.mkdir(exist_ok=True)
    with OUT.open("a", encoding="utf-8") as file:
        for host, seconds in _hosts(status).items():
            took = [each for where, each in moves if where == host]
            file.write(json.dumps({"way": way, "host": host, "seconds": seconds, "moves": took}) + "\n")


def note_link(megabits: int | None, sent: int, record: Path) -> None:
    """Append what the first move of a drain's record took over a link, and the bytes that its host sent."""
    seconds = next(took for _, took in _told(record))
    LINKS.parent.mkdir(exist_ok=True)
    with LINKS.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"megabits": megabits, "sent": sent, "seconds": seconds}) + "\n")


def _hosts(status: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Return the seconds of each phase by host: of what was begun and ended."""
    found: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for step in chain.from_iterable(stage["steps"] for stage in status["stages"]):
        words = step["id"].split(".")
        if words[0] == "computes" and step["began"] and step["ended"]:
            took = datetime.fromisoformat(step["ended"]) - datetime.fromisoformat(step["began"])
            found[words[1]][PHASES.get(words[-1], "rest")] += took.total_seconds()
    return {host: {phase: round(spent, 1) for phase, spent in each.items()} for host, each in found.items()}


def _moves(drains: Path) -> Iterator[tuple[str, float]]:
    """Yield the drained host and the seconds of each move that the records have, there and back."""
    for record in sorted(drains.glob("*.jsonl")):
        yield from _told(record)


def _told(record: Path) -> Iterator[tuple[str, float]]:
    asked: dict[str, float] = {}
    for event in map(json.loads, record.read_text(encoding="utf-8").splitlines()):
        if event["event"] == "intent":
            asked[event["instance"]] = event["at"]
        elif event["event"] == "ended" and event["end"] == "moved":
            yield record.stem, round(event["at"] - asked[event["instance"]], 1)
