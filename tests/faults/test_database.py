"""The engine's PostgreSQL stops, freezes and comes back: nothing is lost, nothing waits for it for ever."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from skipstone.run.journal import read_events, read_view
from skipstone.run.runview import RunView
from skipstone.run.state import Kind, RunState
from tests.faults.postgresql import PostgreSQL
from tests.faults.test_rollback import plan_for
from tests.faults.test_workers import answers, wait_for_workers, worker
from tests.faults.test_workers import apply as shared_apply
from tests.faults.toyrun import DATABASE, apply, end, here, prepare, rollback, start
from tests.unit.cloud.sshd import Sshd
from tests.unit.run.toy import plan_of

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

SECONDS = 30
"""In which a process ends whose database is away."""
LOST = "the lock that keeps other machines away is lost"


@pytest.fixture
def server(postgresql: PostgreSQL) -> Iterator[PostgreSQL]:
    """A PostgreSQL that a test may stop and freeze, and which runs again after it."""
    yield postgresql
    postgresql.thaw()
    if not postgresql.running:
        postgresql.start()


def journal_of(base: Path) -> Path:
    return base / "state" / "runs" / "toyplan-1" / "journal.db"


def view_of(base: Path) -> RunView:
    return read_view(journal_of(base))


def jobs_run(base: Path) -> Counter[str]:
    return Counter(Path(line).parent.name for line in (base / "log").read_text().splitlines())


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 90
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def said(base: Path, text: str) -> bool:
    return text in (base / "out").read_text()


@pytest.fixture
def held(tmp_path: Path, server: PostgreSQL) -> Path:
    """A plan whose first step runs until there is a file ``go``, and has a stage after it."""
    wait = f"touch {tmp_path}/begun; while [ ! -e {tmp_path}/go ]; do sleep 0.1; done"
    slow = here("slow", script=f'echo "$0" >>{tmp_path}/log; {wait}').model_copy(update={"deadline": 200})
    prepare(tmp_path, plan_of([slow], [here("next", script=f'echo "$0" >>{tmp_path}/log')]))
    (tmp_path / DATABASE).write_text(server.url)
    return tmp_path


def test_away_at_the_start_nothing_is_begun(held: Path, server: PostgreSQL) -> None:
    server.stop()
    assert apply(held) == 2
    place = f"postgresql://127.0.0.1:{server.port}/postgres: the engine's database cannot be used"
    assert said(held, place), (held / "out").read_text()
    assert said(held, "Connection refused")
    assert not said(held, "correct-horse")
    assert not journal_of(held).exists()
    server.start()
    (held / "go").touch()
    assert apply(held) == 0


def test_away_at_the_start_of_a_rollback_the_run_stays_as_it_was(tmp_path: Path, server: PostgreSQL) -> None:
    prepare(tmp_path, plan_for(tmp_path))
    (tmp_path / DATABASE).write_text(server.url)
    assert apply(tmp_path) == 0
    server.stop()
    assert rollback(tmp_path) == 2
    assert said(tmp_path, "cannot be used; nothing was begun")
    assert [event.kind for event in read_events(journal_of(tmp_path))][-1] is Kind.RUN_DONE
    server.start()
    assert rollback(tmp_path) == 0
    assert view_of(tmp_path).state is RunState.ROLLED_BACK
    assert set(Counter((tmp_path / "undone").read_text().splitlines()).values()) == {1}


def test_lost_while_a_step_runs_the_run_pauses_after_it_and_goes_on(held: Path, server: PostgreSQL) -> None:
    process = start(held)
    wait_until((held / "begun").exists)
    server.stop()
    wait_until(lambda: said(held, LOST))
    (held / "go").touch()
    assert end(process, seconds=SECONDS) == 4
    assert view_of(held).state is RunState.STOPPED
    assert jobs_run(held) == Counter(["slow.1"])
    assert said(held, f"{LOST} with postgresql://127.0.0.1:{server.port}/postgres")
    assert said(held, "skipstone resume goes on")
    assert not said(held, "correct-horse")
    assert apply(held) == 2, "it is still away"
    server.start()
    assert apply(held) == 0
    assert jobs_run(held) == Counter(["slow.1", "next.1"])


@pytest.mark.parametrize("fault", ["stop", "freeze"])
def test_lost_in_the_last_stage_what_is_verified_is_done(held: Path, server: PostgreSQL, fault: str) -> None:
    process = start(held, "", "--until", "stage1")
    wait_until((held / "begun").exists)
    getattr(server, fault)()
    (held / "go").touch()
    assert end(process, seconds=SECONDS) == 0
    assert view_of(held).state is RunState.STOPPED
    assert said(held, "stage stage1 is done") or said(held, LOST)


def test_while_it_is_frozen_ctrl_c_ends_the_process(held: Path, server: PostgreSQL) -> None:
    process = start(held)
    wait_until((held / "begun").exists)
    server.freeze()
    wait_until(lambda: said(held, f"{LOST} with"))
    assert said(held, "no answer for")
    for _ in range(2):
        os.kill(process.pid, signal.SIGINT)
        time.sleep(0.3)
    assert end(process, seconds=SECONDS) == 4
    assert said(held, "slow on operator")
    server.thaw()
    (held / "go").touch()
    assert apply(held) == 0
    assert jobs_run(held) == Counter(["slow.1", "next.1"])


def test_another_machine_is_told_who_holds_the_cloud(held: Path, server: PostgreSQL) -> None:
    other = held / "other"
    prepare(other, plan_of([here("intruder", script=f'echo "$0" >>{held}/log')], name="another"))
    (other / DATABASE).write_text(server.url)
    process = start(held)
    wait_until((held / "begun").exists)
    assert apply(other) == 2
    assert said(other, f"process {process.pid}: the cloud toycloud is held by run toyplan-1, from another"), (
        other / "out"
    ).read_text()
    assert not list((other / "state" / "runs").glob("*"))
    process.kill()
    assert end(process) == -signal.SIGKILL
    assert apply(other) == 0, "the lock has ended with its holder"
    (held / "go").touch()
    assert apply(held) == 0
    assert jobs_run(held) == Counter(["slow.1", "intruder.1", "next.1"])


def test_lost_with_its_workers_the_run_asks_the_hosts_itself(
    tmp_path: Path, server: PostgreSQL, sshd: Sshd
) -> None:
    async def stop() -> None:
        while not answers(tmp_path, "w1"):  # noqa: ASYNC110 - another process's answers
            await asyncio.sleep(0.05)
        await asyncio.to_thread(server.stop)

    async def both() -> RunView:
        view, _ = await asyncio.gather(shared_apply(tmp_path, server.url, sshd), stop())
        return view

    with worker(tmp_path, server.url, sshd, "w1"):
        wait_for_workers(server.url, "w1")
        assert asyncio.run(both()).state is RunState.DONE
    assert jobs_run(tmp_path) == {f"s{number}.1": 1 for number in range(8)} | {"last.1": 1}


def test_a_worker_waits_for_it_and_can_be_ended_meanwhile(
    tmp_path: Path, server: PostgreSQL, sshd: Sshd
) -> None:
    def tells(text: str) -> bool:
        return text in (tmp_path / "w1").read_text()

    with worker(tmp_path, server.url, sshd, "w1") as process:
        wait_until(lambda: tells("Ctrl-C ends it"))
        time.sleep(5)
        server.stop()
        wait_until(lambda: tells("waiting for it"))
        server.start()
        wait_until(lambda: tells("the database answers again"))
        assert process.poll() is None
        server.freeze()
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0
    assert not tells("correct-horse")


def test_a_worker_does_not_begin_without_it(tmp_path: Path, server: PostgreSQL, sshd: Sshd) -> None:
    server.stop()
    with worker(tmp_path, server.url, sshd, "w1") as process:
        assert process.wait(SECONDS) == 2
    text = (tmp_path / "w1").read_text()
    assert f"postgresql://127.0.0.1:{server.port}/postgres: the engine's database cannot be used" in text
    assert "correct-horse" not in text
