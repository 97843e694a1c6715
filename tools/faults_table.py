"""Write docs/reference/faults.md from what ``make faults`` has recorded: ``python tools/faults_table.py``.

What was not run this time keeps the record of its last run, in faults.jsonl beside the page.
"""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

OUT, PAGE = Path("out"), Path("docs/reference/faults.md")
KEPT = PAGE.with_suffix(".jsonl")

TEXT = """\
# Faults, and what became of them

Written from what `make faults` has recorded ([faults.jsonl](faults.jsonl)); do not edit. It takes hours: what
was not run again has the day of its last run.

## On a fast rig

Real processes, a real sshd, MariaDB and PostgreSQL, steps that are plain shell; no OpenStack. After every
fault the run goes on, ends as an undisturbed one, and no command has run twice in an attempt.

| tests | passed | failed | run on |
|---|---|---|---|
{fast}

## In the lab

A real Zed cloud on its way to 2025.1, with three instances that answer ping and serve their boot-id. *As it
was, every row*: packages, configuration, units and schema heads as discovered before, everything seen from
outside the same, no instance rebooted, and a dump of every database equal, byte for byte, to the one that was
made when its services had stopped. Seconds are those of the test, with what it looks at; of a rollback, with
what it looks at after the APIs answer, and what it undoes then.

| fault, or moment | what was done | end | seconds | run on |
|---|---|---|---|---|
{lab}
"""

Row = dict[str, Any]


def fast_rows(report: Path) -> Iterator[Row]:
    """Yield a row for each file of tests; nothing where they were not run."""
    if not report.exists():
        return
    counts: dict[str, Counter[str]] = {}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - our own file
        bad = case.find("failure") is not None or case.find("error") is not None
        found = counts.setdefault(case.get("classname", "").rpartition(".")[2], Counter())
        found["failed" if bad else "passed"] += 1
    date = f"{datetime.fromtimestamp(report.stat().st_mtime, UTC):%Y-%m-%d}"
    for tests, found in sorted(counts.items()):
        yield {"tests": tests, "passed": found["passed"], "failed": found["failed"], "date": date}


def read(file: Path) -> list[Row]:
    """Return the rows of a file; none where it is not there."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def latest(kept: list[Row], new: list[Row], key: str) -> list[Row]:
    """Return of every test the last record, in the order of this run where it ran all of them."""
    last = {row[key]: row for row in [*kept, *new] if key in row}
    names = dict.fromkeys(row[key] for row in new if key in row)
    return [last[name] for name in (names if len(names) == len(last) else last)]


def main() -> None:
    """Write the page, and what it was made of."""
    kept = read(KEPT)
    fast = latest(kept, list(fast_rows(OUT / "faults.xml")), "tests")
    lab = latest(kept, read(OUT / "faults.jsonl"), "what")
    KEPT.write_text("".join(f"{json.dumps(row)}\n" for row in [*fast, *lab]))
    fast_lines = (
        f"| `tests/faults/{r['tests']}.py` | {r['passed']} | {r['failed']} | {r['date']} |" for r in fast
    )
    lab_lines = (f"| {r['what']} | {r['then']} | {r['end']} | {r['seconds']} | {r['date']} |" for r in lab)
    PAGE.write_text(TEXT.format(fast="\n".join(fast_lines), lab="\n".join(lab_lines)))
    print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
