"""What a rehearsal found out, as data: the same object is printed, drawn and written as JSON."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, computed_field

from skipstone.errors import InputError


class Ended(StrEnum):
    """How a stop ended."""

    DONE = "done"
    GUARDED = "guarded"
    FAILED = "failed"
    OTHER_HEADS = "other-heads"
    DAMAGED = "damaged"


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True)


READS_AT_ONCE = 2
"""Databases of a running cloud that are read at the same time."""


class Reading(_Fact):
    """How a running cloud's database was read: when its transaction began, and how long it took.

    ``waited`` seconds of that are the bandwidth limit's.
    """

    at: datetime
    seconds: float
    waited: float


class Origin(_Fact):
    """The running cloud that was rehearsed, the plan for it, and the limit in MiB a second."""

    cloud: str
    plan: str
    limit: float | None


class DumpReport(_Fact):
    """One dump: where it lies, its bytes and databases, seconds of loading, and what was left out."""

    where: str
    size: int
    databases: tuple[str, ...]
    seconds: float
    left_out: dict[str, int]
    reading: Reading | None = None


class TableWork(_Fact):
    """What a command did to a table (``nova.instances``): rows it read and wrote, or built it anew."""

    table: str
    read: int
    written: int
    altered: bool


class CommandReport(_Fact):
    """One command that was run; ``began`` is in seconds since the rehearsal's beginning.

    ``purpose`` is the catalog's word; ``tables`` are those with most work.
    """

    command: str
    purpose: str
    began: float
    seconds: float
    rounds: int
    code: int
    outcome: str
    output: str
    tables: tuple[TableWork, ...] = ()


class TroubleReport(_Fact):
    """Rows that the release's code would refuse, break on or damage, and what to do about them first.

    ``after`` says that the damage is done, by this release's code. At the source's own stop these rows are
    what an earlier upgrade has left behind. Those that are ``mended`` were so on the copies, with the SQL of
    ``remedy``: the originals need it.
    """

    check: str
    database: str
    rows: int
    effect: str
    condition: str
    remedy: str
    evidence: str
    after: bool = False
    mended: bool = False


class StopReport(_Fact):
    """One service at one release."""

    release: str
    title: str
    ended: Ended
    commands: tuple[CommandReport, ...]
    troubles: tuple[TroubleReport, ...]
    heads: dict[str, tuple[str, ...]]
    wanted: dict[str, tuple[str, ...]]

    @property
    def left(self) -> tuple[TroubleReport, ...]:
        """The troubles that were not mended."""
        return tuple(trouble for trouble in self.troubles if not trouble.mended)

    @property
    def seconds(self) -> float:
        """Time of its commands."""
        return sum(command.seconds for command in self.commands)


class TableChange(_Fact):
    """A table's rows before and after; None is a table that is not there.

    ``change`` is the id of the change of the catalog that makes the difference, and ``because`` says how.
    """

    table: str
    before: int | None
    after: int | None
    change: str | None = None
    because: str | None = None


class DatabaseReport(_Fact):
    """One database: its catalog name, heads, bytes and rows as they were, and the rows of every table."""

    name: str
    known_as: str
    heads: tuple[str, ...]
    size: int
    rows: int
    tables: tuple[TableChange, ...] = ()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def changes(self) -> tuple[TableChange, ...]:
        """The tables whose rows are not as many as before."""
        return tuple(table for table in self.tables if table.before != table.after)


class ServiceReport(_Fact):
    """One service: its databases, and its stops up to the first that did not end well."""

    service: str
    databases: tuple[DatabaseReport, ...]
    stops: tuple[StopReport, ...]
    planned: tuple[str, ...]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def passed(self) -> bool:
        """Whether it arrived."""
        return len(self.stops) == len(self.planned) and all(stop.ended is Ended.DONE for stop in self.stops)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def seconds(self) -> float:
        """Time of its commands, one after the other."""
        return sum(stop.seconds for stop in self.stops)


class TakenOver(_Fact):
    """Tables that were copied out of another database, for a service that had none of its own: a recipe.

    ``advice`` is what has to be done on the cloud instead.
    """

    service: str
    database: str
    origin: str
    tables: tuple[str, ...]
    recipe: str
    title: str
    advice: str


class CheckReport(_Fact):
    """What a service's own upgrade check of the target said of the copies, with a rehearsal's configuration.

    ``found`` are (question, result, details) of what did not end well. It forbids nothing: the cloud's own
    configuration may answer otherwise.
    """

    service: str
    command: str
    code: int
    outcome: str
    seconds: float
    found: tuple[tuple[str, str, str], ...]
    output: str


class Taken(_Fact):
    """What a rehearsal took of its machine: peaks in bytes, and the processor's time for the migrations.

    ``disk`` is the database server's, ``server`` its memory, ``commands`` the memory of all releases'
    commands that ran at once. ``load`` is how many processes wanted one of the ``cores`` before it began.
    """

    dumps: int
    disk: int
    server: int
    commands: int
    cores: int
    load: float
    processor: float


class Asked(StrEnum):
    """Whether an API of the target answered on the copies."""

    ANSWERED = "answered"
    SILENT = "silent"
    LEFT_OUT = "left-out"


class DifferenceReport(_Fact):
    """Rows that differ in the same way (missing, added, or changed in ``field``), and some of them.

    ``examples`` are (key, before, after). ``change`` is the id of the change of the catalog that makes this
    difference, and ``because`` says how; None is unexplained.
    """

    difference: str
    field: str
    rows: int
    examples: tuple[tuple[str, Any, Any], ...]
    change: str | None
    because: str | None


class ResourceReport(_Fact):
    """One kind of what users see: rows that the source held, how many were compared, and in which fields.

    ``left_out`` are fields that were not compared, and why; ``unread`` is why nothing was. ``error`` is what
    the API said instead of an answer.
    """

    resource: str
    held: int
    compared: int
    fields: tuple[str, ...]
    left_out: dict[str, str]
    unread: str
    error: str
    differences: tuple[DifferenceReport, ...]

    @property
    def passed(self) -> bool:
        """Whether the API answered, and every difference is explained."""
        return not self.error and all(one.change for one in self.differences)


class ApiReport(_Fact):
    """One API of the target on the copies; ``seconds`` are those from its start to its first answer."""

    service: str
    asked: Asked
    seconds: float
    resources: tuple[ResourceReport, ...]
    trouble: str

    @computed_field  # type: ignore[prop-decorator]
    @property
    def passed(self) -> bool:
        """Whether it answered what the source held; one that was left out has not failed."""
        return self.asked is not Asked.SILENT and all(one.passed for one in self.resources)


class PurgeReport(_Fact):
    """What it does to a service's way when rows that are deleted anyway are purged first, on other copies.

    ``rows`` went, in ``seconds``; the commands of the way itself took ``without`` it and ``with_it`` seconds.
    ``failed`` is how the purge ended where it failed; the way with it was not measured then.
    """

    service: str
    rows: int
    seconds: float
    without: float
    with_it: float
    failed: str = ""


class Phase(StrEnum):
    """What a rehearsal does, in order."""

    READ = "read"
    SERVER = "server"
    TOOLCHAINS = "toolchains"
    LOAD = "load"
    COUNT = "count"
    CARRY = "carry"
    CHECK = "check"
    ASK = "ask"


class RehearsalReport(_Fact):
    """The whole of a rehearsal; times are seconds. ``nobodys`` are databases that are no service's.

    ``origin`` is the running cloud whose databases these were; None where dumps were given. ``runs`` are the
    ``migration_seconds`` of every run, where there were several; the others' times are those of the slowest.
    ``apis`` is empty where none were to be asked.
    """

    origin: Origin | None = None
    began: datetime
    source: str
    target: str
    server: str
    isolated: bool
    dumps: tuple[DumpReport, ...]
    nobodys: tuple[str, ...]
    services: tuple[ServiceReport, ...]
    taken_over: tuple[TakenOver, ...] = ()
    checks: tuple[CheckReport, ...] = ()
    apis: tuple[ApiReport, ...] = ()
    phases: dict[Phase, float]
    taken: Taken | None = None
    runs: tuple[float, ...] = ()
    purged: tuple[PurgeReport, ...] = ()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def passed(self) -> bool:
        """Whether every service arrived, and every API that was asked answered what the source held."""
        return self.arrived and all(api.passed for api in self.apis)

    @property
    def arrived(self) -> bool:
        """Whether every service's databases arrived, whatever the APIs answered then."""
        return all(service.passed for service in self.services)

    @property
    def mended(self) -> tuple[tuple[str, StopReport, TroubleReport], ...]:
        """What was mended on the copies, of which service, before which stop."""
        return tuple(
            (one.service, stop, trouble)
            for one in self.services
            for stop in one.stops
            for trouble in stop.troubles
            if trouble.mended
        )

    @property
    def verdict(self) -> str:
        """How it went, in words."""
        if not self.arrived:
            return "not every database arrived"
        other = "" if self.passed else ", but the new APIs do not answer what the old ones did"
        return f"every database arrived{other}"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def migration_seconds(self) -> float:
        """How long the services' databases took, carried side by side: the outage of the database stage."""
        return self.phases.get(Phase.CARRY, 0.0)


def slowest_of(reports: Sequence[RehearsalReport]) -> RehearsalReport:
    """Return one report of several runs: one that failed, or the slowest, with the seconds of all."""
    found = max(reports, key=lambda report: (not report.passed, report.migration_seconds))
    return found.model_copy(update={"runs": tuple(report.migration_seconds for report in reports)})


def load_rehearsal(path: Path) -> RehearsalReport:
    """Read what ``skipstone rehearse -o`` wrote as JSON; raise InputError where it is not that."""
    try:
        return RehearsalReport.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise InputError(
            "this is not the report of a rehearsal",
            where=str(path),
            evidence=str(error)[:600],
            remedy="give the file that `skipstone rehearse -o FILE.json` wrote",
        ) from error
