"""The disk of the operator's machine is full: nothing more is done, and with room again the run goes on."""

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from skipstone.run.journal import read_view
from skipstone.run.state import RunState
from tests.faults.toyrun import apply, prepare, toy_plan


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A directory whose state lies on a disk of two megabytes."""
    if os.getuid() != 0:
        pytest.skip("needs root, to mount")
    state = tmp_path / "state"
    state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", state], check=True)
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", "-l", state], check=True)


def expect_stopped(base: Path) -> None:
    """Fill the disk, go on, and see that it is said and nothing is run; then make room again."""
    full, ran = base / "state" / "full", base / "log"
    before = ran.read_text() if ran.exists() else ""
    subprocess.run(["dd", "if=/dev/zero", f"of={full}", "bs=4k"], capture_output=True, check=False)
    assert apply(base) == 4
    said = " ".join((base / "out").read_text().split())
    assert "nothing more is done to the cloud" in said
    assert "make room" in said
    assert "fault of Skipstone" not in said
    assert (ran.read_text() if ran.exists() else "") == before
    full.unlink()


def test_a_full_disk_stops_the_run_and_loses_nothing(small: Path) -> None:
    prepare(small, toy_plan(small))
    expect_stopped(small)
    assert apply(small, "after-outcome@plain:kill") == -signal.SIGKILL
    expect_stopped(small)
    for _ in range(3):
        if apply(small) == 0:
            break
    assert read_view(small / "state/runs/toyplan-1/journal.db").state is RunState.DONE
    jobs = Counter(Path(line).parent.name for line in (small / "log").read_text().splitlines())
    assert set(jobs.values()) == {1}
