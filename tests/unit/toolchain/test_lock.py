"""The lock files that are in the repository, and how they are read."""

import re
from pathlib import Path

import pytest

from skipstone.catalog import load_catalog
from skipstone.errors import InputError, ToolchainError
from skipstone.toolchain.interpreter import SUITES
from skipstone.toolchain.lock import BUILDERS, LOCKS, canonical, has_lock, locks_of, read_lock

FILES = sorted(LOCKS.glob("*.txt"))
LACKING = {
    "ocata": ["keystone", "glance", "heat"],
    "pike": ["heat"],
    "queens": ["glance", "heat"],
}
"""Services of a release that the package index has not: docs/reference/toolchains.md tells them."""
BLOCK = re.compile(r"[a-z0-9-]+==[^\s;@]+( \\\n    --hash=sha256:[0-9a-f]{64})+")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_lock_pins_and_hashes_everything_and_names_no_index(path: Path) -> None:
    lines = path.read_text()
    blocks = re.split(r"\n(?=\S)", lines.rstrip())
    for block in blocks:
        assert block.startswith("# ") or BLOCK.fullmatch(block), block
    assert "://" not in lines
    assert "@" not in lines


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_lock_is_of_the_catalogs_release_and_its_newest_point_releases(path: Path) -> None:
    lock = read_lock(path)
    release = load_catalog().release(lock.release)
    assert path.name == f"{release.version}-{release.codename}-python{lock.python}.txt"
    assert lock.python in SUITES
    for name, entry in release.services.items():
        assert lock.version(name) in {entry.latest, None}
    assert lock.version("nova") is not None
    assert {"pymysql", *BUILDERS} <= set(lock.pins)


def test_every_release_from_ocata_has_its_services_but_what_the_index_lacks() -> None:
    catalog = load_catalog()
    ocata = catalog.release("ocata")
    for release in (each for each in catalog.releases if each >= ocata):
        (lock,) = locks_of(release)
        lacking = [name for name in release.services if lock.version(name) is None]
        assert lacking == LACKING.get(release.codename, []), release.codename


def test_releases_before_2024_2_have_no_sqlalchemy_2() -> None:
    """Their code cannot be loaded with it, whatever their requirements allow."""
    for lock in map(read_lock, FILES):
        major = int(lock.pins["sqlalchemy"].split(".")[0])
        assert major < 2 or lock.release >= "2024.2", lock.path.name


def test_builders_are_the_whole_blocks_of_builders_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text(
        "# release: 2022.2\n# python: 3.11\n"
        "pbr==5 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
        "pbr-extra==1 \\\n    --hash=sha256:cc\nzope.interface==2 \\\n    --hash=sha256:dd\n"
    )
    lock = read_lock(path)
    assert lock.builders == "pbr==5 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
    assert lock.pins == {"pbr": "5", "pbr-extra": "1", "zope-interface": "2"}
    assert (lock.release, lock.python) == ("2022.2", "3.11")


def test_a_lock_that_does_not_say_what_it_is_for_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("pbr==5\n")
    with pytest.raises(ToolchainError, match="what it is for"):
        read_lock(path)


def test_a_release_without_a_lock_is_told() -> None:
    newton = load_catalog().release("newton")
    assert not has_lock(newton)
    with pytest.raises(InputError, match="no toolchain of Newton"):
        locks_of(newton)


def test_names_are_compared_as_the_index_does() -> None:
    assert canonical("Oslo.DB") == canonical("oslo_db") == "oslo-db"
