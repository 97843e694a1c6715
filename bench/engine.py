#!/usr/bin/env python3
"""Measures what the engine costs: steps whose hosts are simulated, and answer at once.

    python bench/engine.py

Journal and engine are the real ones, on the disk. Each is measured RUNS times. The page is
docs/explanation/engine.md.
"""

import asyncio
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from tests.unit.run.toy import Hosts, PlainEngine, Rig, plan_of, toy

from skipstone.plan.plan import Plan
from skipstone.run.directory import RunDirectory
from skipstone.run.engine import Engine, open_engine, sqlite_url
from skipstone.run.state import RunState

PAGE = Path(__file__).resolve().parent.parent / "docs/explanation/engine.md"
RUNS = 3
HEAD = """\
# What the engine costs

Written by `make bench` on a machine with {cores} cores, load {load:.0f} before it began: hosts are simulated
and answer at once, journal and engine are the real ones, on the disk, which is waited for once before each
step acts ([ADR 17](../adr/0017-what-is-written-when.md)). The middle of {runs} runs; the engine's own start
is in it. Aims: 3 ms a step; 10,000 hosts in 120 s and 150 MB.

| plan | engine | wall | a step | processor, a step | memory |
|---|---|---|---|---|---|
"""


class Cost(NamedTuple):
    """What one run cost: seconds of the clock and of the processor, and the most memory in MiB."""

    wall: float
    cpu: float
    memory: float


def plain(_: RunDirectory) -> Engine:
    """Return no engine: the schedule by itself."""
    return PlainEngine()


def dbos(directory: RunDirectory) -> Engine:
    """Return the engine as ``apply`` has it."""
    return open_engine(sqlite_url(directory.engine), directory.run)


def chain() -> Plan:
    """Return a thousand steps, one after the other."""
    return plan_of([toy(f"s{n}", *((f"s{n - 1}",) if n else ())) for n in range(1000)])


def wide() -> Plan:
    """Return ten thousand hosts with a step each, two hundred at a time."""
    made = plan_of([toy(f"s{n}", host=f"h{n}") for n in range(10_000)])
    return made.model_copy(update={"stages": (made.stages[0].model_copy(update={"at_once": 200}),)})


def cost(plan: Callable[[], Plan], engine: Callable[[RunDirectory], Engine]) -> Cost:
    """Carry a plan out and return what that cost; meant for a process of its own."""
    made = plan()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as base:
        rig = Rig(Path(base), Hosts(), engine=engine, steps_at_once=200)
        wall, cpu = time.perf_counter(), time.process_time()
        view = asyncio.run(rig.apply(made))
        assert view.state is RunState.DONE  # noqa: S101
        used = Cost(time.perf_counter() - wall, time.process_time() - cpu, 0)
    return used._replace(memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def measured(plan: Callable[[], Plan], engine: Callable[[RunDirectory], Engine]) -> Cost:
    """Return the cost of a plan in a new process."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(cost, (plan, engine))


def main() -> None:
    """Measure each plan with each engine, and write the page."""
    rows, load = [], os.getloadavg()[0]
    plans = (("1,000 steps in a row", chain, 1000), ("10,000 hosts, one step each", wide, 10_000))
    for title, plan, steps in plans:
        for name, engine in (("none", plain), ("DBOS, SQLite", dbos)):
            found = sorted(measured(plan, engine) for _ in range(RUNS))[RUNS // 2]
            per = [1000 * seconds / steps for seconds in (found.wall, found.cpu)]
            cells = (
                title,
                name,
                f"{found.wall:.1f} s",
                *(f"{ms:.1f} ms" for ms in per),
                f"{found.memory:.0f} MiB",
            )
            row = f"| {' | '.join(cells)} |"
            sys.stdout.write(row + "\n")
            rows.append(row)
    PAGE.write_text(HEAD.format(cores=os.cpu_count(), load=load, runs=RUNS) + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
