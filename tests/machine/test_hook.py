"""A real machine of QEMU is kept by a hook, ruined, and brought back whole: resumed, and booted."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from skipstone.run.journal import read_view
from skipstone.run.state import RunState
from skipstone.steps.machine import LeaveMachineSnapshot, SettleMachine, TakeMachineSnapshot
from skipstone.steps.step import Reversibility
from tests.faults.toyrun import end, prepare, start
from tests.machine.disk import Disk
from tests.machine.server import NAME, Server, running_server
from tests.unit.run.toy import plan_of, toy

pytestmark = [pytest.mark.machine, pytest.mark.timeout(7200)]

HOOK = Path(__file__).with_name("hook.py")
DIRECTORY = "/var/lib/skipstone/p/machine"
VERB_SECONDS = 3600
RUIN = "rm -rf /usr/share/doc /etc/apt; echo new > /root/new; sync"
STATE = "find /usr/share/doc /etc/apt /root -type f | sort | sha256sum"


@pytest.fixture
def server(disk: Disk, tmp_path: Path) -> Iterator[Server]:
    socket = ("-qmp", f"unix:{tmp_path / 'qmp'},server=on,wait=off")
    with running_server(disk, tmp_path, *socket) as booted:
        yield booted


def prepared(base: Path) -> Path:
    """Write a plan that keeps the server by the hook and then ruins it; return the journal of its run."""
    hook = base / "hook"
    shutil.copy(HOOK, hook)
    hook.chmod(0o755)
    common = {"title": "t", "directory": DIRECTORY, "deadline": 1800, "estimate": 1}
    hooked = {"hook": str(hook), "machine": NAME, "name": "p"}
    keep = [
        SettleMachine(id="settle", host=NAME, **common),
        TakeMachineSnapshot(id="take", needs=("settle",), **hooked, **common),
        LeaveMachineSnapshot(id="leave", host=NAME, needs=("take",), **common),
    ]
    backup = Reversibility.FROM_BACKUP
    prepare(base, plan_of(keep, [toy("ruin", host=NAME, deadline=600, script=RUIN, reversibility=backup)]))
    (base / "inventory.yaml").write_text(
        f"name: toycloud\nssh_config: ssh_config\nhosts:\n  {NAME}:\n    groups: [control]\n"
        f"    snapshots: hook\n    snapshot_hook: {hook}\n"
    )
    return base / "state" / "runs" / "toyplan-1" / "journal.db"


def carried_out(base: Path, verb: str) -> int:
    return end(start(base, verb=verb), seconds=VERB_SECONDS)


@pytest.mark.parametrize("way", ["resumes", "boots"])
def test_a_machine_comes_back_from_its_hypervisor(tmp_path: Path, server: Server, way: str) -> None:
    journal = prepared(tmp_path)
    if way == "boots":
        (tmp_path / "boots").touch()
    before, boot = server.run(STATE), server.boot_id()
    assert carried_out(tmp_path, "apply") == 0, (tmp_path / "out").read_text()
    assert server.run(STATE) != before
    assert carried_out(tmp_path, "rollback") == 0, (tmp_path / "out").read_text()
    assert server.run(STATE) == before
    assert (server.boot_id() == boot) == (way == "resumes")
    assert read_view(journal).state is RunState.ROLLED_BACK
    assert server.run("systemctl --failed --no-legend") == ""
