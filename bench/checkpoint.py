#!/usr/bin/env python3
"""Measures the databases' part of a checkpoint against a plain dump, in one run; as root, without a cloud.

    python bench/checkpoint.py [--gigabytes 5] [--home DIRECTORY]

A private MariaDB is filled with what large clouds have much of (bench/checkpoint.sql) below ``--home``; that
takes about three times the room. The scripts are those of the plan's own steps. The figures go to
docs/explanation/checkpoint-figures.md. A ``--home`` that is named is kept, and filled no second time.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from skipstone.steps.backup import DumpDatabases, DumpStoppedDatabases, ProveDumpRestores
from skipstone.steps.database import SyncDatabase
from skipstone.views.measure import duration

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs/explanation/checkpoint-figures.md"
FIGURES = HERE.parent / "out/bench/checkpoint.json"
NAMES = ("nova", "neutron", "keystone", "heat")
LARGE = ("nova", "neutron")
ROUND = 10_000
UUID = "concat(left(h,8),'-',substr(h,9,4),'-4',substr(h,13,3),'-a',substr(h,16,3),'-',right(h,12))"
ROWS = (
    "(select seq, md5(seq) h, md5(seq * 7) g, date_add('2019-01-01', interval seq * 7 minute) t"
    " from seq_FIRST_to_LAST) s"
)
DEFAULTS = "[client]\nsocket = {home}/s\n"
COMMON: dict[str, Any] = {"title": "t", "host": "db", "deadline": 1, "estimate": 1}
TEXT = """\
# Figures: the databases of a checkpoint

Written by `python bench/checkpoint.py` on a machine with {cores} cores and Python {python}, load {load:.0f}
before it began; one run, MariaDB {server}, {size:.1f} GB of data and indexes, {large} dumped by table.
*Processor* is the time of all processes and of the server: what a busy machine does not change. A row whose
time is much longer than that waited for the disk, or for a machine that had other work meanwhile.

| what | time | processor | files |
|---|---|---|---|
{rows}

