"""Nova's record of a compute service, in a real MariaDB: who reports is told from who was there a moment."""

import subprocess
from contextlib import AbstractContextManager

import pytest

from skipstone.rehearsal.server import PrivateServer
from skipstone.steps.compute import ConfirmServiceVersion
from tests.database.hosting import run_beside
from tests.repeating import repeating

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

NEW = 68
TABLE = """
create database nova; use nova;
create table services (host varchar(64), `binary` varchar(64), version int, report_count int, deleted int);
insert into services values ('cmp1', 'nova-compute', 64, 900, 0), ('cmp2', 'nova-compute', 68, 7, 0);
insert into services values ('cmp1', 'nova-compute', 68, 1, 5), ('cmp1', 'nova-conductor', 68, 1, 0);
"""


def confirm(server: PrivateServer, seconds: int) -> subprocess.CompletedProcess[str]:
    """Run the step's script as its host does, which gives up so many seconds before its deadline's end."""
    step = ConfirmServiceVersion(
        id="c", title="t", host="db", deadline=10 + seconds, estimate=1, compute="cmp1", version=NEW
    )
    return run_beside(server, step.apply())


def reporting(server: PrivateServer) -> AbstractContextManager[None]:
    """Be the service: its version is written, and it reports, as nova's own driver does."""
    said = "update nova.services set report_count = report_count + 1 where host = 'cmp1'"
    return repeating(lambda: server.query(said), 0.5)


def start(server: PrivateServer) -> None:
    server.query(
        f"update nova.services set version = {NEW} where host = 'cmp1' and `binary` = 'nova-compute'"
        " and deleted = 0"
    )


def test_one_that_reports_after_its_start_is_confirmed(server: PrivateServer) -> None:
    server.query(TABLE)
    start(server)
    with reporting(server):
        done = confirm(server, 30)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("alive", [True, False])
def test_one_of_the_old_version_is_not_even_if_it_lives(server: PrivateServer, *, alive: bool) -> None:
    server.query(TABLE)
    if alive:
        with reporting(server):
            done = confirm(server, 3)
    else:
        done = confirm(server, 1)
    assert done.returncode == 1
    assert "cmp1 is at version 64, not 68" in done.stderr


def test_one_that_ends_after_its_start_is_not(server: PrivateServer) -> None:
    server.query(TABLE)
    start(server)
    done = confirm(server, 3)
    assert done.returncode == 1
    assert "does not report" in done.stderr
