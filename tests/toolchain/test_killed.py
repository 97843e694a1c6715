"""A migration that is killed at random never reaches the result: the step starts again from the dump."""

import hashlib
import os
import random
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from skipstone.catalog import load_catalog
from skipstone.cloud.command import Command
from skipstone.rehearsal.server import PrivateServer
from skipstone.steps.backup import DumpStoppedDatabases
from skipstone.steps.database import SyncDatabase
from tests.toolchain.ward import Ward, toolchain

pytestmark = [pytest.mark.real, pytest.mark.network, pytest.mark.timeout(3600)]

TIMES = 4
OWN = re.compile(rb"'[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'|'20\d\d-\d\d-\d\d [\d:]{8}'")
TARGET = load_catalog().release("2025.1")
FILL = """
SET foreign_key_checks = 0;
INSERT INTO standardattributes (resource_type, created_at) SELECT 'networks', '2024-01-01' FROM seq_1_to_2000;
INSERT INTO networks (id, project_id, name, standard_attr_id, mtu)
    SELECT CONCAT('n', id), CONCAT('p', id % 50), CONCAT('net-', id), id, 1500 FROM standardattributes;
"""


class Rig:
    """The steps of one service, run as on its host: by shell, with the clients' defaults."""

    def __init__(self, ward: Ward, directory: Path) -> None:
        self.ward = ward
        (ward.home / ".my.cnf").write_text(f"[client]\nsocket = {ward.server.socket}\nuser = root\n")
        self._environment = {**os.environ, "HOME": str(ward.home)}
        common = {"title": "t", "host": "db", "deadline": 600, "estimate": 1}
        self.dump = DumpStoppedDatabases(id="d", **common, directory=str(directory), databases=(ward.name,))
        programs = [toolchain("2025.1").command(ward.service.name, line) for line in ward.lines("2025.1")]
        self.sync = SyncDatabase(
            id="s",
            **common,
            service=ward.service.name,
            user="root",
            commands=tuple(
                shlex.join(["env", *(f"{key}={value}" for key, value in one.environment.items()), *one.argv])
                for one in programs
            ),
            databases=(ward.name,),
            heads={ward.name: TARGET.services[ward.service.name].schema_.heads[ward.name]},
            database_host="db",
            dumps=str(directory),
        )

    def run(self, command: Command | None) -> subprocess.CompletedProcess[str]:
        assert command
        return subprocess.run(
            ["sh", "-s"],
            input=command.script,
            env=self._environment,
            text=True,
            capture_output=True,
            check=False,
        )

    def killed(self, command: Command, after: float) -> bool:
        """Run a command and kill all of it some time after the schema has begun to move.

        Say whether it was at work. Python's own start, which takes most of the time, is not counted.
        """
        before = self.ward.heads()
        with subprocess.Popen(
            ["sh", "-s"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self._environment,
            text=True,
            start_new_session=True,
        ) as process:
            assert process.stdin
            process.stdin.write(command.script)
            process.stdin.close()
            while process.poll() is None and self.ward.heads() == before:
                time.sleep(0.005)
            time.sleep(after)
            at_work = process.poll() is None
            if at_work:
                os.killpg(process.pid, signal.SIGKILL)
        return at_work

    def content(self) -> str:
        """Return a digest of the whole database, schema and rows, in the order of what does not change.

        Migrations make UUIDs and times of their own: 2023.2's rules of default security groups.
        """
        argv = ("mariadb-dump", *self.ward.server.client()[1:], "--skip-extended-insert", "--skip-comments")
        done = subprocess.run((*argv, self.ward.name), check=True, capture_output=True)
        lines = sorted(OWN.sub(b"own", done.stdout).splitlines())
        return hashlib.sha256(b"\n".join(lines)).hexdigest()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with PrivateServer() as server:
        ward = Ward(server, "neutron")
        assert ward.sync("zed").returncode == 0
        ward.query(FILL)
        yield Rig(ward, tmp_path / "dumps")


@pytest.mark.skipif(os.geteuid() != 0, reason="steps change user: needs root")
def test_a_killed_migration_begins_again_from_the_dump(rig: Rig) -> None:
    assert rig.run(rig.dump.apply()).returncode == 0
    done = rig.run(rig.sync.apply())
    assert done.returncode == 0, done.stderr
    undisturbed = rig.content()

    chance = random.Random(5)  # noqa: S311 - where it is killed need not be secret
    half_way = 0
    for attempt in range(TIMES):
        assert rig.run(rig.sync.reset()).returncode == 0
        # the first as soon as anything has changed
        at_work = rig.killed(rig.sync.apply(), attempt * chance.uniform(0, 0.3))
        finished = rig.run(rig.sync.is_done()).returncode == 0
        half_way += at_work and not finished
        assert rig.run(rig.sync.reset()).returncode == 0
        done = rig.run(rig.sync.apply())
        assert done.returncode == 0, done.stderr
        assert rig.run(rig.sync.verify()).returncode == 0
        assert rig.content() == undisturbed
    assert half_way, "none was killed in the middle"
