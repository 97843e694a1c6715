"""The audit's scripts, run with a program in nova-manage's place that says what nova's own says."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from skipstone.cloud.command import Command
from skipstone.steps.allocations import AuditAllocations, NoteAllocations

OLD = "Allocations for consumer UUID 1 on Resource Provider a can be deleted: {}"
NEW = "Allocations for consumer UUID 2 on Resource Provider b can be deleted: {}"


class Nova:
    """A host with nova's audit, which finds what it is told to; runuser runs as whoever we are."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._program("runuser", 'shift 3; exec "$@"')
        self._program("sleep", "exit 0")
        common = {"title": "t", "host": "ctl1", "estimate": 1, "user": "nova"}
        facts = {"command": "nova-manage placement audit --verbose", "directory": str(home / "kept")}
        self.note = NoteAllocations(id="n", deadline=90, **common, **facts)
        self.audit = AuditAllocations(id="a", deadline=61, **common, **facts)

    def _program(self, name: str, text: str) -> None:
        path = self.home / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IEXEC)

    def finds(self, *lines: str, code: int | None = None) -> None:
        said = [*lines, f"Processed {len(lines)} allocations."] if lines else []
        exits = (3 if lines else 0) if code is None else code
        (self.home / "said").write_text("".join(f"{line}\n" for line in said))
        self._program("nova-manage", f"cat {self.home}/said; exit {exits}")

    def run(self, command: Command | None) -> subprocess.CompletedProcess[str]:
        assert command
        environment = {**os.environ, "PATH": f"{self.home}:{os.environ['PATH']}"}
        return subprocess.run(
            ["sh", "-s"], input=command.script, env=environment, text=True, capture_output=True, check=False
        )


@pytest.fixture
def nova(tmp_path: Path) -> Nova:
    return Nova(tmp_path)


@pytest.mark.parametrize("before", [(), (OLD,)])
def test_what_was_there_before_is_not_the_upgrades(nova: Nova, before: tuple[str, ...]) -> None:
    nova.finds(*before)
    assert nova.run(nova.note.apply()).returncode == 0
    done = nova.run(nova.audit.apply())
    assert done.returncode == 0, done.stderr
    assert f"from before: {len(before)}" in done.stdout


def test_what_has_come_is_named(nova: Nova) -> None:
    nova.finds(OLD)
    nova.run(nova.note.apply())
    nova.finds(NEW, OLD)
    done = nova.run(nova.audit.apply())
    assert done.returncode == 1
    assert NEW in done.stderr
    assert OLD not in done.stderr


@pytest.mark.parametrize("step", ["note", "audit"])
def test_an_audit_that_fails_is_no_good_answer(nova: Nova, step: str) -> None:
    nova.finds()
    nova.run(nova.note.apply())
    nova.finds("placement does not answer", code=1)
    done = nova.run(getattr(nova, step).apply())
    assert done.returncode == 1
    assert "placement does not answer" in done.stderr
