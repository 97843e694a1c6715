"""What the tests with real daemons share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.postgresql import PostgreSQL, running_postgresql
from tests.unit.cloud.sshd import PROGRAM, Sshd, running_sshd


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    """A test's own sshd, which it may disturb."""
    if os.getuid() != 0 or not Path(PROGRAM).exists():
        pytest.skip("needs root and sshd (tools/prepare-machine tests)")
    with running_sshd(tmp_path) as server:
        yield server


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQL]:
    """A module's own PostgreSQL."""
    with running_postgresql() as server:
        yield server
