#!/usr/bin/env python3
"""Measures a cloud of ten thousand computes: the plan, the run of its waves, the status of such a run.

    python bench/scale.py [COMPUTES]

The cloud is a recorded one, made large (big_cloud.py); hosts are simulated and answer at once, journal and
engine are the real ones. The page is docs/explanation/scale.md.
"""

import asyncio
import json
import os
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from big_cloud import big_cloud
from makespan import Makespan, makespan
from tests.unit.run.toy import Hosts, Rig, plan_of, toy

from skipstone.cloud.cloudfile import save_cloud
from skipstone.plan.plan import Plan
from skipstone.plan.planfile import load_plan
from skipstone.run.directory import Origin, RunDirectory
from skipstone.run.engine import Engine, open_engine, sqlite_url
from skipstone.run.journal import APPLICATION_ID, INSERT, SCHEMA, SCHEMA_VERSION, Journal
from skipstone.run.runner import plan_facts
from skipstone.run.state import Kind, RunState
from skipstone.settings import Settings

PAGE = Path(__file__).resolve().parent.parent / "docs/explanation/scale.md"
POLICY = ("--sample", "3", "--wave", "10%", "--down", "2%", "--down-per-zone", "5%", "--down-per-rack", "2")
VERB = "import sys; from skipstone.cli.main import main; sys.exit(main())"


class Cost(NamedTuple):
    """Seconds of the clock and of the processor, and the most memory in MiB."""

    wall: float
    cpu: float
    memory: float

    def __str__(self) -> str:
        return f"{self.wall:.1f} s | {self.cpu:.1f} s | {self.memory:.0f} MB"


