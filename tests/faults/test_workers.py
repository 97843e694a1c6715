"""Workers on a real PostgreSQL and a real sshd: one is killed, and the run ends as if nothing had been."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from skipstone.cloud.command import Command, Outcome, Result
from skipstone.cloud.transport import open_transport
from skipstone.errors import InputError
from skipstone.plan.plan import Plan
from skipstone.run import sharedlock, workers
from skipstone.run.dbosengine import APPLICATION_VERSION
from skipstone.run.engine import open_engine
from skipstone.run.lock import Lease
from skipstone.run.question import Patience
from skipstone.run.runview import RunView
from skipstone.run.state import RunState
from tests.faults.postgresql import SERVERS, PostgreSQL
from tests.unit.cloud.sshd import Sshd
from tests.unit.run.toy import Rig, plan_of, toy

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

PATIENCE = Patience(silence=60, pause=0.1, longest_pause=0.3, watch=2, first_watch=1, grace=5)
CLOUD = "toycloud"


@pytest.fixture(scope="module")
def database(postgresql: PostgreSQL) -> str:
    return postgresql.url


@contextmanager
def worker(
    base: Path, database: str, sshd: Sshd, name: str, cloud: str = CLOUD
) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker process; what it says goes to a file of its name."""
    inventory = base / "inventory.yaml"
    host = {"address": "127.0.0.1", "port": sshd.port, "user": "root", "key_file": str(sshd.key)}
    facts = {"name": cloud, "ssh_config": str(sshd.config), "hosts": {"h1": host | {"groups": ["control"]}}}
    inventory.write_text(yaml.safe_dump(facts))
    program = Path(sys.executable).with_name("skipstone")
    with (base / name).open("wb") as log:
        process = subprocess.Popen(
            [program, "worker", "-i", inventory, "--name", name],
            env={**os.environ, "SKIPSTONE_DATABASE_URL": database},
            stderr=log,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for_workers(database: str, *names: str, cloud: str = CLOUD) -> None:
    registry, deadline = workers.Registry(database), time.monotonic() + 60
    while {one.name for one in registry.alive(cloud)} != set(names):
        assert time.monotonic() < deadline, registry.alive(cloud)
        time.sleep(0.2)


def answers(base: Path, name: str) -> int:
    return (base / name).read_text().count("answered")


def plan(base: Path) -> Plan:
    """Eight jobs of three seconds side by side, and one that comes after all of them."""
    log = f'echo "$0" >>{base}/log'
    first = [toy(f"s{number}", script=f"{log}; sleep 3") for number in range(8)]
    return plan_of([*first, toy("last", *(step.id for step in first), script=log)])


async def apply(base: Path, database: str, sshd: Sshd) -> RunView:
    inventory = sshd.inventory()
    async with (
        open_transport(inventory) as own,
        workers.shared(own, database, CLOUD, APPLICATION_VERSION) as transport,
    ):
        rig = Rig(base, transport, engine=lambda run: open_engine(database, run.run), patience=PATIENCE)
        return await rig.apply(plan(base))


def test_one_of_two_workers_is_killed(tmp_path: Path, database: str, sshd: Sshd) -> None:
    with worker(tmp_path, database, sshd, "w1") as killed, worker(tmp_path, database, sshd, "w2") as other:
        wait_for_workers(database, "w1", "w2")

        async def kill_one() -> None:
            while answers(tmp_path, "w1") < 2:  # noqa: ASYNC110 - another process's answers
                await asyncio.sleep(0.05)
            killed.send_signal(signal.SIGKILL)

        async def both() -> RunView:
            view, _ = await asyncio.gather(apply(tmp_path, database, sshd), kill_one())
            return view

        assert asyncio.run(both()).state is RunState.DONE
        assert answers(tmp_path, "w2") > 2
        other.terminate()
        assert other.wait(60) == 0
    jobs = Counter(Path(line).parent.name for line in (tmp_path / "log").read_text().splitlines())
    assert jobs == {f"s{number}.1": 1 for number in range(8)} | {"last.1": 1}


def test_without_workers_the_run_asks_by_itself(tmp_path: Path, database: str, sshd: Sshd) -> None:
    workers.Registry(database).forget("w1")  # it was killed, so it could not say so
    assert asyncio.run(apply(tmp_path, database, sshd)).state is RunState.DONE


def test_a_worker_of_another_cloud_is_left_alone(tmp_path: Path, database: str, sshd: Sshd) -> None:
    with worker(tmp_path, database, sshd, "w4", cloud="othercloud"):
        wait_for_workers(database, "w4", cloud="othercloud")
        assert asyncio.run(apply(tmp_path, database, sshd)).state is RunState.DONE
        assert answers(tmp_path, "w4") == 0


def test_a_question_that_nobody_waits_for_is_never_asked(tmp_path: Path, database: str, sshd: Sshd) -> None:
    with worker(tmp_path, database, sshd, "w0"):  # its engine makes the tables of a new database
        wait_for_workers(database, "w0")
    workers.Registry(database).forget("w0")
    workers.Registry(database).note("gone", CLOUD)

    async def give_up() -> None:
        async with (
            open_transport(sshd.inventory()) as own,
            workers.shared(own, database, CLOUD, APPLICATION_VERSION) as transport,
        ):
            question = Command("h1", f"touch {tmp_path}/asked")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(transport.run(question, deadline=30), 1)

    asyncio.run(give_up())
    workers.Registry(database).forget("gone")
    with worker(tmp_path, database, sshd, "w5"):
        wait_for_workers(database, "w5")
        time.sleep(3)
    assert not (tmp_path / "asked").exists()


def test_a_worker_of_another_version_is_refused(
    tmp_path: Path, database: str, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    with worker(tmp_path, database, sshd, "w3"):
        wait_for_workers(database, "w3")
        monkeypatch.setattr(workers, "__version__", "9.9")
        with pytest.raises(InputError, match="another version") as caught:
            asyncio.run(apply(tmp_path, database, sshd))
    assert re.search(r"w3: \d", caught.value.evidence)
    assert not (tmp_path / "log").exists()


def test_what_passes_through_the_database_is_sealed(database: str, sshd: Sshd) -> None:
    workers.Registry(database).note("gone", CLOUD)

    async def look() -> str:
        async with (
            open_transport(sshd.inventory()) as own,
            workers.shared(own, database, CLOUD, APPLICATION_VERSION) as transport,
        ):
            asking = asyncio.create_task(transport.run(Command("h1", "echo hunter2"), deadline=30))
            await asyncio.sleep(2)
            dump = await asyncio.create_subprocess_exec(
                SERVERS[-1].with_name("pg_dump"), "-d", database, stdout=subprocess.PIPE
            )
            text, _ = await dump.communicate()
            asking.cancel()
            return text.decode()

    dumped = asyncio.run(look())
    workers.Registry(database).forget("gone")
    assert workers.WORKFLOW in dumped
    assert "hunter2" not in dumped


def test_a_worker_of_another_version_that_comes_later_gets_nothing_to_do(
    tmp_path: Path, database: str, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    with worker(tmp_path, database, sshd, "w7"):  # its engine makes the tables of a new database
        wait_for_workers(database, "w7")
    workers.Registry(database).forget("w7")
    for module in (workers, sharedlock):
        monkeypatch.setattr(module, "__version__", "9.9")
    workers.Registry(database).note("own", CLOUD)

    async def ask() -> Outcome:
        async with (
            open_transport(sshd.inventory()) as own,
            workers.shared(own, database, CLOUD, APPLICATION_VERSION) as transport,
        ):
            with worker(tmp_path, database, sshd, "w8"):
                deadline = time.monotonic() + 60
                while "gets nothing to do" not in (tmp_path / "w8").read_text():
                    assert time.monotonic() < deadline
                    await asyncio.sleep(0.1)
                monkeypatch.setattr(workers, "PATIENCE", 3)
                return await transport.run(Command("h1", f"touch {tmp_path}/asked"), deadline=1)

    lease = Lease(CLOUD, "toyplan-1", 1, "me", "here", 1, "now")
    with sharedlock.hold_for_all_machines(database, lease):
        outcome = asyncio.run(ask())
    workers.Registry(database).forget("own")
    assert (outcome.result, outcome.stderr) == (Result.UNKNOWN, "no worker has answered in time")
    assert not (tmp_path / "asked").exists()
    assert "Skipstone 9.9" in (tmp_path / "w8").read_text()


@pytest.mark.long
def test_a_worker_with_another_password_is_found_out(tmp_path: Path, database: str, sshd: Sshd) -> None:
    with worker(tmp_path, database.replace("correct-horse", "battery-staple"), sshd, "w6"):
        wait_for_workers(database, "w6")
        with pytest.raises(InputError, match="cannot be read"):
            asyncio.run(apply(tmp_path, database, sshd))
    assert not (tmp_path / "log").exists()
