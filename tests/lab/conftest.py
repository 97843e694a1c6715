"""One real cloud for all tests of this directory.

``lab`` is a Zed cloud that is up; tests leave it as they found it. A module that changes it for good asks for
``fresh_lab``, and is the last to use it.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.labcloud import BIN, LabCloud

DIRECTORY = Path(os.environ.get("SKIPSTONE_LAB_DIR", "/var/lib/skipstone-lab"))


def lab_verb(*arguments: str) -> None:
    subprocess.run([BIN / "skipstone", "lab", *arguments], check=True, stdout=sys.stderr)


@pytest.fixture(scope="session")
def machine() -> Iterator[None]:
    """Leave nothing running at the end, unless SKIPSTONE_LAB_KEEP is 1."""
    if os.geteuid() != 0:
        pytest.skip("the lab boots hosts on this machine: needs root")
    yield
    if os.environ.get("SKIPSTONE_LAB_KEEP") != "1":
        lab_verb("down")


@pytest.fixture(scope="module")
def lab(machine: None, tmp_path_factory: pytest.TempPathFactory) -> LabCloud:
    """A Zed cloud; ``lab up`` is harmless where it is up."""
    del machine
    lab_verb("up", "--release", "zed")
    return LabCloud(DIRECTORY, tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="module")
def fresh_lab(machine: None, tmp_path_factory: pytest.TempPathFactory) -> LabCloud:
    """A Zed cloud as the lab has built it."""
    del machine
    lab_verb("down")
    lab_verb("up", "--release", "zed")
    return LabCloud(DIRECTORY, tmp_path_factory.mktemp("state"))
