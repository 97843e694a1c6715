"""Write docs/explanation/computes.md from what ``make test-wide`` has noted.

What was not run this time keeps its lines, with the day on which it was run.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

OUT, LINKS, PAGE = Path("out/ways.jsonl"), Path("out/links.jsonl"), Path("docs/explanation/computes.md")
PHASES = ("drain", "snapshot", "install", "packages", "return", "rest")
WAYS = {
    "stay": "instances stay",
    "drain": "drained before",
    "reinstall": "drained, installed anew, and its instances back",
}
HEAD = """\
# What each way of upgrading a compute takes

Written by `make test-wide`; do not edit. Zed to 2025.1, Debian 12 to 13, on the lab's computes:
containers with two instances each, of 96 MiB, emulated, on one machine of {cores} cores that carries the
whole cloud and its installer. Seconds; the median where there were several hosts. What is measured is the
work, not a server's boot, and not a network: a guest's memory crosses in less time than nova needs to begin
and to end a migration, so a move's seconds are nova's and libvirt's own. Rows of different days may be of
machines of different speed. Of those that stay or are drained, two hosts of four were worked on at once.

| way | hosts | a host in all | {phases} | moves | a move (longest) | run on |
|---|---|---|{lines}|---|---|---|
"""
LINK_HEAD = """
## A gigabyte of memory

A guest with a flavor of 1 GiB, its memory full, 64 KiB of it written each second, moved off its host
(`tests/wide/test_link.py`). *Sent* is what left the host's interface meanwhile, from the kernel's counters;
*at least* is what that takes at the link's speed. The rest is nova's and libvirt's own: the claim, the ports,
the last pass, and the drain's questions, every two seconds, whether it is over.

| link | sent | a move | at least | over that | seconds per GB |
|---|---|---|---|---|---|
"""


def row(way: str, found: list[dict[str, Any]], page: str) -> str:
    """Return a way's row; the one that ``page`` has where nothing was noted, or nothing."""
    if not found:
        return next((line for line in page.splitlines() if line.startswith(f"| {WAYS[way]} |")), "")
    moves = [took for one in found for took in one["moves"]]
    whole = median(sum(one["seconds"].values()) for one in found)
    parts = (_middle(one["seconds"].get(phase) for one in found) for phase in PHASES)
    move = f"{median(moves):.0f} ({max(moves):.0f})" if moves else "-"
    return (
        f"| {WAYS[way]} | {len(found)} | {whole:.0f} | {' | '.join(parts)} | {len(moves) or '-'} | {move} |"
        f" {datetime.now(UTC).date()} |"
    )


def _middle(seconds: Iterable[float | None]) -> str:
    known = [one for one in seconds if one is not None]
    return f"{median(known):.0f}" if known else "-"


def link_row(found: dict[str, Any]) -> str:
    """Return a link's row."""
    sent, seconds, megabits = found["sent"] / 1e9, found["seconds"], found["megabits"]
    least = found["sent"] * 8 / (megabits * 1e6) if megabits else None
    bound = f"{least:.0f} s | {seconds - least:.0f} s" if least else "- | -"
    name = f"{megabits} Mbit/s" if megabits else "the machine's own memory"
    return f"| {name} | {sent:.2f} GB | {seconds:.0f} s | {bound} | {seconds / sent:.0f} |"


def _rows(file: Path) -> list[dict[str, Any]]:
    return (
        [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
    )


def main(cores: int) -> None:
    """Write the page; do nothing where nothing was noted."""
    rows, links, before = _rows(OUT), _rows(LINKS), PAGE.read_text(encoding="utf-8")
    if not rows and not links:
        return
    head = HEAD.format(cores=cores, phases=" | ".join(PHASES), lines="---|" * len(PHASES)).replace("||", "|")
    lines = (row(way, [one for one in rows if one["way"] == way], before) for way in WAYS)
    page = head + "\n".join(filter(None, lines)) + "\n"
    _, large, kept = before.partition(LINK_HEAD)
    if links:
        page += LINK_HEAD + "\n".join(map(link_row, links)) + "\n"
    PAGE.write_text(page if links else page + large + kept, encoding="utf-8")


if __name__ == "__main__":
    import os

    main(len(os.sched_getaffinity(0)))
