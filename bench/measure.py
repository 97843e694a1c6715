#!/usr/bin/env python3
"""Measures the lab and the upgrade, and the same upgrade as a plain script, in one run; as root.

    python bench/measure.py [--from-nothing]

Results go to out/bench/figures.json and docs/explanation/figures.md.

Each figure is of one run on this machine. The plain script (bench/by_hand.sh) does the same upgrade in the
order of the Operations Guide, without checks, proof, probes or resume.
"""

import argparse
import json
import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "out" / "bench"
LAB = Path(os.environ.get("SKIPSTONE_LAB_DIR", "/var/lib/skipstone-lab"))
INVENTORY = str(LAB / "inventory.yaml")


def skipstone(*arguments: str, codes: frozenset[int] = frozenset({0})) -> float:
    """Run one verb and return its seconds."""
    print("$ skipstone", *arguments, flush=True)
    began = time.monotonic()
    done = subprocess.run([ROOT / ".venv/bin/skipstone", *arguments], check=False)
    if done.returncode not in codes:
        raise SystemExit(f"skipstone {arguments[0]} exited with {done.returncode}")
    return time.monotonic() - began


def lab(figures: dict[str, Any], *, from_nothing: bool) -> None:
    """Measure how long the lab takes."""
    if from_nothing:
        skipstone("lab", "down", "--purge")
        figures["lab from nothing"] = skipstone("lab", "up")
    skipstone("lab", "up")
    skipstone("lab", "down")
    figures["lab from cache"] = skipstone("lab", "up")


def upgrade(figures: dict[str, Any]) -> None:
    """Measure Skipstone's own upgrade."""
    cloud, plan = str(OUT / "cloud.yaml"), str(OUT / "plan.yaml")
    fine = frozenset({0, 1})
    figures["discover"] = skipstone("discover", "-i", INVENTORY, "-o", cloud, codes=fine)
    figures["plan"] = skipstone("plan", cloud, "--to", "2025.1", "-o", plan)
    figures["upgrade"] = skipstone("apply", plan, "-i", INVENTORY, "--yes", "--fresh")
    skipstone("report", "-o", str(OUT / "report.html"), "--json", str(OUT / "report.json"))


def by_hand(figures: dict[str, Any]) -> None:
    """Measure the plain script on a fresh cloud."""
    skipstone("lab", "down")
    skipstone("lab", "up")
    began = time.monotonic()
    script: list[str | Path] = ["bash", ROOT / "bench/by_hand.sh", LAB / "ssh_config"]
    done = subprocess.run(script, check=True, text=True, stdout=subprocess.PIPE)
    figures["plain script"] = time.monotonic() - began
    figures["plain script, parts"] = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())


def page(figures: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    report = json.loads((OUT / "report.json").read_text())
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    rows = [f"| {name} | {value:.0f} s |" for name, value in figures.items() if isinstance(value, float)]
    stages = [f"| {stage['name']} | {stage['seconds']:.0f} s |" for stage in report["run"]["stages"]]
    apis = [
        f"| {api['name']} {api['kind']} | {api['longest']:.1f} s | {api['total']:.1f} s |"
        for api in report["impact"]["apis"]
    ]
    instances = [
        f"| {found['name']} | {found['ping']['bad']} of {found['ping']['asked']}"
        f" | {found['ping']['longest_gap']:.1f} s | {'yes' if found['rebooted'] else 'no'} |"
        for found in report["impact"]["instances"]
    ]
    ratio = figures["upgrade"] / figures["plain script"]
    return "\n".join(
        [
            "# Figures",
            "",
            f"Written by `make bench` on a machine with {machine}; one run each.",
            "",
            "| what | time |\n|---|---|",
            *rows,
            "",
            f"The upgrade takes {ratio:.2f} times as long as the plain script, with proof and probes.",
            "",
            "## The upgrade's stages\n\n| stage | time |\n|---|---|",
            *stages,
            "",
            "## Outage per API, measured from outside\n\n| API | longest | total |\n|---|---|---|",
            *apis,
            "",
            "## Instances\n\n| instance | replies lost | longest gap | rebooted |\n|---|---|---|---|",
            *instances,
            "",
        ]
    )


def main() -> None:
    """Measure everything and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from-nothing", action="store_true", help="also build the lab's images anew")
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Any] = {}
    lab(figures, from_nothing=options.from_nothing)
    upgrade(figures)
    by_hand(figures)
    (OUT / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")
    (ROOT / "docs/explanation/figures.md").write_text(page(figures))


if __name__ == "__main__":
    main()
