#!/usr/bin/env python3
"""Measures the lab and the upgrade, and the same upgrade as a plain script, in one run; as root.

    python bench/measure.py [--from-nothing] [--second-pair] [--only-lab]

Results go to out/bench/figures.json, and from there to docs/explanation/figures.md. Each figure is of one run
on this machine. The plain script (bench/by_hand.sh) does the same upgrade in the order of the Operations
Guide, without checks, proof or resume; both are measured by the same probes from outside.
"""

import argparse
import asyncio
import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from skipstone.catalog import load_catalog
from skipstone.cloud.discover import discover
from skipstone.cloud.inventory import load_inventory
from skipstone.impact.measurement import measure
from skipstone.impact.process import start_probes, stop_probes
from skipstone.impact.spec import build_spec
from skipstone.views.measure import duration

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "out" / "bench"
FIGURES = OUT / "figures.json"
PAGE = ROOT / "docs/explanation/figures.md"
LAB = Path(os.environ.get("SKIPSTONE_LAB_DIR", "/var/lib/skipstone-lab"))
INVENTORY = LAB / "inventory.yaml"
API = {"OS_CLIENT_CONFIG_FILE": str(LAB / "clouds.yaml"), "OS_CLOUD": "lab"}
MIB = 1 << 20

MACHINE = """\
Written by `make bench` on a machine with {cores} cores and Python {python}; one run each, Zed (Debian 12) to
2025.1 (Debian 13), measured from outside by the same probes."""
RATIO = """\
Skipstone takes {ratio:.2f} times as long as the plain script, with proven backups, a check after every step,
and looks before and after. Most of both is one core's work for dpkg; Skipstone byte-compiles Python's modules
once, at the end, with every core. The aim is ten minutes on two quiet cores."""


@dataclass
class Felt:
    """What users felt of one upgrade: seconds of the longest outage per API, and per instance its pings."""

    apis: dict[str, float] = field(default_factory=dict)
    instances: dict[str, dict[str, Any]] = field(default_factory=dict)
    probes_mib: float = 0

    @classmethod
    def read(cls, recording: Path) -> "Felt":
        """Evaluate a recording of the probes."""
        found = measure(recording)
        pings = {
            one.name: {
                "lost": one.ping.bad,
                "asked": one.ping.asked,
                "gap": one.ping.longest_gap,
                "rebooted": "yes" if one.rebooted else "no",
            }
            for one in found.instances
            if one.ping
        }
        return cls(found.longest_outages, pings, found.memory / MIB)


@dataclass
class Upgrade:
    """One upgrade: its seconds in all and per stage, and what users felt."""

    seconds: float
    stages: dict[str, float]
    felt: Felt
    memory_mib: float = 0


def skipstone(
    *arguments: str, fine: frozenset[int] = frozenset({0}), **environment: str
) -> tuple[float, float]:
    """Run one verb; return its seconds, and the most memory that its process held, in MiB."""
    print("$ skipstone", *arguments, flush=True)
    began = time.monotonic()
    process = subprocess.Popen([ROOT / ".venv/bin/skipstone", *arguments], env=os.environ | environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in fine:
        raise SystemExit(f"skipstone {arguments[0]} exited with {process.returncode}")
    return time.monotonic() - began, usage.ru_maxrss / 1024


def lab(*, from_nothing: bool) -> dict[str, float]:
    """Return how long the lab takes, and leave it up."""
    figures: dict[str, float] = {}
    skipstone("lab", "down", *(["--purge"] if from_nothing else []))
    known = snapshots()
    seconds, _ = skipstone("lab", "up")
    if snapshots() != known:
        figures["`lab up` from nothing" if from_nothing else "`lab up`, first time"] = seconds
        skipstone("lab", "down")
        seconds, _ = skipstone("lab", "up")
    return figures | {"`lab up` from cache": seconds}


def snapshots() -> list[str]:
    """Return the lab's snapshots, golden clouds among them."""
    command = [str(ROOT / ".venv/bin/skipstone"), "lab", "status", "--json"]
    status = subprocess.run(command, check=False, text=True, stdout=subprocess.PIPE)
    found: list[str] = json.loads(status.stdout)["snapshots"]
    return found


def fresh_lab(release: str) -> None:
    """Bring up a cloud that nothing has touched."""
    skipstone("lab", "down")
    skipstone("lab", "up", "--release", release)


def upgrade(target: str) -> tuple[Upgrade, dict[str, float]]:
    """Upgrade the lab with Skipstone; return that, and how long looking and planning took."""
    state, cloud, plan = OUT / "state", str(OUT / "cloud.yaml"), str(OUT / "plan.yaml")
    shutil.rmtree(state, ignore_errors=True)
    looking, _ = skipstone("discover", "-i", str(INVENTORY), "-o", cloud, fine=frozenset({0, 1}))
    planning, _ = skipstone("plan", cloud, "--to", target, "-o", plan)
    seconds, memory = skipstone("apply", plan, "-i", str(INVENTORY), "--yes", SKIPSTONE_STATE_DIR=str(state))
    (run,) = (state / "runs").iterdir()
    stages = json.loads((run / "report.json").read_text())["run"]["stages"]
    found = Upgrade(
        seconds, {one["name"]: one["seconds"] for one in stages}, Felt.read(run / "impact"), memory
    )
    return found, {"`discover`": looking, "`plan`": planning}


@contextmanager
def probing(directory: Path) -> Iterator[None]:
    """Probe the lab meanwhile."""
    inventory = load_inventory(INVENTORY)
    start_probes(build_spec(asyncio.run(discover(inventory, load_catalog())), inventory), directory)
    try:
        yield
    finally:
        stop_probes(directory)


def by_hand() -> Upgrade:
    """Upgrade the lab with the plain script."""
    recording = OUT / "by-hand"
    shutil.rmtree(recording, ignore_errors=True)
    command: list[str | Path] = ["bash", ROOT / "bench/by_hand.sh", LAB / "ssh_config"]
    with probing(recording):
        began = time.monotonic()
        path = f"{ROOT / '.venv/bin'}:{os.environ['PATH']}"
        environment = {**os.environ, **API, "PATH": path}
        done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, env=environment)
        seconds = time.monotonic() - began
    parts = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())
    return Upgrade(seconds, {name: float(value) for name, value in parts.items()}, Felt.read(recording))


