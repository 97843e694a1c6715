"""Jobs over a real sshd whose connections, and which itself, are killed meanwhile."""

import asyncio
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from skipstone.cloud.transport import open_transport
from skipstone.plan.plan import Plan
from skipstone.run.journal import read_events
from skipstone.run.question import Patience
from skipstone.run.runview import RunView
from skipstone.run.state import Kind, RunState
from tests.unit.cloud.sshd import PROGRAM, Sshd, wait_for
from tests.unit.run.toy import Rig, plan_of, toy

pytestmark = pytest.mark.real

PATIENCE = Patience(silence=20, pause=0.1, longest_pause=0.3, watch=2, first_watch=1)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """A job that counts to 20 in five seconds, and one that depends on it."""
    script = f'echo "$0" >>{tmp_path}/log\nfor i in $(seq 20); do echo line $i; sleep 0.25; done'
    return plan_of([toy("count", script=script), toy("after", "count", script=f'echo "$0" >>{tmp_path}/log')])


async def apply(base: Path, sshd: Sshd, plan: Plan) -> RunView:
    async with open_transport(sshd.inventory()) as transport:
        return await Rig(base, transport, patience=PATIENCE).apply(plan)


def expect_done_once(base: Path, view: RunView) -> None:
    assert view.state is RunState.DONE
    assert [Path(line).parent.name for line in (base / "log").read_text().splitlines()] == [
        "count.1",
        "after.1",
    ]
    events = read_events(base / "runs/toyplan-1/journal.db", step="count")
    printed = "".join(event.payload["text"] for event in events if event.kind is Kind.OUTPUT)
    assert printed == "".join(f"line {number}\n" for number in range(1, 21))


@contextmanager
def started_again(place: Path, sshd: Sshd) -> Iterator[None]:
    log = place / "sshd.log"
    process = subprocess.Popen([PROGRAM, "-D", "-E", str(log), "-f", str(place / "sshd_config")])
    wait_for(sshd.port, process, log)
    yield
    process.kill()
    process.wait()


async def cut_while(task: "asyncio.Task[RunView]", sshd: Sshd) -> None:
    while not task.done():
        await asyncio.sleep(0.7)
        sshd.signal_sessions(signal.SIGKILL)


def test_connections_cut_again_and_again(tmp_path: Path, sshd: Sshd, plan: Plan) -> None:
    async def disturbed() -> RunView:
        task = asyncio.create_task(apply(tmp_path, sshd, plan))
        await cut_while(task, sshd)
        return task.result()

    expect_done_once(tmp_path, asyncio.run(disturbed()))


def test_sshd_gone_for_a_while(tmp_path: Path, sshd: Sshd, plan: Plan) -> None:
    async def disturbed() -> RunView:
        task = asyncio.create_task(apply(tmp_path, sshd, plan))
        await asyncio.sleep(2)
        sshd.process.send_signal(signal.SIGSTOP)  # so that it is still the parent of what is killed next
        sshd.signal_sessions(signal.SIGKILL)
        sshd.process.kill()
        sshd.process.wait()
        await asyncio.sleep(2)
        with started_again(tmp_path, sshd):
            return await task

    expect_done_once(tmp_path, asyncio.run(disturbed()))
    kinds = [event.kind for event in read_events(tmp_path / "runs/toyplan-1/journal.db", step="count")]
    lost = kinds.index(Kind.NO_ANSWER)
    assert Kind.SUBMITTED in kinds[lost:]  # the host answers again, and has the job
