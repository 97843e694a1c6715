"""The disk of the operator's machine is full: nothing more is done, and with room again the run goes on."""

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from skipstone.run.journal import read_events, read_view
from skipstone.run.state import Kind, RunState
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
    """Fill the disk, go on, and see that it is said; then make room again."""
    full = base / "state" / "full"
    subprocess.run(["dd", "if=/dev/zero", f"of={full}", "bs=4k"], capture_output=True, check=False)
    assert apply(base) == 4
    said = " ".join((base / "out").read_text().split())
    assert "nothing more is done to the cloud" in said
    assert "make room" in said
    assert "fault of Skipstone" not in said
    full.unlink()
    assert set(ran(base)) <= intended(base), "what has run and is not in the journal"


def ran(base: Path) -> Counter[str]:
    """Return how often each job has run, by its name; one that was submitted before a kill runs after it."""
    log = base / "log"
    lines = log.read_text().splitlines() if log.exists() else ()
    return Counter(Path(line).parent.name for line in lines)


def intended(base: Path) -> set[str]:
    """Return the jobs that the journal says were to be run."""
    journal = base / "state/runs/toyplan-1/journal.db"
    events = read_events(journal) if journal.exists() else []
    return {f"{event.step}.{event.attempt}" for event in events if event.kind is Kind.INTENT}


def test_a_full_disk_stops_the_run_and_loses_nothing(small: Path) -> None:
    prepare(small, toy_plan(small))
    expect_stopped(small)
    assert apply(small, "after-outcome@plain:kill") == -signal.SIGKILL
    expect_stopped(small)
    for _ in range(3):
        if apply(small) == 0:
            break
    assert read_view(small / "state/runs/toyplan-1/journal.db").state is RunState.DONE
    assert set(ran(small).values()) == {1}
