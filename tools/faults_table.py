"""Write docs/reference/faults.md from what ``make faults`` has recorded: ``python tools/faults_table.py``."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

OUT, PAGE = Path("out"), Path("docs/reference/faults.md")

HEAD = """\
# Faults, and what became of them

Written by `make faults` on {date}; do not edit.

## On a fast rig

Real processes, a real sshd, MariaDB and PostgreSQL, steps that are plain shell; no OpenStack. After every
fault the run goes on, ends as an undisturbed one, and no command has run twice in an attempt.

| tests | passed | failed |
|---|---|---|
"""
LAB = """
## In the lab

A real Zed cloud on its way to 2025.1, with three instances that answer ping and serve their boot-id. *As it
was, every row*: packages, configuration, units and schema heads as discovered before, everything seen from
outside the same, no instance rebooted, and a dump of every database equal, byte for byte, to the one that was
made when its services had stopped. Seconds are those of the test, with what it looks at; of a rollback,
with what it looks at after the APIs answer, and what it undoes then.

| fault, or moment | what was done | end | seconds |
|---|---|---|---|
"""


def fast_rows(report: Path) -> list[str]:
    """Return a row for each file of tests; nothing where they were not run."""
    if not report.exists():
        return []
    passed: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - our own file
        name = case.get("classname", "").rpartition(".")[2]
        bad = case.find("failure") is not None or case.find("error") is not None
        (failed if bad else passed)[name] += 1
    return [
        f"| `tests/faults/{name}.py` | {passed[name]} | {failed[name]} |" for name in sorted(passed | failed)
    ]


def lab_rows(records: Path) -> list[str]:
    """Return a row for each fault in the lab; nothing where they were not run."""
    if not records.exists():
        return []
    found = [json.loads(line) for line in records.read_text().splitlines()]
    return [f"| {row['what']} | {row['then']} | {row['end']} | {row['seconds']} |" for row in found]


def main() -> None:
    """Write the page."""
    rows = [*fast_rows(OUT / "faults.xml"), LAB, *lab_rows(OUT / "faults.jsonl")]
    text = HEAD.format(date=f"{datetime.now(UTC):%Y-%m-%d}") + "\n".join(rows).replace(
        "\n" + LAB + "\n", "\n" + LAB
    )
    PAGE.write_text(text + "\n")
    print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
