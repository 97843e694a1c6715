"""The databases of a running cloud, read as dumps: no lock there, no file there, and no faster than allowed.

Each dump is one transaction (``--single-transaction``), so that it is consistent in itself; two are made at
once, and the report says when each began. They come over SSH into a private directory of this machine. The
dumping client yields to everything else of its host (nice, ionice); what the database server itself does for
it is bounded by the rate at which the stream is read.
"""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from skipstone.cloud.command import Command, Outcome, Result
from skipstone.cloud.inventory import Inventory
from skipstone.cloud.transport import CloudTransport, open_transport
from skipstone.errors import InputError, SkipstoneError
from skipstone.rehearsal.directory import private_directory
from skipstone.rehearsal.report import READS_AT_ONCE, Origin, Phase, Reading, RehearsalReport
from skipstone.rehearsal.watcher import Watcher
from skipstone.steps.scripts.dumps import DUMP, WHOLE
from skipstone.steps.shell import quote, words

MIB = 1 << 20
CHUNK = 256 * 1024

READ_SECONDS = 24 * 3600
ASK_SECONDS = 120

SERVER_SIZE = 512 * MIB
"""What an empty server of a rehearsal takes, with its log."""


@dataclass(frozen=True)
class Production:
    """The databases of a cloud that a plan is for, and the host that has them."""

    cloud: str
    plan: str
    host: str
    databases: tuple[str, ...]


@dataclass(frozen=True)
class Copies:
    """What was read: one dump per database in ``directory``, and how each reading went."""

    production: Production
    limit: float | None
    directory: Path
    readings: dict[str, Reading]

    def sign(self, report: RehearsalReport) -> RehearsalReport:
        """Return a report of these dumps that names the cloud they are of instead of files that are gone."""
        origin = Origin(cloud=self.production.cloud, plan=self.production.plan, limit=self.limit)
        dumps = tuple(
            dump.model_copy(
                update={
                    "where": f"{self.production.host}: {Path(dump.where).stem}",
                    "reading": self.readings[Path(dump.where).stem],
                }
            )
            for dump in report.dumps
        )
        return report.model_copy(update={"origin": origin, "dumps": dumps})


@contextmanager
def copies_of(
    production: Production,
    inventory: Inventory,
    *,
    parent: Path | None = None,
    limit: float | None = None,
    watcher: Watcher | None = None,
) -> Iterator[Copies]:
    """Read a cloud's databases, ``limit`` MiB a second in all, and remove the dumps in the end.

    They lie in a private directory below ``parent``. Raise InputError where the server refuses or this
    machine has no room for them, SkipstoneError where the connection is lost, HostUnreachable where there is
    none.
    """
    with private_directory(parent) as directory:
        read = _Read(production, directory, _Limit(limit), watcher or Watcher())
        try:
            readings = asyncio.run(read.all(inventory))
        except ExceptionGroup as several:
            raise several.exceptions[0] from None
        yield Copies(production, limit, directory, readings)


