"""Write docs/reference/routes.md from what ``make routes`` has recorded: ``python tools/routes_table.py``.

Pairs that were not run this time keep the record of their last run, in routes.jsonl beside the page.
"""

import json
from pathlib import Path
from typing import Any

from skipstone.catalog import load_catalog

RECORDS, PAGE = Path("out/routes.jsonl"), Path("docs/reference/routes.md")
KEPT = PAGE.with_suffix(".jsonl")

HEAD = """\
# Routes, rehearsed

Written from what `make routes`, or `pytest tests/toolchain/test_routes.py --routes PAIRS`, has recorded
([routes.jsonl](routes.jsonl)); do not edit. `make test` carries Stein to Victoria, and
Victoria to 2026.2.

Databases with content, made by each release's own commands and filled by its own code
(`tests/toolchain/content/`), on a private {server}; carried by `skipstone rehearse` with the code of every
stop. A pair has passed when every service's databases stand at the heads of the target release and no row was
lost or changed in the tables that users would miss (`tests/toolchain/kept.yaml`). Nova has two cells beside
cell0; nova, glance, cinder, heat and keystone have rows of what users deleted, too. Pairs that are not here
were not run; those from before Ocata cannot be, for the package index lacks what their releases need
([toolchains](toolchains.md)).

*Carried* is the time of the databases' stage, all services side by side, and *in all* that of the whole
rehearsal with loading and counting, toolchains built; *processor* is what the migrations took of it. All are
seconds, on {cores} cores, which others used too where the *load* before was more than a few. They say mostly
how long the services' programs take to start: the databases are small, up to {rows} rows.

| from | to | result | carried | processor | in all | load | stops on the way | run on |
|---|---|---|---|---|---|---|---|---|
"""
FIGURES = ("migration", "processor", "seconds", "load")
FAILED = "\n## What failed\n\n"
ABSENT = "\n## What was not there\n\n"
ABSENT_WHY = """
The toolchain of the source release has not these services, so they were not in the databases; where a pair is
named, the target's has not, and their databases were left out. See [toolchains](toolchains.md).
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
    return f"| {source} | {target} | {result} | {' | '.join(figures)} | {stops(row)} | {row['date']} |"


def absent(rows: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the services that a source release's databases, or those of one pair, were without."""
    names = [service.name for service in load_catalog().services]
    found: dict[str, list[str]] = {}
    for row in rows:
        source, target = map(title, row["pair"])
        left_out = row.get("left_out", [])
        found[source] = [name for name in names if name not in row["services"] and name not in left_out]
        found[f"{source} to {target}"] = left_out
    return {where: missing for where, missing in found.items() if missing}


def page(rows: list[dict[str, Any]]) -> str:
    """Return the page."""
    ran = [row for row in rows if "services" in row]
    head = HEAD.format(
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
    missing = [f"* {where}: {', '.join(names)}" for where, names in absent(ran).items()]
    text += FAILED + "\n".join(failed) + "\n" if failed else ""
    return text + (ABSENT + "\n".join(missing) + "\n" + ABSENT_WHY if missing else "")


def recorded() -> list[dict[str, Any]]:
    """Return of every pair what was recorded last, in the order of releases."""
    files = (file for file in (KEPT, RECORDS) if file.exists())
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    last = {tuple(row["pair"]): row for row in lines}
    catalog = load_catalog()
    return [last[pair] for pair in sorted(last, key=lambda pair: [catalog.release(name) for name in pair])]


def main() -> None:
    """Write the page, and what it was made of."""
    rows = recorded()
    KEPT.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    PAGE.write_text(page(rows))
    print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
