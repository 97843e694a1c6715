"""A real server for the tests of this directory: they may do to it what they like."""

import os
import shutil
from collections.abc import Iterator

import pytest

from tests.machine.disk import Disk, installed_disk
from tests.machine.emulator import PROGRAM
from tests.machine.server import Server, running_server


@pytest.fixture(scope="session")
def disk() -> Disk:
    """The installed server, which is made where it is not there yet."""
    if os.geteuid() != 0 or shutil.which(PROGRAM) is None:
        pytest.skip("needs root and QEMU (tools/prepare-machine machine)")
    return installed_disk()


@pytest.fixture(scope="module")
def server(disk: Disk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server as it was installed, for one module."""
    with running_server(disk, tmp_path_factory.mktemp("server")) as booted:
        yield booted
