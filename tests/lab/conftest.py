"""One real cloud for all tests of this directory, restored to its first state before each module."""

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


@pytest.fixture(scope="module")
def lab() -> Iterator[LabCloud]:
    """A fresh Zed cloud, as ``lab up`` leaves it."""
    if os.geteuid() != 0:
        pytest.skip("the lab boots hosts on this machine: needs root")
    lab_verb("down")
    lab_verb("up", "--release", "zed")
    yield LabCloud(DIRECTORY)
    if os.environ.get("SKIPSTONE_LAB_KEEP") != "1":
        lab_verb("down")
