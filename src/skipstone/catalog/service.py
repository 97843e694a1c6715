"""A service of OpenStack, as data: one YAML file under ``services/`` each.

Facts that hold for some releases only carry ``since`` and ``until`` (codenames, both included).
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from functools import cached_property
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import Field

from skipstone.catalog.entry import Entry
from skipstone.catalog.release import Release, ReleaseRef, Span
from skipstone.catalog.serving import Change, Resource, Serving


class Place(StrEnum):
    """Where a daemon may live."""

    CONTROL = "control"
    NETWORK = "network"
    COMPUTE = "compute"


class Kind(StrEnum):
    """What a daemon is: it answers users, works from a queue, or stands for a host."""

    API = "api"
    WORKER = "worker"
    AGENT = "agent"


class Unit(Span):
    """The systemd unit of a daemon in Debian's packages, and the package that ships it."""

    name: str
    package: str
    note: str = ""


class Daemon(Entry):
    """One long-running program; a service's daemons are listed in the order in which they start.

    ``optional`` daemons may be absent from a complete cloud. ``binary`` is the name by which the service's
    own list of agents calls it, where that differs from the daemon's.
    """

    name: str
    kind: Kind
    where: tuple[Place, ...]
    port: int | None = None
    optional: bool = False
    binary: str | None = None
    units: tuple[Unit, ...]

    def unit(self, release: Release) -> Unit | None:
        """Return the daemon's Debian unit in this release, or None where the release has none."""
        return next((unit for unit in self.units if unit.covers(release)), None)


class Outcome(StrEnum):
    """What an exit code of a service's command means."""

    DONE = "done"
    RERUN = "rerun"
    STUCK = "stuck"
    WARNING = "warning"
    FAILURE = "failure"
    ERROR = "error"
    EXPAND = "expand"
    MIGRATE = "migrate"
    CONTRACT = "contract"
    STOP_SERVERS = "stop-servers"


class Purpose(StrEnum):
    """What a command is for."""

    SYNC = "sync"
    EXPAND = "expand"
    DATA_MIGRATE = "data-migrate"
    OFFLINE_CHECK = "offline-check"
    CONTRACT = "contract"
    ONLINE_DATA_MIGRATIONS = "online-data-migrations"
    SCHEMA_CHECK = "schema-check"
    SCHEMA_VERSION = "schema-version"
    STATUS_CHECK = "status-check"
    AUDIT = "audit"
    PURGE = "purge"
    AFTER_START = "after-start"
    RECIPE = "recipe"


class Invocation(Span):
    """One command line of a service's own tools, for the releases of its span.

    ``{config}`` stands for the ``--config-file`` arguments. ``exits`` gives the meaning of exit codes; one
    that is not listed is an error. ``may_repeat`` says that running it again after success does nothing.
    ``beyond`` are what a status check asks that copies of databases cannot answer.
    """

    run: str
    exits: dict[int, Outcome] = Field(default_factory=lambda: {0: Outcome.DONE})
    may_repeat: bool = True
    beyond: tuple[str, ...] = ()
    note: str = ""
    evidence: str

    def argv(self, config_files: Sequence[str]) -> tuple[str, ...]:
        """Return the arguments with these configuration files."""
        config = [word for path in config_files for word in ("--config-file", path)]
        words = (config if word == "{config}" else [word] for word in self.run.split())
        return tuple(word for group in words for word in group)

    def outcome(self, exit_code: int) -> Outcome:
        """Say what an exit code means."""
        return self.exits.get(exit_code, Outcome.ERROR)


class ServiceDatabase(Entry):
    """One database of a service.

    ``schema`` is the key of its heads in the release files (nova_cell0 has nova's). ``connection`` is
    ``section/option`` of the configuration; None where the URL is kept elsewhere (``note`` says where).
    ``known_by`` are tables that tell it from every other service's, whatever it is called. ``soft_deleted``
    are the tables in which deleted rows pile up.
    """

    name: str
    schema_: Annotated[str, Field(alias="schema")]
    known_by: tuple[str, ...]
    connection: str | None
    soft_deleted: tuple[str, ...] = ()
    note: str = ""


class Effect(StrEnum):
    """What happens where a data condition is not met."""

    REFUSES = "refuses"
    BREAKS = "breaks"
    DAMAGES = "damages"
    LACKS_CODE = "lacks-code"
    STUMBLES = "stumbles"


class Blocker(Entry):
    """A condition on data that a release's schema code needs.

    ``enforced`` are the target releases that refuse, break on, or damage data which does not meet it;
    ``satisfied_in`` are the releases whose code can meet it (``remedy``), after a full sync to that release.
    ``query`` counts the offending rows of ``database``, and of every other one with its schema;
    ``{nova_api}`` in it stands for the name of that database of the service. None where no query is known.
    ``mend`` is SQL that makes right what the ``remedy`` leaves behind; it changes nothing that users see.
    ``after`` counts the rows that show damage once it is done. ``script`` is the migration that asks, where
    there is one.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)+$")]
    database: str
    script: str | None = None
    effect: Effect
    enforced: Span
    satisfied_in: Span
    condition: str
    remedy: str
    query: str | None = None
    mend: str | None = None
    after: str | None = None
    note: str = ""
    evidence: str

    @property
    def advice(self) -> str:
        """What an operator does about it: the remedy, then the mend."""
        return f"{self.remedy}; then, in {self.database}: {self.mend}" if self.mend else self.remedy


class Moment(StrEnum):
    """When a recipe is carried out at its release; an alternative is told, and left to a person."""

    BEFORE_SYNC = "before-sync"
    AFTER_SYNC = "after-sync"
    ALTERNATIVE = "alternative"


class TakenTables(Entry):
    """Tables that a recipe copies, with their rows, out of another database of the cloud.

    There is something to take where ``database`` (the catalog's name) has the table ``known_by``, with rows.
    ``since`` is the first release whose database has them as the commands expect them.
    """

    database: str
    since: ReleaseRef
    known_by: str
    tables: tuple[str, ...]


class Recipe(Entry):
    """An old fork in the road: what databases need once, beside the commands of every release.

    ``source`` are the releases whose databases may need it, ``made_with`` those whose code can do it, at the
    service's first stop among them. One that ``takes`` tables is for a cloud without a database of the
    service.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)+$")]
    title: str
    source: Span
    made_with: Span
    moment: Moment
    takes: TakenTables | None = None
    commands: tuple[Invocation, ...]
    note: str = ""
    evidence: str

    def lies_between(self, source: Release, target: Release) -> bool:
        """Say whether it is for databases of the source that are on their way to the target."""
        since = self.made_with.since
        return self.source.covers(source) and (since is None or since <= target)


