"""What is waited for before the services stop, with a program in the database client's place."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from skipstone.steps.workloads import WaitForWorkloads

BUILDING = "instance 1 vm1 on cmp1: building, task spawning"
RESIZED = "instance 2 vm2 on cmp2: resized, task none"
COMMON = {"id": "stop.workloads", "title": "t", "host": "db1", "estimate": 1}


class Databases:
    """A host whose databases find what they are told to, one look after the other; the last one stays."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._program("sleep", "exit 0")
        (home / "asked").touch()

    def _program(self, name: str, text: str) -> None:
        path = self.home / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IEXEC)

    def find(self, *looks: tuple[str, ...], code: int = 0) -> None:
        for number, lines in enumerate(looks, start=1):
            (self.home / f"look{number}").write_text("".join(f"{line}\n" for line in lines))
        self._program(
            "mariadb",
            f'cd {self.home}; echo "$2" >> asked; n=$(grep -c . asked); '
            f"[ -e look$n ] || n={len(looks)}; cat look$n; exit {code}",
        )

    def wait(self, seconds: int = 0, **databases: str) -> subprocess.CompletedProcess[str]:
        step = WaitForWorkloads(deadline=60 + seconds, **COMMON, **databases)
        environment = {**os.environ, "PATH": f"{self.home}:{os.environ['PATH']}"}
        script = step.apply().script
        return subprocess.run(
            ["sh", "-s"], input=script, env=environment, text=True, capture_output=True, check=False
        )


@pytest.fixture
def databases(tmp_path: Path) -> Databases:
    return Databases(tmp_path)


def test_it_goes_on_at_once_where_nothing_is_halfway(databases: Databases) -> None:
    databases.find(())
    done = databases.wait(instances="nova_cell1", volumes="cinder", stacks="heat")
    assert done.returncode == 0, done.stderr
    asked = (databases.home / "asked").read_text()
    assert [name in asked for name in ("nova_cell1.instances", "cinder.volumes", "heat.stack")] == [True] * 3


def test_it_waits_until_a_task_is_over(databases: Databases) -> None:
    databases.find((BUILDING,), (BUILDING,), ())
    done = databases.wait(60, instances="nova")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(BUILDING) == 1
    assert len((databases.home / "asked").read_text().splitlines()) == 3


def test_what_does_not_end_is_named_with_what_to_do(databases: Databases) -> None:
    databases.find(tuple(f"{BUILDING}{number}" for number in range(35)))
    done = databases.wait(instances="nova")
    assert done.returncode == 1
    assert "when the services stop: 35" in done.stderr
    assert done.stderr.count(BUILDING) == 20
    assert "and 15 more" in done.stderr
    assert "openstack server set --state active ID" in done.stderr


def test_a_resize_that_waits_for_a_person_is_not_waited_for(databases: Databases) -> None:
    databases.find((BUILDING, RESIZED))
    done = databases.wait(600, instances="nova")
    assert done.returncode == 1
    assert "openstack server resize confirm ID" in done.stderr
    assert len((databases.home / "asked").read_text().splitlines()) == 1


def test_a_database_that_does_not_answer_is_no_good_answer(databases: Databases) -> None:
    databases.find((), code=1)
    assert databases.wait(instances="nova", volumes="cinder").returncode == 1