@dataclass(frozen=True)
class _Read:
    production: Production
    directory: Path
    limit: "_Limit"
    watcher: Watcher

    async def all(self, inventory: Inventory) -> dict[str, Reading]:
        """Read every database, the largest first: then the last to end is a small one."""
        async with open_transport(inventory) as transport:
            sizes = await self._sizes(transport)
            self._expect_room(sizes)
            self.watcher.phase(Phase.READ, sum(size.rows for size in sizes.values()))
            gate = asyncio.Semaphore(READS_AT_ONCE)
            order = sorted(self.production.databases, key=lambda name: sizes[name].rows, reverse=True)
            with ExitStack() as stack:
                files = {name: stack.enter_context(self._file(name)) for name in order}
                async with asyncio.TaskGroup() as group:
                    tasks = {
                        name: group.create_task(self._one(transport, gate, name, file))
                        for name, file in files.items()
                    }
        return {name: task.result() for name, task in tasks.items()}

    def _file(self, name: str) -> FileIO:
        path = self.directory / f"{name}.sql"
        path.touch(mode=0o600)
        return path.open("wb", buffering=0)

    async def _sizes(self, transport: CloudTransport) -> dict[str, "_Size"]:
        names = ",".join(f"'{name}'" for name in self.production.databases)
        tables = f"information_schema.tables WHERE table_schema IN ({names})"
        sums = "COALESCE(SUM(data_length), 0), COALESCE(SUM(index_length), 0)"  # views have no length
        asked = f"SELECT table_schema, {sums} FROM {tables} GROUP BY 1"
        command = Command(self.production.host, f"mariadb -NBe {quote(asked)}")
        outcome = await transport.run(command, deadline=ASK_SECONDS)
        self._expect_done(outcome, "the sizes of its databases")
        lines = (line.split("\t") for line in outcome.stdout.split("\n")[:-1])
        found = {name: _Size(int(rows), int(indexes)) for name, rows, indexes in lines}
        return {name: found.get(name, _Size(0, 0)) for name in self.production.databases}

    def _expect_room(self, sizes: dict[str, "_Size"]) -> None:
        """Raise InputError where dumps, copies and the server's own files have no room."""
        needed = SERVER_SIZE + sum(2 * size.rows + size.indexes for size in sizes.values())
        free = shutil.disk_usage(self.directory).free
        if free < needed:
            raise InputError(
                "this machine has no room for copies of the databases",
                where=str(self.directory.parent),
                evidence=f"dumps and copies need about {needed // MIB} MiB, {free // MIB} MiB are free",
                remedy="name a directory that has room with --directory",
            )

    async def _one(
        self, transport: CloudTransport, gate: asyncio.Semaphore, name: str, file: FileIO
    ) -> Reading:
        async with gate:
            drain = _Drain(file, self.limit, self.watcher.advance)
            at = datetime.now(UTC)
            dump = words(("mariadb-dump", *DUMP, *WHOLE, name))
            script = f"exec ionice -t -c 3 nice -n 19 {dump}"
            outcome = await transport.stream(
                Command(self.production.host, script), drain, deadline=READ_SECONDS
            )
        self._expect_done(outcome, name)
        return Reading(at=at, seconds=outcome.seconds, waited=drain.waited)

    def _expect_done(self, outcome: Outcome, what: str) -> None:
        """Raise InputError where the server refuses, SkipstoneError where the connection is lost."""
        if outcome.ok:
            return
        lost = outcome.result is Result.UNKNOWN
        raise (SkipstoneError if lost else InputError)(
            f"{what} could not be read" + (": the connection was lost" if lost else ""),
            where=self.production.host,
            evidence=outcome.stderr.strip()[-600:],
            remedy="see to that, and rehearse again; nothing was changed",
        )


class _Size(NamedTuple):
    """Bytes of a database, as its server estimates them."""

    rows: int
    indexes: int


class _Limit:
    """A rate that several streams share, in MiB a second; None is none."""

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._free_at = 0.0

    async def take(self, amount: int) -> float:
        """Wait until all that was taken before has had its time; return the seconds."""
        if self._rate is None:
            return 0.0
        now = time.monotonic()
        wait = max(self._free_at - now, 0.0)
        self._free_at = now + wait + amount / (self._rate * MIB)
        if wait:
            await asyncio.sleep(wait)
        return wait


class _Drain:
    """A file that a stream goes into; ``waited`` are the seconds that the limit has cost."""

    def __init__(self, file: FileIO, limit: _Limit, progress: Callable[[int], None]) -> None:
        self._file, self._limit, self._progress = file, limit, progress
        self.waited = 0.0

    async def drain(self, read: Callable[[int], Awaitable[bytes]]) -> None:
        """Read a stream to its end; raise InputError where the disk is full."""
        while chunk := await read(CHUNK):
            self.waited += await self._limit.take(len(chunk))
            self._write(chunk)
            self._progress(len(chunk))

    def _write(self, chunk: bytes) -> None:
        try:
            rest = memoryview(chunk)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:  # else it would be taken for one of the connection's
            raise InputError(
                "the dumps cannot be written", where=self._file.name, evidence=str(error)
            ) from error
