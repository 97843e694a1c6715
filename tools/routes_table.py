"""Write docs/reference/routes.md from what ``make routes`` has recorded: ``python tools/routes_table.py``."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from skipstone.catalog import load_catalog

RECORDS, PAGE = Path("out/routes.jsonl"), Path("docs/reference/routes.md")

HEAD = """\
# Routes, rehearsed

Written on {date} from what `make routes`, or `pytest tests/toolchain/test_routes.py --routes PAIRS`, has
recorded; do not edit.

Databases with content, made by each release's own commands and filled by its own code
(`tests/toolchain/content/`), on a private {server}; carried by `skipstone rehearse` with the code of every
stop. A pair has passed when every service's databases stand at the heads of the target release and no row was
lost or changed in the tables that users would miss (`tests/toolchain/kept.yaml`). Nova has two cells beside
cell0; nova, glance, cinder, heat and keystone have rows of what users deleted, too. Pairs that are not here
were not run.

*Carried* is the time of the databases' stage, all services side by side, and *in all* that of the whole
rehearsal with loading and counting, toolchains built; *processor* is what the migrations took of it. All are
seconds, on {cores} cores, which others used too where the *load* before was more than a few. They say mostly
how long the services' programs take to start: the databases are small, up to {rows} rows.

| from | to | result | carried | processor | in all | load | stops on the way |
|---|---|---|---|---|---|---|---|
"""
FIGURES = ("migration", "processor", "seconds", "load")
FAILED = "\n## What failed\n\n"
ABSENT = "\n## What was not there\n\n"
ABSENT_WHY = """
The toolchain of the source release has not these services, so they were not in the databases; see
[toolchains](toolchains.md).
"""


def title(name: str) -> str:
    """Return what people call a release."""
    release = load_catalog().release(name)
    return f"{release.version} {release.codename.capitalize()}"


def stops(row: dict[str, Any]) -> str:
    """Return the releases between source and target, each with the services that stop there."""
    found: dict[str, list[str]] = {}
    for service, planned in row.get("services", {}).items():
        for version in planned[1:-1]:
            found.setdefault(version, []).append(service)
    said = "; ".join(f"{version}: {', '.join(names)}" for version, names in sorted(found.items()))
    return said or ("none" if row.get("services") else "")


def line(row: dict[str, Any]) -> str:
    """Return a pair's row of the table."""
    source, target = (title(name) for name in row["pair"])
    result = "**failed**" if row["troubles"] else "passed"
    figures = (str(row.get(name, "")) for name in FIGURES)
    return f"| {source} | {target} | {result} | {' | '.join(figures)} | {stops(row)} |"


def absent(rows: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the services that a source release's databases were without."""
    names = [service.name for service in load_catalog().services]
    found = {row["pair"][0]: [name for name in names if name not in row["services"]] for row in rows}
    return {source: missing for source, missing in found.items() if missing}


def page(rows: list[dict[str, Any]]) -> str:
    """Return the page."""
    ran = [row for row in rows if "services" in row]
    head = HEAD.format(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        server=f"MariaDB {ran[0]['server'].partition('-')[0]}" if ran else "MariaDB",
        rows=max((row["rows"] for row in ran), default=0),
        cores=max((row["cores"] for row in ran), default=0),
    )
    text = head + "\n".join(map(line, rows)) + "\n"
    failed = [
        f"* {title(row['pair'][0])} to {title(row['pair'][1])}: {trouble}"
        for row in rows
        for trouble in row["troubles"]
    ]
    missing = [f"* {title(source)}: {', '.join(names)}" for source, names in absent(ran).items()]
    text += FAILED + "\n".join(failed) + "\n" if failed else ""
    return text + (ABSENT + "\n".join(missing) + "\n" + ABSENT_WHY if missing else "")


def main() -> None:
    """Write the page: of every pair what was recorded last, in the order of releases."""
    last = {tuple(row["pair"]): row for row in map(json.loads, RECORDS.read_text().splitlines())}
    catalog = load_catalog()
    order = sorted(last, key=lambda pair: [catalog.release(name) for name in pair])
    PAGE.write_text(page([last[pair] for pair in order]))
    print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
