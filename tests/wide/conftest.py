"""A cloud with four computes: for `make test-wide`, which takes an hour and more; not part of `make test`."""

import json
import os
import signal
import subprocess

import pytest

from tests.lab.conftest import DIRECTORY, lab_verb, machine
from tests.lab.labcloud import BIN, LabCloud

__all__ = ["machine", "wide"]


@pytest.fixture(scope="session")
def wide(machine: None, tmp_path_factory: pytest.TempPathFactory) -> LabCloud:
    """A Zed cloud of topology ``wide`` as the lab has built it."""
    del machine
    renew()
    return LabCloud(DIRECTORY, tmp_path_factory.mktemp("state"))


def renew() -> None:
    """Begin with the cloud as the lab has built it."""
    lab_verb("down")
    lab_verb("up", "--release", "zed", "--topology", "wide")


def power_off(host: str) -> None:
    """End all of a host at once, as a power failure does; `skipstone lab up` boots it again."""
    said = subprocess.run(
        [BIN / "skipstone", "lab", "status", "--json"], capture_output=True, text=True, check=False
    )
    (leader,) = (one["leader"] for one in json.loads(said.stdout)["hosts"] if one["name"] == host)
    os.kill(leader, signal.SIGKILL)
