"""A release of OpenStack, as data: one YAML file under ``releases/`` each.

A release's file holds what is true of that release alone: versions, schema heads, constants read from its
code. What is true of a service over many releases (daemons, commands, data conditions) is in ``service.py``.
"""

from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationInfo, model_validator

from skipstone.catalog.entry import Entry

BEFORE_CATALOG = frozenset({"any", "grizzly", "havana", "icehouse"})
"""Schema floors older than Juno, the oldest release here: no release of the catalog is below them."""


class Status(StrEnum):
    """How upstream looks after a release."""

    MAINTAINED = "maintained"
    UNMAINTAINED = "unmaintained"
    END_OF_LIFE = "end of life"


class SchemaTool(StrEnum):
    """What a service migrates its databases with."""

    ALEMBIC = "alembic"
    MIGRATE = "sqlalchemy-migrate"


def _need_evidence(evidence: dict[str, str], given: dict[str, object]) -> None:
    """Raise where a fact that is given has no evidence."""
    missing = [name for name, value in given.items() if value and name not in evidence]
    if missing:
        raise ValueError(f"no evidence for {', '.join(missing)}")


class Schema(Entry):
    """A service's schemas in one release.

    ``floor`` is the oldest release (codename) whose final schema this release's code can sync from in one
    step. ``heads`` maps a database to what its version table holds after a full sync: alembic revisions, or
    ``migrate:N``. ``point_heads`` are there where the newest point release differs, ``fresh_heads`` where a
    database does that this release itself has made, out of nothing, ``rolling_heads`` where one does that was
    expanded, migrated and contracted one by one.
    ``scripts`` maps a sqlalchemy-migrate repository to the lowest and highest script number in the code:
    the floor of a squashed repository is the first release whose schema ends at the lowest or above.
    """

    tool: SchemaTool
    floor: str
    heads: dict[str, tuple[str, ...]]
    point_heads: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    fresh_heads: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    rolling_heads: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    scripts: dict[str, tuple[int, int]] = Field(default_factory=dict)

    def is_head(self, database: str, found: tuple[str, ...]) -> bool:
        """Say whether what a version table holds is this release's final schema."""
        return set(found) in self.possible(database)

    def possible(self, database: str) -> list[set[str]]:
        """Return what a version table may hold at this release's final schema, the usual first."""
        kinds = (self.heads, self.point_heads, self.fresh_heads, self.rolling_heads)
        return [set(found) for heads in kinds if (found := heads.get(database))]


class ComputeLevel(Entry):
    """Nova's compute constants in one release.

    ``level`` is SERVICE_VERSION, ``accepts`` the oldest level that the control plane starts with (None
    before Wallaby: nothing was checked), ``accepts_alias`` the release that nova's code names for it.
    ``libvirt`` and ``qemu`` are the oldest with which nova-compute starts.
    """

    level: int | None = None
    accepts: int | None = None
    accepts_alias: str | None = None
    rpc: str
    libvirt: str | None = None
    qemu: str | None = None


class Executables(Entry):
    """Console and WSGI scripts that appeared or vanished against the previous release."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class Duty(Entry):
    """What a release asks of the operator beyond its commands: a break, an order, a thing to prepare."""

    text: str
    evidence: str


class ServiceRelease(Entry):
    """One service in one release; ``latest`` is the newest point release known.

    ``api_version`` is the newest (micro)version that the API's version document announces, where known.
    ``evidence`` maps a field to where its values were read.
    """

    version: str
    latest: str
    python: str | None = None
    schema_: Annotated[Schema, Field(alias="schema")]
    compute: ComputeLevel | None = None
    api_version: str | None = None
    executables: Executables = Executables()
    duties: tuple[Duty, ...] = ()
    notes: tuple[str, ...] = ()
    evidence: dict[str, str]

    @model_validator(mode="after")
    def _has_evidence(self) -> Self:
        scripts = self.executables.added + self.executables.removed
        given = {"schema": True, "compute": self.compute, "api_version": self.api_version}
        _need_evidence(self.evidence, {**given, "executables": scripts})
        return self

    @property
    def major(self) -> str:
        """Return the part of the version that all point releases share: ``26``, or ``2014.2``."""
        parts = self.version.split(".")
        return ".".join(parts[:2]) if len(parts[0]) == len("2014") else parts[0]


class Release(Entry):
    """One release, compared and hashed by ``version`` (``2022.2``).

    ``version`` is year.N; upstream uses it for Juno, Kilo and from 2023.1, for the others it is notation
    (``official`` tells). ``debian`` is the Debian suite that carries the release. ``others`` are the versions
    of projects that have no file under ``services/``. Dates and states are those of November 2026.
    """

    version: Annotated[str, Field(pattern=r"^20\d\d\.[12]$")]
    codename: Annotated[str, Field(pattern=r"^[a-z]+$")]
    official: bool = True
    slurp: bool = False
    released: date
    status: Status
    end_of_life: date | None = None
    python: Annotated[str, Field(pattern=r"^\d\.\d+(/\d\.\d+)?$")]
    debian: str | None = None
    tested_on: tuple[str, ...] = ()
    libraries: dict[str, str] = Field(default_factory=dict)
    duties: tuple[Duty, ...] = ()
    services: dict[str, ServiceRelease]
    others: dict[str, str] = Field(default_factory=dict)
    evidence: dict[str, str]

    @model_validator(mode="after")
    def _has_evidence(self) -> Self:
        given = {name: getattr(self, name) for name in ("slurp", "debian", "tested_on", "libraries")}
        _need_evidence(self.evidence, {"released": True, "status": True, "python": True, **given})
        return self

    @cached_property
    def order(self) -> tuple[int, int]:
        """Year and number: releases are compared by this."""
        year, number = self.version.split(".")
        return int(year), int(number)

    @property
    def title(self) -> str:
        """What people call it: ``2025.1 Epoxy``, or ``Zed`` where year.N is not its name."""
        name = self.codename.capitalize()
        return f"{self.version} {name}" if self.official else name

    def __lt__(self, other: Self) -> bool:
        return self.order < other.order

    def __le__(self, other: Self) -> bool:
        return self.order <= other.order

    def __gt__(self, other: Self) -> bool:
        return self.order > other.order

    def __ge__(self, other: Self) -> bool:
        return self.order >= other.order

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Release) and self.version == other.version

    def __hash__(self) -> int:
        return hash(self.version)

    def __str__(self) -> str:
        return self.codename


def _look_up(value: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - whatever the YAML file holds
    """Turn a codename of a service's file into the release itself; the loader passes all of them."""
    if isinstance(value, Release):
        return value
    releases: dict[str, Release] = (info.context or {}).get("releases", {})
    if not isinstance(value, str) or value not in releases:
        raise ValueError(f"no release has the codename {value!r}")
    return releases[value]


ReleaseRef = Annotated[Release, BeforeValidator(_look_up), PlainSerializer(lambda release: release.codename)]
"""A release named by its codename in a service's file."""


class Span(Entry):
    """From one release to another, both included; an open end has no limit."""

    since: ReleaseRef | None = None
    until: ReleaseRef | None = None

    def covers(self, release: Release) -> bool:
        """Say whether the release lies in the span."""
        return not (self.since and release < self.since) and not (self.until and release > self.until)