def command(*arguments: str, state: Path) -> Cost:
    """Run a verb of skipstone as a process of its own and return what it cost; its output goes nowhere."""
    began = time.perf_counter()
    environment = os.environ | {"SKIPSTONE_STATE_DIR": str(state)}
    output = os.open(os.devnull, os.O_WRONLY)
    process = os.posix_spawn(
        sys.executable,
        [sys.executable, "-c", VERB, *arguments],
        environment,
        file_actions=[(os.POSIX_SPAWN_DUP2, output, 1)],
    )
    _, status, used = os.wait4(process, 0)
    os.close(output)
    assert status == 0, arguments  # noqa: S101
    return Cost(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def apart(work: Callable[..., Any], *arguments: Any) -> Any:  # noqa: ANN401 - whatever it returns
    """Return what a function returns, from a process of its own."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def make_cloud(path: Path, computes: int) -> None:
    """Write the cloud: twenty instances for each compute."""
    save_cloud(big_cloud(computes, 20 * computes), path)


def dbos(directory: RunDirectory) -> Engine:
    """Return the engine as ``apply`` has it."""
    return open_engine(sqlite_url(directory.engine), directory.run)


def waves(computes: int) -> Plan:
    """Return a wave of so many hosts with a step each, 200 of them down at once and two of a rack."""
    names = [f"c{number:05}" for number in range(computes)]
    made = plan_of([toy(f"step.{name}", host=name, group=name) for name in names])
    groups = {name: ("down", f"rack r{number // 40}") for number, name in enumerate(names)}
    racks = {lane: 2 for _, lane in groups.values()}
    stage = made.stages[0].model_copy(update={"groups": groups, "lanes": {"down": 200, **racks}})
    return made.model_copy(update={"stages": (stage,)})


def carry_out(computes: int) -> Cost:
    """Carry such a wave out and return what that cost."""
    made = waves(computes)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as base:
        rig = Rig(Path(base), Hosts(), engine=dbos, steps_at_once=200)
        wall, cpu = time.perf_counter(), time.process_time()
        assert asyncio.run(rig.apply(made)).state is RunState.DONE  # noqa: S101
        used = Cost(time.perf_counter() - wall, time.process_time() - cpu, 0)
    return used._replace(memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def spans(plan_file: Path) -> dict[int, Makespan]:
    """Return how long the waves take, by how many steps may run at once."""
    plan = load_plan(plan_file)
    return {
        at_once: makespan(plan, at_once) for at_once in (Settings.model_fields["steps_at_once"].default, 200)
    }


def half_way(plan_file: Path, state: Path) -> tuple[Cost, int, float]:
    """Write the journal of a run of a plan that is half done.

    Return what reading the plan cost, the journal's events, and its size in MB.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    plan = load_plan(plan_file)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    read = Cost(time.perf_counter() - wall, time.process_time() - cpu, used)
    directory = RunDirectory(state / "runs" / f"{plan.id}-1")
    directory.path.mkdir(parents=True)
    (directory.path / "origin.json").write_text(json.dumps(Origin("inventory.yaml", measure=False).__dict__))
    with closing(sqlite3.connect(directory.journal)) as file:
        file.executescript(SCHEMA)
        file.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        file.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        file.executemany(INSERT, _rows(plan, directory.run))
        file.commit()
        events = file.execute("SELECT count(*) FROM events").fetchone()[0]
    with Journal(directory.journal, token=1, mask=str) as journal:
        journal.append(Kind.RUN_RESUMED, who="ann", host="op", pid=2)
    return read, events, directory.journal.stat().st_size / 1e6


def _rows(plan: Plan, run: str) -> Iterator[tuple[str, int, str, str | None, int | None, str]]:
    began, number = datetime.now(UTC) - timedelta(days=3), 0

    def row(
        kind: Kind, step: str | None, **facts: object
    ) -> tuple[str, int, str, str | None, int | None, str]:
        nonlocal number
        number += 1
        time = (began + timedelta(seconds=number / 4)).isoformat()
        return time, 1, kind, step, step and 1, json.dumps(facts)  # type: ignore[return-value]

    facts = {"who": "ann", "host": "op", "pid": 1, "run": run, "plan_digest": "d", "plan": plan_facts(plan)}
    yield row(Kind.RUN_STARTED, None, **facts)
    steps = list(plan.steps())
    for step in steps[: len(steps) // 2]:
        script, parameters = step.apply().script, step.model_dump(mode="json")
        yield row(Kind.INTENT, step.id, host=step.host, script=script, parameters=parameters)
        yield row(Kind.SUBMITTED, step.id, directory="/var/lib/skipstone/jobs", unit="")
        yield row(Kind.OUTPUT, step.id, text="a line of output\n" * 5, offset=85)
        yield row(Kind.OUTCOME, step.id, end="exited", code=0, seconds=1.5, rebooted=False)
        yield row(Kind.VERIFIED, step.id, evidence="")
    yield row(Kind.RUN_FAILED, None, reason="a step failed")


def main() -> None:
    """Measure, and write the page."""
    computes = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(dir="/var/tmp") as base:
        cloud, plan, state = Path(base) / "cloud.json", Path(base) / "plan.yaml", Path(base) / "state"
        apart(make_cloud, cloud, computes)
        rows = {
            "`skipstone plan`": command(
                *("plan", str(cloud), "--to", "2025.1", *POLICY, "-o", str(plan)), state=state
            ),
        }
        rows["reading that plan, as `apply` does"], events, size = apart(half_way, plan, state)
        rows["`skipstone status`, half done"] = command("status", state=state)
        rows["a wave of a step for each host, carried out"] = apart(carry_out, computes)
        found = apart(spans, plan)
        sizes = (cloud.stat().st_size / 1e6, plan.stat().st_size / 1e6)
    table = "\n".join(f"| {name} | {cost} |" for name, cost in rows.items())
    facts = {"computes": computes, "instances": 20 * computes, "cores": os.cpu_count(), "load": load}
    figures: dict[str, object] = {"events": events, "journal": size, "cloud": sizes[0], "plan": sizes[1]}
    figures["spans"] = "\n".join(f"| {at_once} | {span.row} |" for at_once, span in found.items())
    PAGE.write_text(HEAD.format(**facts) + table + "\n" + TAIL.format(**figures))
    sys.stdout.write(PAGE.read_text())


HEAD = """\
# Ten thousand computes

Written by `make bench-scale` (`python bench/scale.py {computes}`): {computes:,} computes with {instances:,}
instances, each compute with its own address in its configuration, on a machine with {cores} cores and a load
of {load:.0f} from other work when it began: look at the processor's time. Each row is a process of its own.

| | clock | processor | memory |
|---|---|---|---|
"""
TAIL = """
The cloud's file (`cloud.json`) has {cloud:.0f} MB, the plan's {plan:.0f} MB, the journal half way
{journal:.0f} MB in {events:,} events.

The aim for `skipstone plan` is 5 s and 500 MB. Steps that hosts have alike but for their name are made for
two of them, and the others' are text with another name in it. What is left goes by each host: its facts are
read, hashed and looked at by fifty checks, its files' own hashes are in a step of its own, and where it is in
the waves is computed. Files are small since what hosts have alike is there once; configuration that differs
in addresses alone is converted once. `status` reads where the run stood some hundred events ago, and folds
the rest.

## How long the waves take

The same plan's waves in simulated time: a host takes its estimate times a random factor (one in three is more
than 1.4 times slower or faster), each step of it 10 % more or less. The bound is what the slowest host takes,
or what the fullest limit has to let through, wave by wave; nothing could be done sooner without breaking a
limit. `steps_at_once` is the operator's own setting, and a limit, too.

| steps at once | all waves | the bound | over it | most down at once | of |
|---|---|---|---|---|---|
{spans}
"""


if __name__ == "__main__":
    main()
