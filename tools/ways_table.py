"""Write docs/explanation/computes.md from what ``make test-wide`` has noted."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

OUT, PAGE = Path("out/ways.jsonl"), Path("docs/explanation/computes.md")
PHASES = ("drain", "snapshot", "install", "packages", "return", "rest")
WAYS = {
    "stay": "instances stay",
    "drain": "drained before",
    "reinstall": "drained, installed anew, and its instances back",
}
HEAD = """\
# What each way of upgrading a compute takes

Written by `make test-wide` on {date}; do not edit. Zed to 2025.1, Debian 12 to 13, on the lab's computes:
containers with two instances each, of 96 MiB, emulated, on one machine of {cores} cores that carries the
whole cloud and its installer. Seconds; the median where there were several hosts. What is measured is the
work, not a server's boot, and not a network: a guest's memory crosses in less time than nova needs to begin
and to end a migration, so a move's seconds are nova's and libvirt's own.

| way | hosts | a host in all | {phases} | moves | a move (longest) |
|---|---|---|{lines}|---|---|
"""


def row(way: str, found: list[dict[str, Any]]) -> str:
    """Return a way's row."""
    moves = [took for one in found for took in one["moves"]]
    whole = median(sum(one["seconds"].values()) for one in found)
    parts = (_middle(one["seconds"].get(phase) for one in found) for phase in PHASES)
    move = f"{median(moves):.0f} ({max(moves):.0f})" if moves else "-"
    return (
        f"| {WAYS[way]} | {len(found)} | {whole:.0f} | {' | '.join(parts)} | {len(moves) or '-'} | {move} |"
    )


def _middle(seconds: Iterable[float | None]) -> str:
    known = [one for one in seconds if one is not None]
    return f"{median(known):.0f}" if known else "-"


def main(cores: int) -> None:
    """Write the page; do nothing where nothing was noted."""
    if not OUT.exists():
        return
    rows = [json.loads(line) for line in OUT.read_text(encoding="utf-8").splitlines()]
    head = HEAD.format(
        date=datetime.now(UTC).date(), cores=cores, phases=" | ".join(PHASES), lines="---|" * len(PHASES)
    ).replace("||", "|")
    lines = [row(way, found) for way in WAYS if (found := [one for one in rows if one["way"] == way])]
    PAGE.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    import os

    main(len(os.sched_getaffinity(0)))
