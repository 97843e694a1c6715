"""A broker on an empty directory, cut off on the way: what it had before stays."""

import json
import os
import subprocess
from pathlib import Path

from skipstone.steps.broker import RenewBroker

STUBS = {"systemctl": "exit 0", "rabbitmqctl": "exit 0", "install": "exit 0", "sync": "exit 0"}


def run(place: Path, **more: str) -> int:
    """Run the step with these programs and no broker."""
    directory = place / "p/broker"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "definitions.json").write_text(json.dumps({"users": [{"name": "openstack"}]}))
    for name, text in {**STUBS, **more}.items():
        program = place / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
    step = RenewBroker(
        id="b",
        title="t",
        host="h",
        deadline=1,
        estimate=1,
        directory=str(directory),
        data=str(place / "rabbitmq/mnesia"),
    )
    script = step.apply().script.replace("/etc/", f"{place}/etc/")
    environment = {**os.environ, "PATH": f"{place}/bin:{os.environ['PATH']}"}
    return subprocess.run(["sh", "-s"], input=script, env=environment, text=True, check=False).returncode


def test_the_old_data_stays_where_the_host_loses_its_power_after_it_was_moved(tmp_path: Path) -> None:
    data = tmp_path / "rabbitmq/mnesia"
    data.mkdir(parents=True)
    (data / "old").touch()
    assert run(tmp_path, touch="exit 1") != 0, "cut off"
    data.mkdir(exist_ok=True)  # the host boots, and the new broker makes a directory of its own
    (data / "new").touch()
    assert run(tmp_path, touch='exec /usr/bin/touch "$@"') == 0
    assert [path.parent.name for path in tmp_path.rglob("old")] == ["mnesia.moved-by-p"]
    assert (data / "new").exists()
