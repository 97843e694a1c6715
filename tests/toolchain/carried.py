"""One pair of releases: seeded databases, carried by a whole rehearsal, and what became of their rows."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from skipstone.catalog import Catalog, Release
from skipstone.rehearsal.directory import PREFIX
from skipstone.rehearsal.rehearsal import Wish, rehearse
from skipstone.rehearsal.report import Ended, Phase, RehearsalReport, ServiceReport
from skipstone.rehearsal.watcher import Watcher
from skipstone.settings import Settings
from skipstone.toolchain.building import build
from skipstone.toolchain.store import Store, name_of
from tests.toolchain.mariadb import MariaDb, rows
from tests.toolchain.seeded import CONTENT, Seeded

KEPT: Mapping[str, Mapping[str, list[str]]] = yaml.safe_load(
    Path(__file__).with_name("kept.yaml").read_text()
)
MADE_BY = (CONTENT.with_name("seeded.py"), CONTENT.with_name("synced.py"))
SAME_AS = {"nova_cell0": "nova", "nova_cell2": "nova"}

Rows = dict[str, Counter[tuple[str, ...]]]


class Witness(Watcher):
    """Looks at the rows that must not change, when the rehearsal counts: before and after."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.seen: list[Rows] = []
        self._columns: dict[str, list[str]] = {}

    def phase(self, phase: Phase, total: int = 0) -> None:
        del total
        if phase is Phase.COUNT:
            self.seen.append(self._look())

    def lost(self) -> list[str]:
        """Return, for each table of which rows are gone or changed, how many, and the first of them.

        A row more is no loss: nova's online data migrations leave marks of how far they came.
        """
        before, after = self.seen[0], self.seen[-1]
        gone = {table: found - after[table] for table, found in before.items()}
        return [
            f"{table}: {lost.total()} of {before[table].total()} rows are gone or changed, as {min(lost)}"
            for table, lost in gone.items()
            if lost
        ]

    def _look(self) -> Rows:
        (home,) = self.directory.glob(f"{PREFIX}*")
        found: Rows = {}
        for (database,) in rows(home / "s", "SHOW DATABASES"):
            for table, columns in KEPT.get(SAME_AS.get(database, database), {}).items():
                name = f"{database}.{table}"
                if name not in self._columns:  # later columns have nothing to lose: those of the source count
                    there = {row[0] for row in rows(home / "s", f"SHOW COLUMNS FROM `{table}`", database)}
                    self._columns[name] = [column for column in columns if column in there]
                asked = ", ".join(f"`{column}`" for column in self._columns[name])
                answer = rows(home / "s", f"SELECT {asked} FROM `{table}`", database)
                found[name] = Counter(map(tuple, answer))
        return found


@dataclass(frozen=True)
class Carried:
    """What became of one pair."""

    report: RehearsalReport
    lost: list[str]
    empty: list[str]
    left_out: list[str]
    seconds: float

    @property
    def troubles(self) -> list[str]:
        """What is not as it must be, in words; empty where all is."""
        refused = [_trouble(service) for service in self.report.services if not service.passed]
        return refused + self.lost + [f"nothing was in {table}" for table in self.empty]


def carry(catalog: Catalog, settings: Settings, source: Release, target: Release) -> Carried:
    """Seed the databases of a release where that is not done, and carry them to another.

    Those of services that the target's toolchain is without are left out, as the rehearsal's error says.
    """
    seeds = seed(settings, source)
    left_out = [name for name in _services(catalog, seeds) if build(target, settings).version(name) is None]
    with TemporaryDirectory(prefix="skipstone-routes-", dir="/var/tmp") as directory:
        dumps, home = Path(directory, "dumps"), Path(directory, "server")
        dumps.mkdir()
        home.mkdir()
        for service, files in _services(catalog, seeds).items():
            for file in files if service not in left_out else ():
                (dumps / file.name).symlink_to(file)
        witness = Witness(home)
        wish = Wish(dumps=dumps, source=source, target=target, directory=witness.directory)
        began = time.monotonic()
        report = rehearse(catalog, wish, lambda release: build(release, settings), witness)
        empty = [table for table, found in witness.seen[0].items() if not found and "cell0" not in table]
        return Carried(report, witness.lost(), empty, left_out, time.monotonic() - began)


def _services(catalog: Catalog, seeds: Path) -> dict[str, list[Path]]:
    """Return the services that a directory of dumps has databases of, and their dumps."""
    owners = {database.name: service.name for service in catalog.services for database in service.databases}
    found: dict[str, list[Path]] = {}
    for file in sorted(seeds.glob("*.sql")):
        found.setdefault(owners[SAME_AS.get(file.stem, file.stem)], []).append(file)
    return found


def seed(settings: Settings, release: Release) -> Path:
    """Return a directory with dumps of a release's databases; they are made once for the same content."""
    toolchain = build(release, settings)
    recipe = [path.read_text() for path in (*MADE_BY, *sorted(CONTENT.glob("*.py")))]
    store = Store(settings.toolchains.parent / "seeds")
    name = name_of(str(release), toolchain.lock.digest, *recipe)
    if not store.find(name):
        with store.growing(name) as growing, TemporaryDirectory(prefix="skipstone-", dir="/var/tmp") as home:
            server = MariaDb(Path(home))
            try:
                server.start()
                seeded = Seeded(toolchain, server, Path(home))
                seeded.seed()
                seeded.dump(growing)
            finally:
                server.stop()
    return store.root / name


def _trouble(service: ServiceReport) -> str:
    """Return why a service did not arrive."""
    last = service.stops[-1]
    if last.ended in (Ended.GUARDED, Ended.DAMAGED):
        why = "; ".join(f"{trouble.check}: {trouble.rows} rows" for trouble in last.left)
    elif last.ended is Ended.OTHER_HEADS:
        why = f"heads {last.heads}, expected {last.wanted}"
    else:
        command = last.commands[-1]
        lines = command.output.strip().splitlines()
        why = f"{command.command}: code {command.code}: {lines[-1] if lines else 'nothing said'}"
    return f"{service.service} at {last.title}: {why}"
