"""A rehearsal that is stopped while releases' commands run: nothing of it goes on, and nothing is left."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
PROGRAM = """
import signal, sys
from pathlib import Path
from skipstone.rehearsal.rehearsal import Wish, rehearse
from tests.database.test_rehearsal_stops import CATALOG, Pretended
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job has it ignored
wish = Wish(Path(sys.argv[1]), CATALOG.release("2025.1"), directory=Path(sys.argv[2]))
rehearse(CATALOG, wish, lambda release: Pretended(release, "echo $$ > pid; exec sleep 3000"))
"""
DUMP = """
CREATE TABLE `stack` (id int) DEFAULT CHARSET=utf8mb3;
CREATE TABLE `raw_template` (id int);
CREATE TABLE `migrate_version` (repository_id varchar(9), version int);
INSERT INTO `migrate_version` VALUES ('heat', 86);
"""


def test_ctrl_c_ends_the_commands_and_the_server(tmp_path: Path) -> None:
    dumps, place = tmp_path / "dumps", tmp_path / "place"
    dumps.mkdir()
    place.mkdir()
    (dumps / "heat.sql").write_text(DUMP)
    command = [sys.executable, "-c", PROGRAM, str(dumps), str(place)]
    said = tmp_path / "said"
    with said.open("w") as errors, subprocess.Popen(command, cwd=ROOT, stderr=errors) as process:
        until(
            lambda: process.poll() is not None or any(map(Path.read_text, place.glob("*/services/heat/pid")))
        )
        assert process.poll() is None, said.read_text()
        (file,) = place.glob("*/services/heat/pid")
        pids = [int(file.read_text()), int(next(place.glob("*/pid")).read_text())]
        assert all(map(alive, pids))
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
    assert process.returncode
    assert not any(map(alive, pids))
    assert list(place.iterdir()) == []


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
