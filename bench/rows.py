#!/usr/bin/env python3
"""Measures how a rehearsal grows with rows, against a plain copy of the same databases, in one run.

    python bench/rows.py [--instances 10000 100000 1000000]

Nova's databases of Zed are made by its own commands and filled (bench/million.py), dumped, copied once with
``mariadb-dump | mariadb``, and rehearsed to 2025.1. The largest size takes 10 GB below ``--home``, and is
five million rows. Toolchains are fetched where they are missing. The figures go to
docs/explanation/row-figures.md.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from million import NAMES, make

from skipstone.catalog import load_catalog
from skipstone.rehearsal.report import Phase, RehearsalReport, load_rehearsal
from skipstone.rehearsal.server import PrivateServer
from skipstone.settings import load_settings
from skipstone.toolchain.building import build
from skipstone.views.measure import duration

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs/explanation/row-figures.md"
FIGURES = HERE.parent / "out/bench/rows.json"
SOURCE, TARGET = "zed", "2025.1"
SIZES = (10_000, 100_000, 1_000_000)
DUMP = ("--single-transaction", "--quick", "--databases")
TEXT = """\
# Figures: a rehearsal and the number of rows

Written by `python bench/rows.py` on a machine with {cores} cores and Python {python}, load {load:.1f} before
it began; one run, MariaDB {server}. Nova's databases of Zed, half of the instances soft-deleted and never
archived, to 2025.1. *Copy* is `mariadb-dump | mariadb` of the same databases, one after the other; *dump and
load* are what a rehearsal needs of the same: the dump to a file, then Skipstone's loading. *Memory* is the
peak of Skipstone's own process.

| instances | rows | data | copy | dump | load | load and dump, of copy | count | migrations | memory |
|---|---|---|---|---|---|---|---|---|---|
{rows}

What took longest in the largest:

| command | seconds | tables |
|---|---|---|
{slowest}
"""


def seconds_of(script: str) -> float:
    """Run a script and return what it took; raise CalledProcessError where a part of it fails."""
    began = time.monotonic()
    subprocess.run(["bash", "-euo", "pipefail", "-c", script], check=True)
    return time.monotonic() - began


def measure(instances: int, home: Path) -> dict[str, Any]:
    """Make databases of a size, copy them plainly, and rehearse them."""
    print(f"{instances:,} instances: filling", flush=True)
    dumps = home / "dumps"
    dumps.mkdir()
    with PrivateServer(home) as server:
        make(server, build(load_catalog().release(SOURCE), load_settings()), instances)
        version = server.query("SELECT VERSION()")[0][0]
        print("dump and plain copy", flush=True)
        client = " ".join(server.client()[1:])
        parts = (f"mariadb-dump {client} {' '.join(DUMP)} {name} > {dumps}/{name}.sql" for name in NAMES)
        dump = seconds_of("\n".join(parts))
        with PrivateServer(home) as other:
            into = " ".join(other.client())
            dumping = f"mariadb-dump {client} {' '.join(DUMP)} {' '.join(NAMES)}"
            copy = seconds_of(f"{dumping} | {into}")
    report, memory = rehearse(dumps, home)
    shutil.rmtree(dumps)
    return {
        "instances": instances,
        "server": version,
        "copy": copy,
        "dump": dump,
        "memory": memory,
        "report": json.loads(report.model_dump_json()),
    }


def rehearse(dumps: Path, home: Path) -> tuple[RehearsalReport, int]:
    """Rehearse dumps and return the report, and the bytes of memory that Skipstone had at its peak."""
    print("rehearsal", flush=True)
    output = home / "report.json"
    skipstone = Path(sys.executable).parent / "skipstone"
    command = (
        *(str(skipstone), "rehearse", "--dumps", str(dumps), "--from", SOURCE, "--to", TARGET),
        *("--no-apis", "-o", str(output)),
    )
    process = subprocess.Popen(command, env={**os.environ, "TMPDIR": str(home)})
    peak = 0
    while process.poll() is None:
        peak = max(peak, own_peak(process.pid))  # what wait4 tells would be its largest child's, the server's
        time.sleep(0.2)
    if process.returncode not in (0, 1):
        raise SystemExit(f"the rehearsal ended with {process.returncode}")
    report = load_rehearsal(output)
    output.unlink()
    return report, peak


def own_peak(pid: int) -> int:
    """Return the most bytes of memory that a process has had so far; 0 where it is over."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+)", text)
    return int(found[1]) * 1024 if found else 0


def row(figure: dict[str, Any]) -> str:
    """Return a row of the table."""
    report = RehearsalReport.model_validate(figure["report"])
    databases = [database for service in report.services for database in service.databases]
    load, count = report.phases[Phase.LOAD], report.phases[Phase.COUNT]
    cells = (
        f"{figure['instances']:,}",
        f"{sum(database.rows for database in databases):,}",
        f"{sum(database.size for database in databases) / 1e9:.2f} GB",
        duration(figure["copy"]),
        duration(figure["dump"]),
        duration(load),
        f"{(load + figure['dump']) / figure['copy']:.0%}",
        duration(count),
        duration(report.migration_seconds),
        f"{figure['memory'] / 2**20:.0f} MiB",
    )
    return f"| {' | '.join(cells)} |"


def slowest(figure: dict[str, Any], most: int = 8) -> list[str]:
    """Return rows of the commands that took longest."""
    report = RehearsalReport.model_validate(figure["report"])
    commands = [one for service in report.services for stop in service.stops for one in stop.commands]
    commands.sort(key=lambda one: one.seconds, reverse=True)
    return [
        f"| `{one.command.split(' --config-file')[0][:60]}` | {one.seconds:.1f} |"
        f" {', '.join(f'{work.table} ({work.read:,} read)' for work in one.tables[:3])} |"
        for one in commands[:most]
    ]


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--instances", type=int, nargs="+", default=SIZES)
    parser.add_argument("--home", type=Path, default=Path("/var/tmp"))  # noqa: S108 - a directory of its own in it
    options = parser.parse_args()
    load, figures = os.getloadavg()[1], []
    with tempfile.TemporaryDirectory(prefix="skipstone-bench-", dir=options.home) as home:
        for instances in options.instances:
            figures.append(measure(instances, Path(home)))
            print(row(figures[-1]), flush=True)
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps(figures, indent=2) + "\n")
    PAGE.write_text(
        TEXT.format(
            cores=os.cpu_count(),
            python=platform.python_version(),
            load=load,
            server=figures[-1]["server"],
            rows="\n".join(map(row, figures)),
            slowest="\n".join(slowest(figures[-1])),
        )
    )


if __name__ == "__main__":
    main()
