"""Which releases are built: two of them, or those of ``--releases`` (``all`` of them)."""

import pytest

from skipstone.catalog import load_catalog
from skipstone.toolchain.lock import has_lock


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--releases", default="zed,2025.1", help="releases to build and sync, or all")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "release" not in metafunc.fixturenames:
        return
    catalog, wanted = load_catalog(), metafunc.config.getoption("--releases")
    chosen = (
        [release for release in catalog.releases if has_lock(release)]
        if wanted == "all"
        else [catalog.release(name) for name in wanted.split(",")]
    )
    metafunc.parametrize("release", chosen, ids=str)