The first three dump the same rows. The stopped dump, and coming back from it, are a part of an outage; the
dump while in use and the proof are not.
"""


class Figure(NamedTuple):
    """What one way took: seconds, seconds of processors, and the bytes of its files."""

    what: str
    seconds: float
    processor: float
    size: int


class Server:
    """A private MariaDB, reached as a host's root reaches its own: by the clients' defaults."""

    def __init__(self, home: Path, process: "subprocess.Popen[bytes]") -> None:
        self.home = home
        self.process = process
        self.environment = {**os.environ, "HOME": str(home)}

    def ask(self, query: str) -> str:
        """Return what it answers."""
        return subprocess.run(
            ["mariadb", "-NB"],
            input=query,
            env=self.environment,
            check=True,
            text=True,
            stdout=subprocess.PIPE,
        ).stdout.strip()

    def size(self) -> int:
        """Return the bytes of the databases."""
        names = ",".join(f"'{name}'" for name in NAMES)
        self.ask("set global innodb_stats_on_metadata = on")
        sizes = "coalesce(sum(data_length + index_length), 0)"
        return int(
            self.ask(
                f"select {sizes} from information_schema.tables where table_schema in ({names})"  # noqa: S608
            )
        )

    def fill(self, wanted: int) -> None:
        """Add instances until the databases have this many bytes."""
        text = (HERE / "checkpoint.sql").read_text().replace("ROWS", ROWS).replace("UUID", UUID)
        last = self._instances()
        while self.size() < wanted:
            first, last = last + 1, last + ROUND
            print(f"filling: {self.size() / 1e9:.1f} GB", flush=True)
            self.ask(text.replace("FIRST", str(first)).replace("LAST", str(last)))

    def _instances(self) -> int:
        if not self.ask("show databases like 'nova'"):
            return 0
        return int(self.ask("select coalesce(max(id), 0) from nova.instances"))

    def processor(self) -> float:
        """Return the seconds that processors have spent on it and on our dead children."""
        ticks = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK") + children.ru_utime + children.ru_stime

    def measure(self, what: str, script: str, files: Path) -> Figure:
        """Run a script and return what it took."""
        print(what, flush=True)
        began, processor = time.monotonic(), self.processor()
        subprocess.run(["sh", "-s"], input=script, env=self.environment, text=True, check=True)
        seconds = time.monotonic() - began
        size = sum(file.stat().st_size for file in files.rglob("*") if file.is_file())
        return Figure(what, seconds, self.processor() - processor, size)


@contextmanager
def serving(home: Path) -> Iterator[Server]:
    """Start a server below a directory, and stop it."""
    options = ["--no-defaults", "--user=mysql", f"--datadir={home}/data", f"--tmpdir={home}"]
    (home / ".my.cnf").write_text(DEFAULTS.format(home=home))
    if not (home / "data").exists():
        subprocess.run(
            ["mariadb-install-db", *options, "--skip-test-db", "--auth-root-authentication-method=socket"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    own = ["--skip-networking", "--skip-log-bin", "--innodb-buffer-pool-size=2G", "--max-allowed-packet=1G"]
    files = [f"--socket={home}/s", f"--pid-file={home}/p", f"--log-error={home}/log"]
    process = subprocess.Popen(["mariadbd", *options, *own, *files])
    server = Server(home, process)
    try:
        while subprocess.run(
            ["mariadb-admin", "ping"], env=server.environment, capture_output=True, check=False
        ).returncode:
            time.sleep(0.5)
        yield server
    finally:
        process.terminate()
        process.wait()


def ways(server: Server) -> Iterator[Figure]:
    """Dump and load in each way."""
    place = server.home / "dumps"
    shutil.rmtree(place, ignore_errors=True)
    plain = place / "plain"
    plain.mkdir(parents=True)
    names = " ".join(NAMES)
    dump = f"mariadb-dump --single-transaction --databases {names} | gzip > {plain}/all.sql.gz"
    yield server.measure("dump: `mariadb-dump \\| gzip`", dump, plain)
    facts = {"databases": NAMES, "by_table": LARGE}
    running, stopped = place / "running", place / "stopped"
    one = DumpDatabases(id="r", **COMMON, **facts, directory=str(running))
    yield server.measure("dump: Skipstone, while in use", one.apply().script, running)
    several = DumpStoppedDatabases(id="s", **COMMON, **facts, directory=str(stopped))
    yield server.measure("dump: Skipstone, once nothing writes", several.apply().script, stopped)
    proof = ProveDumpRestores(id="p", **COMMON, **facts, directory=str(running))
    yield server.measure("proof: restored, dumped again, compared", proof.apply().script, running)
    drop = "".join(f"mariadb -e 'drop database {name}'\n" for name in NAMES)
    load = f"{drop}gzip -dc {plain}/all.sql.gz | mariadb"
    yield server.measure("restore: `gzip -dc \\| mariadb`", load, plain)
    sync = SyncDatabase(
        id="m",
        **COMMON,
        service="nova",
        user="nobody",
        commands=(),
        databases=NAMES,
        heads={},
        database_host="db",
        dumps=str(stopped),
    )
    yield server.measure("restore: Skipstone", sync.reset().script, stopped)


def row(figure: Figure) -> str:
    """Return a row of the table."""
    size = f"{figure.size / 1e9:.2f} GB"
    return f"| {figure.what} | {duration(figure.seconds)} | {duration(figure.processor)} | {size} |"


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, default=5)
    parser.add_argument("--home", type=Path, help="where the server lives, and stays")
    options = parser.parse_args()
    home = options.home or Path(tempfile.mkdtemp(prefix="skipstone-bench-", dir="/var/tmp"))
    home.mkdir(exist_ok=True)
    shutil.chown(home, "mysql")
    home.chmod(0o755)
    load = os.getloadavg()[1]
    try:
        with serving(home) as server:
            server.fill(int(options.gigabytes * 1e9))
            facts = {"size": server.size() / 1e9, "server": server.ask("select version()"), "load": load}
            figures = list(ways(server))
    finally:
        shutil.rmtree(home / "dumps" if options.home else home, ignore_errors=True)
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps(facts | {"figures": [one._asdict() for one in figures]}, indent=2) + "\n")
    text = TEXT.format(
        cores=os.cpu_count(),
        python=platform.python_version(),
        large=" and ".join(LARGE),
        rows="\n".join(map(row, figures)),
        **facts,
    )
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
