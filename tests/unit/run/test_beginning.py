"""What resume and rollback need beside the journal stays, also where the disk is full."""

import resource
from pathlib import Path

import pytest

from skipstone.run.beginning import create
from skipstone.run.directory import Origin, RunDirectory
from tests.unit.run.toy import plan_of, toy

FIRST = Origin("inventory.yaml", measure=True)
PLAN = plan_of([toy("a")])


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    """A run's directory as its first sitting has left it."""
    found = RunDirectory(tmp_path / "toyplan-1")
    create(found, PLAN, FIRST)
    return found


def test_a_full_disk_leaves_what_the_run_was_begun_with(directory: RunDirectory) -> None:
    longer = Origin("x" * 100_000, measure=False)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))  # room for the plan
    try:
        with pytest.raises(OSError, match="File too large"):
            create(directory, PLAN, longer)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert directory.origin() == FIRST
    create(directory, PLAN, longer)
    assert directory.origin() == longer


def test_a_sitting_like_the_one_before_does_not_write_it(directory: RunDirectory) -> None:
    before = directory.record.stat()
    create(directory, PLAN, FIRST)
    after = directory.record.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_what_an_earlier_version_has_lost_is_written_again(directory: RunDirectory) -> None:
    directory.record.write_text("")
    create(directory, PLAN, FIRST)
    assert directory.origin() == FIRST
