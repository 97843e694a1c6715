"""A rehearsal's server, and a directory for dumps."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from skipstone.rehearsal.server import PrivateServer
from tests.database.rooted import Server, serving


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PrivateServer]:
    with PrivateServer(tmp_path) as server:
        yield server


@pytest.fixture
def dumps(tmp_path: Path) -> Path:
    directory = tmp_path / "dumps"
    directory.mkdir()
    return directory


@pytest.fixture(scope="module")
def rooted() -> Iterator[Server]:
    with serving() as server:
        yield server
