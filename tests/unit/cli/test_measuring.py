"""What cannot be measured never stops a run."""

import asyncio
from pathlib import Path

from rich.console import Console

from skipstone.cli.measuring import Measurement
from skipstone.cloud.inventory import load_inventory
from skipstone.run.directory import RunDirectory


def test_a_gate_without_a_recording_says_so(tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.yaml"
    inventory.write_text("name: toycloud\nhosts:\n  h1: {groups: [control]}\n")
    measurement = Measurement(RunDirectory(tmp_path / "run"), load_inventory(inventory), Console())
    (line,) = asyncio.run(measurement.figures())
    assert line.startswith("what users have felt is not known: ")
