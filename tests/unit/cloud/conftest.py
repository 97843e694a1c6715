"""What the tests of the transport and of discovery share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cloud.sshd import PROGRAM, Sshd, new_key, running_sshd, unused_port


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    if os.getuid() != 0 or not Path(PROGRAM).exists():
        pytest.skip("needs root and sshd (tools/prepare-machine tests)")
    with running_sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def other_key(tmp_path: Path) -> Path:
    """A private key that nobody knows."""
    return new_key(tmp_path / "other")


@pytest.fixture
def closed_port() -> int:
    return unused_port()
