"""Carrying one service's databases from stop to stop: guards, commands, heads; up to the first failure."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event

from skipstone.catalog import Catalog, Outcome, Release
from skipstone.rehearsal.databases import LoadedDatabase, heads, schema_of, tables_of
from skipstone.rehearsal.fastforward import Move, Stop
from skipstone.rehearsal.guards import Guards, Trouble
from skipstone.rehearsal.report import Ended
from skipstone.rehearsal.server import PrivateServer
from skipstone.rehearsal.touching import Marks, Touched, marks, touched
from skipstone.rehearsal.watcher import Watcher
from skipstone.toolchain.toolchain import Toolchain

ROUNDS = 100
"""How often online data migrations may say that they want to be run again."""

LOOK_SECONDS = 0.5
"""How often is looked whether the rehearsal is stopped."""

KEPT = 4000
"""Characters of a command's output that are kept, from its end."""


@dataclass(frozen=True)
class MoveDone:
    """One command that was run: when it began (seconds after the rehearsal's beginning), how long it took."""

    move: Move
    began: float
    seconds: float
    rounds: int
    code: int
    outcome: Outcome
    output: str
    touched: tuple[Touched, ...] = ()


@dataclass(frozen=True)
class StopDone:
    """One stop that was made, or tried; ``found`` are the heads afterwards, per database."""

    stop: Stop
    ended: Ended
    moves: tuple[MoveDone, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    found: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Workshop:
    """What all services' databases are carried with; ``prefix`` cuts a command off from every network.

    Every command of a service is run with each of its ``configurations``: nova's cells have one each.
    """

    server: PrivateServer
    catalog: Catalog
    toolchains: Mapping[Release, Toolchain]
    configurations: Mapping[str, tuple[Path, ...]]
    databases: tuple[LoadedDatabase, ...]
    prefix: tuple[str, ...]
    began: float
    watcher: Watcher
    stopping: Event = field(default_factory=Event)

    def carry(self, chain: Sequence[Stop]) -> tuple[StopDone, ...]:
        """Make the stops of one service, up to the first that does not end well, or until ``stopping``."""
        made: list[StopDone] = []
        for stop in chain:
            if self.stopping.is_set():
                break
            made.append(self._make(stop))
            if made[-1].ended is not Ended.DONE:
                break
        return tuple(made)

    def _make(self, stop: Stop) -> StopDone:
        prior = self._run_all(stop, stop.prior)
        if _failed(prior):
            return StopDone(stop, Ended.FAILED, prior, (), self._heads(stop))
        guards = Guards(self.server, self.catalog, self.databases)
        troubles = guards.before(stop.guards)
        if stop.synced:
            troubles = tuple(guards.mend(troubles))
        # what an earlier upgrade has left behind is told, and no reason to stop
        if stop.synced and any(trouble.stops for trouble in troubles):
            return StopDone(stop, Ended.GUARDED, prior, troubles)
        done = (*prior, *self._run_all(stop, stop.moves))
        found = self._heads(stop)
        if _failed(done):
            return StopDone(stop, Ended.FAILED, done, troubles, found)
        damages = guards.after(stop.guards) if stop.synced else ()
        return StopDone(stop, self._end(stop, found, damages), done, (*troubles, *damages), found)

    def _run_all(self, stop: Stop, moves: Sequence[Move]) -> tuple[MoveDone, ...]:
        """Run commands with each configuration of their service, up to the first that does not end well."""
        done: list[MoveDone] = []
        seen = self._marks(stop)
        for move in moves:
            self.watcher.move(move)
            for configuration in self.configurations[stop.service]:
                made, before, seen = self.run(move, configuration), seen, self._marks(stop)
                done.append(replace(made, touched=touched(before, seen)))
                if _failed(done):
                    return tuple(done)
            self.watcher.advance()
        return tuple(done)

    def _end(self, stop: Stop, found: Mapping[str, tuple[str, ...]], damages: Sequence[Trouble]) -> Ended:
        if stop.synced and not all(self._is_head(stop, name, now) for name, now in found.items()):
            return Ended.OTHER_HEADS
        return Ended.DAMAGED if damages else Ended.DONE

    def run(self, move: Move, configuration: Path) -> MoveDone:
        """Run a command, as often as it says that it wants to be run again."""
        began, rounds = time.monotonic(), 0
        outcome, code, output = Outcome.RERUN, 0, ""
        while outcome is Outcome.RERUN and rounds < ROUNDS:
            rounds += 1
            code, output = self._once(move, configuration)
            outcome = move.invocation.outcome(code)
        seconds = time.monotonic() - began
        return MoveDone(move, began - self.began, seconds, rounds, code, outcome, output[-KEPT:])

    def _once(self, move: Move, configuration: Path) -> tuple[int, str]:
        argv = move.invocation.argv([str(configuration)])
        program = self.toolchains[move.release].command(
            move.service, argv, directories=(configuration.parent, self.server.directory)
        )
        with subprocess.Popen(
            (*self.prefix, *program.argv),
            env={**environment(configuration.parent), **program.environment},
            cwd=configuration.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C is for us alone
        ) as process:
            return self._ended(process)

    def _ended(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        """Wait for a command's end, or end it where the rehearsal is stopped; return its code and output."""
        while True:
            try:
                output, _ = process.communicate(timeout=LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                if self.stopping.is_set():
                    os.killpg(process.pid, signal.SIGKILL)
            else:
                return process.returncode, output

    def _marks(self, stop: Stop) -> Marks:
        return marks(self.server, [one.name for one in self.databases if one.service == stop.service])

    def _heads(self, stop: Stop) -> dict[str, tuple[str, ...]]:
        return {
            one.name: heads(self.server, one.name, tables_of(self.server, one.name))
            for one in self.databases
            if one.service == stop.service
        }

    def _is_head(self, stop: Stop, name: str, now: tuple[str, ...]) -> bool:
        known_as = next(one.known_as for one in self.databases if one.name == name)
        schema = stop.release.services[stop.service].schema_
        return schema.is_head(schema_of(self.catalog, known_as), now)


def has_arrived(chain: Sequence[Stop], made: Sequence[StopDone]) -> bool:
    """Say whether every stop of a service was made, and ended well."""
    return len(made) == len(chain) and all(done.ended is Ended.DONE for done in made)


def _failed(done: Sequence[MoveDone]) -> bool:
    """Say whether the last of these commands did not end well."""
    return bool(done) and done[-1].outcome not in (Outcome.DONE, Outcome.WARNING)


def environment(home: Path) -> dict[str, str]:
    """Return the variables of a command: no proxy and no credentials of the operator's."""
    return {"HOME": str(home), "TMPDIR": str(home), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
