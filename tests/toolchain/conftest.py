"""Which releases are built and which pairs carried: two and two, or those of ``--releases``, ``--routes``."""

from itertools import pairwise

import pytest

from skipstone.catalog import Catalog, Release, load_catalog
from skipstone.toolchain.lock import has_lock

NAMED = (
    "zed-2025.1",
    "victoria-2026.1",
    "victoria-2026.2",
    "train-2025.1",
    "queens-2024.1",
    "ocata-victoria",
    "ocata-2026.2",
    "stein-victoria",
    "stein-2026.2",
    "rocky-victoria",
)
"""Pairs that are neither neighbours nor a SLURP and the next; older releases have no toolchain."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--releases", default="zed,2025.1", help="releases to build and sync, or all")
    parser.addoption("--routes", help="pairs to carry, or all; by default a short and a long one")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    catalog = load_catalog()
    if "release" in metafunc.fixturenames:
        metafunc.parametrize("release", _releases(catalog, metafunc.config.getoption("--releases")), ids=str)
    if "pair" in metafunc.fixturenames:
        metafunc.parametrize("pair", _wanted_pairs(catalog, metafunc.config.getoption("--routes")))


def _releases(catalog: Catalog, wanted: str) -> list[Release]:
    if wanted == "all":
        return [release for release in catalog.releases if has_lock(release)]
    return [catalog.release(name) for name in wanted.split(",")]


def _wanted_pairs(catalog: Catalog, wanted: str | None) -> list[str]:
    if wanted is None:
        return ["stein-victoria", "victoria-2026.2"]
    return _pairs(catalog) if wanted == "all" else wanted.split(",")


def _pairs(catalog: Catalog) -> list[str]:
    """Return each release to the next, each SLURP to the next, and what is named."""
    releases = [release for release in catalog.releases if has_lock(release)]
    slurps = [release for release in releases if release.slurp]
    neighbours = (f"{source}-{target}" for run in (releases, slurps) for source, target in pairwise(run))
    return list(dict.fromkeys([*neighbours, *NAMED]))
