"""A rehearsal's server, and a directory for dumps."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from skipstone.rehearsal.server import PrivateServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PrivateServer]:
    with PrivateServer(tmp_path) as server:
        yield server


@pytest.fixture
def dumps(tmp_path: Path) -> Path:
    directory = tmp_path / "dumps"
    directory.mkdir()
    return directory
