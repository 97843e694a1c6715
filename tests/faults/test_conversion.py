"""kill -9 around the deployment of converted files and its undoing: all new in the end, or all as it was."""

import signal
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from skipstone.cloud.command import OPERATOR
from skipstone.plan.plan import Plan
from skipstone.run.journal import read_view
from skipstone.run.state import Kind, RunState
from skipstone.steps.conversion import (
    CheckConversion,
    ConvertConfiguration,
    ConvertedFile,
    DeployConfiguration,
    Do,
    Part,
)
from tests.faults.toyrun import apply, prepare, rollback
from tests.unit.run.toy import plan_of

BEFORE = "# ours\n[DEFAULT]\nold = 1\npassword = not-a-real-one\n"
AFTER = BEFORE.replace("old", "new")
PARTS = (
    Part(do=Do.KEEP, first=1, last=2),
    Part(do=Do.CHANGE, first=3, last=3, old="old", new="new", text="old = 1\n"),
    Part(do=Do.KEEP, first=4, last=4),
)
COMMON = {"title": "t", "host": OPERATOR, "deadline": 20, "estimate": 1}
KINDS = (Kind.INTENT, Kind.SUBMITTED, Kind.OUTCOME)


def files_of(base: Path) -> list[Path]:
    return [base / "etc" / name for name in ("nova.conf", "neutron.conf", "glance.conf")]


def plan_for(base: Path) -> Plan:
    digest, paths = sha256(BEFORE.encode()).hexdigest(), files_of(base)
    converted = tuple(
        ConvertedFile(path=str(path), sha256=digest, parts=PARTS, masked=((4, 4),)) for path in paths
    )
    directory = str(base / "skipstone/conversion")
    return plan_of(
        [ConvertConfiguration(id="convert", directory=directory, files=converted, **COMMON)],
        [CheckConversion(id="check", directory=directory, **COMMON)],
        [DeployConfiguration(id="deploy", directory=directory, paths=tuple(map(str, paths)), **COMMON)],
    )


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Path]:
    """Give a machine's files, none of which tells its secret to the journal in the end."""
    (tmp_path / "etc").mkdir()
    for path in files_of(tmp_path):
        path.write_text(BEFORE)
        path.chmod(0o640)
    prepare(tmp_path, plan_for(tmp_path))
    yield tmp_path
    for path in (tmp_path / "state").rglob("*"):
        assert not path.is_file() or b"not-a-real-one" not in path.read_bytes()


def texts(base: Path) -> set[str]:
    assert {path.stat().st_mode & 0o777 for path in files_of(base)} == {0o640}
    assert set(files_of(base)) == set((base / "etc").iterdir()), "nothing is left beside them"
    return {path.read_text() for path in files_of(base)}


def ended(base: Path, state: RunState) -> bool:
    journal = base / "state" / "runs" / "toyplan-1" / "journal.db"
    return journal.exists() and read_view(journal).state is state


@pytest.mark.parametrize("side", ["before", pytest.param("after", marks=pytest.mark.long)])
@pytest.mark.parametrize("step", ["convert", "deploy"])
@pytest.mark.parametrize("kind", KINDS)
def test_killed_on_the_way_there_and_on_the_way_back(base: Path, kind: Kind, step: str, side: str) -> None:
    assert apply(base, f"{side}-{kind}@{step}:kill") == -signal.SIGKILL, (base / "out").read_text()
    while not ended(base, RunState.DONE):
        assert apply(base) == 0, (base / "out").read_text()
    assert texts(base) == {AFTER}
    assert rollback(base, f"{side}-{kind}@undo.{step}:kill") == -signal.SIGKILL, (base / "out").read_text()
    while not ended(base, RunState.ROLLED_BACK):
        assert rollback(base) == 0, (base / "out").read_text()
    assert texts(base) == {BEFORE}
    assert not (base / "skipstone/conversion").exists()


def test_a_file_that_was_edited_meanwhile_stops_the_run_before_anything_changes(base: Path) -> None:
    assert apply(base, "", "--until", "stage1") == 0, (base / "out").read_text()
    files_of(base)[1].write_text("[DEFAULT]\n")
    assert apply(base) == 4
    said = (base / "out").read_text()
    assert f"changed since the plan was made: {files_of(base)[1]}" in " ".join(said.split())
    assert files_of(base)[0].read_text() == BEFORE
    files_of(base)[1].write_text(BEFORE)
    assert apply(base) == 0
    assert texts(base) == {AFTER}
