"""Directories that are kept and change places, on this machine's own file systems."""

import os
from pathlib import Path

import pytest

from skipstone.steps.scripts import places
from skipstone.steps.scripts.places import Places

PATHS = ["usr", "var/lib/dpkg", "var/lib/mysql", "var/lib/gone", "var/lib/new"]


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def read(root: Path) -> dict[str, str]:
    """Return the files below a root, without what is kept."""
    return {
        str(path.relative_to(root)): path.read_text()
        for path in sorted(root.rglob("*"))
        if path.is_file() and places.KEPT not in path.parts and "lost+found" not in path.parts
    }


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a system with ``var`` and the database's directory as mount points."""
    mounts = {tmp_path / "var", tmp_path / "var/lib/mysql"}
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) in mounts)
    write(
        tmp_path,
        {
            "usr/bin/true": "old",
            "usr/bin/only-old": "old",
            "var/lib/dpkg/status": "old",
            "var/lib/mysql/ibdata1": "old",
            "var/lib/mysql/lost+found/x": "never touched",
            "var/lib/gone/file": "old",
            "home/user": "nobody's business",
        },
    )
    (tmp_path / "usr/bin/link").symlink_to("true")
    return tmp_path


def upgrade(root: Path) -> None:
    """Do to the system what an upgrade may do."""
    write(root, {"usr/bin/true": "new", "usr/bin/only-new": "new", "var/lib/dpkg/status": "new"})
    write(root, {"var/lib/mysql/ibdata1": "new", "var/lib/mysql/undo001": "new", "var/lib/new/file": "new"})
    (root / "usr/bin/only-old").unlink()
    (root / "var/lib/gone/file").unlink()
    (root / "var/lib/gone").rmdir()


def bring_back(root: Path) -> None:
    tree = root / places.KEPT / "p"
    Places(root, PATHS).stage(str(tree))
    Places(root, PATHS).exchange("")
    Places(root, PATHS).drop("restore")


def test_a_system_comes_back_as_it_was_from_every_file_system(root: Path) -> None:
    before = read(root)
    Places(root, PATHS).keep("p")
    upgrade(root)
    assert read(root) != before
    bring_back(root)
    assert read(root) == before
    assert (root / "usr/bin/link").readlink() == Path("true")


def test_what_is_kept_lies_on_the_file_system_it_is_of(root: Path) -> None:
    Places(root, PATHS).keep("p")
    assert (root / ".skipstone/p/usr/bin/true").read_text() == "old"
    assert (root / "var/.skipstone/p/var/lib/dpkg/status").read_text() == "old"
    assert (root / "var/lib/mysql/.skipstone/p/var/lib/mysql/ibdata1").read_text() == "old"
    assert not (root / "var/lib/mysql/.skipstone/p/var/lib/mysql/lost+found").exists()
    # and all of it can be read in one tree
    assert (root / ".skipstone/p/var/lib/mysql/ibdata1").read_text() == "old"
    assert all(kept.stat().st_mode & 0o777 == 0o700 for kept in root.rglob(".skipstone"))


def test_it_can_be_brought_back_again_after_being_cut_off(root: Path) -> None:
    before = read(root)
    Places(root, PATHS).keep("p")
    upgrade(root)
    Places(root, PATHS).stage(str(root / ".skipstone/p"))
    Places(root, PATHS[:2]).exchange("")  # and no further
    bring_back(root)
    assert read(root) == before


def test_what_lives_on_is_put_into_the_copy(root: Path) -> None:
    Places(root, PATHS).keep("p")
    upgrade(root)
    Places(root, PATHS).stage(str(root / ".skipstone/p"))
    Places(root, ["usr/bin/only-new", "usr/bin/true"]).follow("")
    Places(root, PATHS).exchange("")
    assert (root / "usr/bin/true").read_text() == "new"
    assert (root / "usr/bin/only-new").read_text() == "new"
    assert (root / "usr/bin/only-old").read_text() == "old"


def test_keeping_again_replaces_what_was_kept(root: Path) -> None:
    Places(root, PATHS).keep("p")
    upgrade(root)
    now = read(root)
    Places(root, PATHS).keep("p")
    write(root, {"usr/bin/true": "newer"})
    bring_back(root)
    assert read(root) == now


def test_what_is_dropped_leaves_nothing(root: Path) -> None:
    Places(root, PATHS).keep("p")
    Places(root, PATHS).drop("p")
    assert all(not list(kept.iterdir()) for kept in root.rglob(".skipstone"))


def test_a_place_that_cannot_be_changed_is_an_error(root: Path) -> None:
    with pytest.raises(OSError, match="cannot change places"):
        places.change_places(Path("/proc/version"), root / "usr")