class ApiDocument(Entry):
    """The unauthenticated version document of an API: what to ask and what a healthy API answers.

    ``path`` is below the root of the service (not of a project's endpoint). ``statuses`` are the answers of
    an API whose application is loaded; uwsgi answers 500 where it is not, though its unit is active.
    ``read`` is an ``openstack`` command that makes the service read from its database.
    """

    path: str
    statuses: tuple[int, ...]
    read: str
    note: str = ""
    evidence: str

    @staticmethod
    def newest(document: dict[str, Any]) -> str | None:
        """Return the newest (micro)version that a version document announces, or None.

        Nova, cinder and placement say it in ``version`` or ``max_version``, the others in ``id``.
        """
        wrapped = document.get("versions", document.get("version", ()))
        if isinstance(wrapped, dict):
            wrapped = wrapped.get("values", [wrapped])
        said = [
            str(version.get("version") or version.get("max_version") or version.get("id", ""))
            for version in wrapped
        ]
        numbers = [match[0] for text in said if (match := re.search(r"\d+(\.\d+)*", text))]
        return max(numbers, key=lambda text: [int(part) for part in text.split(".")], default=None)


class Setting(Span):
    """One option of a service's configuration, for the releases of its span."""

    section: str
    option: str
    value: str
    note: str = ""
    evidence: str

    def __str__(self) -> str:
        return f"[{self.section}] {self.option} = {self.value}"


class Skew(Entry):
    """What lets a new control plane and old agents of a service run side by side.

    ``workaround`` turns the refusal of too old agents into a warning; ``pin`` makes the control plane speak
    the oldest agents' RPC version. Both are for the time of the upgrade only.
    """

    workaround: Setting
    pin: Setting


class ManualCheck(Entry):
    """What a careful person looks at before or after, beyond the service's own checks."""

    text: str
    evidence: str


class ManualChecks(Entry):
    """What to look at before the first byte changes, and after the service has started."""

    before: tuple[ManualCheck, ...] = ()
    after: tuple[ManualCheck, ...] = ()


class Service(Entry):
    """What the catalog knows of one project.

    ``order`` is the place among services when they are upgraded and started. ``types`` are keystone's words
    for its endpoints. ``sources`` are Debian's source packages. ``user`` runs the service's commands.
    ``config_files`` are read by all its daemons and commands, each with what is in its ``.d`` directory;
    ``daemon_files`` (globs) by single daemons on top of these.
    ``recipes`` are what old databases need once. ``serving``, ``resources`` and ``changes`` are what a
    rehearsal asks its API, and what may differ.
    """

    name: str
    title: str
    order: int
    order_evidence: str
    types: tuple[str, ...]
    sources: tuple[str, ...]
    user: str
    config_dirs: tuple[str, ...]
    config_files: tuple[str, ...]
    daemon_files: tuple[str, ...] = ()
    databases: tuple[ServiceDatabase, ...]
    daemons: tuple[Daemon, ...]
    daemons_evidence: str
    api: ApiDocument
    commands: dict[Purpose, tuple[Invocation, ...]]
    skew: Skew | None = None
    blockers: tuple[Blocker, ...] = ()
    recipes: tuple[Recipe, ...] = ()
    checks: ManualChecks = ManualChecks()
    serving: Serving | None = None
    resources: tuple[Resource, ...] = ()
    changes: tuple[Change, ...] = ()

    def reads(self, path: str) -> bool:
        """Say whether all of it reads a file: one of ``config_files``, or ``*.conf`` in the ``.d`` of one."""
        drop_in = PurePosixPath(path)
        return path in self.config_files or any(drop_in.match(f"{own}.d/*.conf") for own in self.config_files)

    def invocations(self, purpose: Purpose, release: Release) -> tuple[Invocation, ...]:
        """Return the commands for a purpose in a release, in order; empty where it has none."""
        return tuple(line for line in self.commands.get(purpose, ()) if line.covers(release))

    def invocation(self, purpose: Purpose, release: Release) -> Invocation | None:
        """Return the one command for a purpose in a release, or None."""
        return next(iter(self.invocations(purpose, release)), None)

    def daemons_of(self, kind: Kind) -> tuple[Daemon, ...]:
        """Return the daemons of a kind, in the order in which they start."""
        return tuple(daemon for daemon in self.daemons if daemon.kind is kind)

    def units(self, release: Release) -> tuple[Unit, ...]:
        """Return the Debian units of a release, in the order in which they start."""
        found = (daemon.unit(release) for daemon in self.daemons)
        return tuple(unit for unit in found if unit)

    @cached_property
    def port(self) -> int:
        """Port of the public API."""
        return next(daemon.port for daemon in self.daemons if daemon.kind is Kind.API and daemon.port)
