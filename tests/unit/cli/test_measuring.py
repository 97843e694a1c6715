"""What cannot be measured never stops a run."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from skipstone.cli.measuring import Measurement
from skipstone.cloud.inventory import load_inventory
from skipstone.cloud.model import Cloud, Instance
from skipstone.impact import process
from skipstone.run.directory import RunDirectory


def test_a_gate_without_a_recording_says_so(tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.yaml"
    inventory.write_text("name: toycloud\nhosts:\n  h1: {groups: [control]}\n")
    measurement = Measurement(RunDirectory(tmp_path / "run"), load_inventory(inventory), Console())
    (line,) = asyncio.run(measurement.figures())
    assert line.startswith("what users have felt is not known: ")


def test_the_instances_that_are_probed_are_asked_for_and_in_the_plans_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory = tmp_path / "inventory.yaml"
    inventory.write_text("name: toycloud\nhosts:\n  h1: {groups: [control]}\n")
    cloud = Cloud(
        name="toycloud",
        taken_at=datetime(2026, 11, 30, tzinfo=UTC),
        skipstone="0",
        hosts=(),
        instances=tuple(
            Instance(
                id=f"i{n}",
                name=f"vm{n}",
                project="p",
                host=f"cmp{n}",
                status="ACTIVE",
                addresses=(f"10.0.0.{n}",),
            )
            for n in range(1, 9)
        ),
    )
    probed: list[str] = []
    monkeypatch.setattr(
        process, "start_probes", lambda spec, _: probed.extend(one.name for one in spec.instances)
    )
    monkeypatch.setattr(Measurement, "look", lambda *_: None)
    measurement = Measurement(
        RunDirectory(tmp_path / "run"),
        load_inventory(inventory),
        Console(),
        instances=3,
        waves=(("cmp8",), ("cmp5", "cmp6")),
    )
    with measurement.probing(cloud):
        pass
    assert probed == ["vm8", "vm5", "vm6"]
