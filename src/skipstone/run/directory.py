"""The directories of runs: which there are, and where the files of each are.

::

    RUN/journal.db   the journal: the only truth     RUN/jobs/        jobs of the operator's machine
        engine.db    the engine's own database           impact/      what the probes have measured
        plan.yaml    the plan                            decisions/   what was said at gates
        origin.json  what else resume needs
"""

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from skipstone.errors import InputError
from skipstone.run.journal import is_begun, read_view
from skipstone.run.name import escaped
from skipstone.run.runview import RunView
from skipstone.run.state import RunState

ENGINE_BEGUN = 64 << 10
"""Bytes that the engine's database has at least once the engine has begun, which is after the journal."""


@dataclass(frozen=True)
class Origin:
    """What a run was begun with, beside its plan: the inventory's path, and whether it is measured."""

    inventory: str
    measure: bool


@dataclass(frozen=True)
class RunDirectory:
    """The files of one run."""

    path: Path

    @property
    def run(self) -> str:
        """The run's id."""
        return self.path.name

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.path / "journal.db"

    @property
    def plan(self) -> Path:
        """The file of the run's plan."""
        return self.path / "plan.yaml"

    @property
    def inventory(self) -> Path:
        """The inventory that the run was begun with; raise InputError where that is not known."""
        return Path(self.origin().inventory)

    @property
    def record(self) -> Path:
        """The file of what the run was begun with."""
        return self.path / "origin.json"

    def origin(self) -> Origin:
        """Return what the run was begun with; raise InputError where that is not known."""
        try:
            return Origin(**json.loads(self.record.read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise InputError(
                "what this run was begun with is not known",
                where=str(self.path),
                evidence=str(error),
                remedy="go on with `skipstone apply PLAN -i INVENTORY`",
            ) from error

    @property
    def engine(self) -> Path:
        """The file of the engine's database."""
        return self.path / "engine.db"

    @property
    def jobs(self) -> PurePosixPath:
        """Where the operator's machine keeps job directories."""
        return PurePosixPath(self.path / "jobs")

    @property
    def impact(self) -> Path:
        """Where the probes write."""
        return self.path / "impact"

    @property
    def begun(self) -> bool:
        """Whether the run was started: then the cloud is no longer as planned."""
        return self.journal.exists() and is_begun(self.journal)

    @property
    def bereft(self) -> bool:
        """Whether its journal was there once: the engine has begun, or a job of this machine."""
        engine = sum(file.stat().st_size for file in self.path.glob("engine.db*"))
        return not self.journal.exists() and (engine > ENGINE_BEGUN or (self.path / "jobs").exists())

    def standing(self) -> RunView | None:
        """Return where the run stands, or None where it has not begun; raise InputError as ``view`` does."""
        return self.view() if self.begun else None

    def view(self) -> RunView:
        """Where the run stands; raise InputError where its journal cannot be read."""
        return read_view(self.journal)


def run_directories(runs: Path) -> list[RunDirectory]:
    """Return every run that has a journal, the one that was last written to first."""
    found = [RunDirectory(path.parent) for path in runs.glob("*/journal.db")]
    return sorted(found, key=_written, reverse=True)


def find_run(runs: Path, name: str | None) -> RunDirectory:
    """Return a run by its id, or by the beginning of just one; the latest where ``name`` is None.

    Raise InputError where there is none, or several begin so.
    """
    every = run_directories(runs)
    lost = [path for path in sorted(runs.glob("*")) if RunDirectory(path).bereft]
    if lost and (not every or any(path.name == name for path in lost)):
        raise journal_gone(RunDirectory(next((path for path in lost if path.name == name), lost[-1])))
    if not every:
        remedy = "`skipstone apply PLAN -i INVENTORY` starts one"
        raise InputError("there is no run", where=str(runs), remedy=remedy)
    if name is None:
        return every[0]
    exact = [run for run in every if run.run == name] or [run for run in every if run.run.startswith(name)]
    if len(exact) != 1:
        what = f"several runs begin with {name!r}" if exact else f"there is no run {name!r}"
        names = "\n".join(run.run for run in exact or every)
        raise InputError(what, where=str(runs), evidence=names, remedy="give one of these ids in full")
    return exact[0]


def undone_run(runs: Path, name: str | None) -> RunDirectory:
    """Return a run as ``find_run`` does; where the latest one belongs to another (its rollback), that one."""
    directory = find_run(runs, name)
    if name is None and not directory.begun:  # killed as it began: the one before it
        directory = next((run for run in run_directories(runs) if run.begun), directory)
    other = directory.view().of_run
    return find_run(runs, other) if other and name is None else directory


def runs_of(runs: Path, plan: str) -> list[RunDirectory]:
    """Return the runs of a plan by its id, the first one first; some may not have begun."""
    pattern = re.compile(rf"{re.escape(escaped(plan))}-(\d+)")
    found = ((match, path) for path in runs.glob("*") if (match := pattern.fullmatch(path.name)))
    return [RunDirectory(path) for _, path in sorted((int(match[1]), path) for match, path in found)]


def later_run(directory: RunDirectory) -> RunDirectory | None:
    """Return a later run of the same plan that has begun: what this one has kept on hosts is that one's."""
    every = runs_of(directory.path.parent, directory.view().plan_id)
    after = every[[run.run for run in every].index(directory.run) + 1 :]
    return next((run for run in after if run.begun), None)


def expect_not_rolling_back(view: RunView) -> None:
    """Raise InputError where a run is being rolled back: it cannot go on meanwhile."""
    if view.state is RunState.ROLLING_BACK:
        raise InputError(
            f"the run is being rolled back: {view.reason}",
            where=view.run,
            remedy="`skipstone rollback` again finishes that",
        )


def journal_gone(run: RunDirectory) -> InputError:
    """Return the error that a run has lost its journal."""
    return InputError(
        f"the journal of run {run.run} is gone, so nobody knows how far it came",
        where=str(run.journal),
        remedy="restore that file from a backup; the hosts still hold each job's script, output and exit code"
        " in /var/lib/skipstone/jobs. `skipstone apply PLAN -i INVENTORY --fresh` begins another run, of what"
        " the cloud is now",
    )


def _written(run: RunDirectory) -> float:
    """Return when it was last written to; a write-ahead log that is empty tells only that it was read."""
    times = [run.journal.stat().st_mtime]
    with suppress(FileNotFoundError):  # it goes as its last writer ends
        log = run.journal.with_name("journal.db-wal").stat()
        times += [log.st_mtime] if log.st_size else []
    return max(times)