def table(head: str, rows: list[str]) -> str:
    """Return a Markdown table."""
    rule = "|".join("---" for _ in head.split("|"))
    return "\n".join([f"| {head} |", f"|{rule}|", *(f"| {row} |" for row in rows)])


def pings(felt: Felt) -> list[str]:
    """Return the rows of the instances."""
    return [
        f"{name} | {one['lost']} of {one['asked']} | {one['gap']:.1f} s | {one['rebooted']}"
        for name, one in felt.instances.items()
    ]


def page(times: dict[str, float], own: Upgrade, plain: Upgrade, second: Upgrade | None) -> str:
    """Return the figures as Markdown."""
    own_stages = " + ".join(f"{name} {value:.0f}" for name, value in own.stages.items())
    plain_parts = " + ".join(f"{name} {value:.0f}" for name, value in plain.stages.items())
    apis = [
        f"{name} | {duration(longest)} | {duration(plain.felt.apis[name])}"
        for name, longest in own.felt.apis.items()
    ]
    head = "instance | replies lost | longest gap | rebooted"
    parts = [
        "# Figures",
        MACHINE.format(cores=os.cpu_count(), python=platform.python_version()),
        table("what | time", [f"{name} | {duration(value)}" for name, value in times.items()]),
        "## The whole upgrade",
        table(
            "way | time | seconds per stage",
            [
                f"`skipstone apply` | {duration(own.seconds)} | {own_stages}",
                f"plain script | {duration(plain.seconds)} | {plain_parts}",
            ],
        ),
        RATIO.format(ratio=own.seconds / plain.seconds),
        f"Memory: `apply` {own.memory_mib:.0f} MiB at most, its probes {own.felt.probes_mib:.0f} MiB.",
        "## Longest outage per API",
        table("API | Skipstone | plain script", apis),
        "## Instances, upgraded by Skipstone",
        table(head, pings(own.felt)),
        "## Instances, upgraded by the plain script",
        table(head, pings(plain.felt)),
    ]
    if second:
        parts += [
            "## Another pair: Victoria (Debian 11) to Zed (Debian 12)",
            f"{duration(second.seconds)}; longest outage {duration(max(second.felt.apis.values()))}.",
            table(head, pings(second.felt)),
        ]
    return "\n\n".join(parts) + "\n"


def write(found: dict[str, Any], times: dict[str, float]) -> None:
    """Keep the figures, with new times of the lab, and write the page from them."""
    found["times"] = times | {name: value for name, value in found["times"].items() if name not in times}
    FIGURES.write_text(json.dumps(found, indent=2) + "\n")
    own, plain = upgrade_of(found["skipstone"]), upgrade_of(found["plain"])
    second = upgrade_of(found["second"]) if found["second"] else None
    PAGE.write_text(page(found["times"], own, plain, second))


def upgrade_of(facts: dict[str, Any]) -> Upgrade:
    """Return an upgrade as ``asdict`` has written it."""
    return Upgrade(**{**facts, "felt": Felt(**facts["felt"])})


def main() -> None:
    """Measure everything and write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--from-nothing", action="store_true", help="also build the lab's images anew")
    parser.add_argument("--second-pair", action="store_true", help="also upgrade Victoria to Zed")
    parser.add_argument(
        "--only-lab", action="store_true", help="measure the lab alone; the other figures stay as they were"
    )
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    times = lab(from_nothing=options.from_nothing)
    if options.only_lab:
        write(json.loads(FIGURES.read_text()), times)
        return
    plain = by_hand()
    fresh_lab("zed")
    own, looks = upgrade("2025.1")
    second = None
    if options.second_pair:
        fresh_lab("victoria")
        second, _ = upgrade("zed")
    found = {"times": looks, "skipstone": asdict(own), "plain": asdict(plain)}
    found["second"] = asdict(second) if second else {}
    write(found, times)


if __name__ == "__main__":
    main()
