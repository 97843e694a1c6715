"""What is waited for before the services stop, asked of a real MariaDB that has 40,000 instances."""

import time

import pytest

from skipstone.cloud.command import Command
from skipstone.steps.workloads import WaitForWorkloads
from tests.database.rooted import ROOTED, Server

pytestmark = ROOTED

# columns as nova, cinder and heat have them from Juno to 2026.2, in character sets as clouds of some age have
FILL = """
create database nova_w character set utf8mb3;
create table nova_w.instances (uuid varchar(36) not null, display_name varchar(255), host varchar(255),
    vm_state varchar(255), task_state varchar(255), deleted int, updated_at datetime);
use nova_w;
insert into instances select uuid(), 'vm', 'cmp1', 'active', null, 0, now() from seq_1_to_40000;
insert into instances select uuid(), 'gone', 'cmp1', 'active', 'deleting', seq, now() from seq_1_to_100;
create database cinder_w character set utf8mb4;
create table cinder_w.volumes (id varchar(36), display_name varchar(255), status varchar(255),
    deleted tinyint(1), updated_at datetime);
insert into cinder_w.volumes values ('v1', 'v', 'error_deleting', 0, now()), ('v2', 'v', 'in-use', 0, now()),
    ('v3', 'v', 'creating', 1, now());
create database heat_w character set utf8mb4;
create table heat_w.stack (id varchar(36), name varchar(255), action varchar(255), status varchar(255),
    deleted_at datetime, updated_at datetime);
insert into heat_w.stack values ('s1', 's', 'CREATE', 'COMPLETE', null, now()),
    ('s2', 's', 'DELETE', 'IN_PROGRESS', now(), now());
"""
STEP = WaitForWorkloads(
    id="stop.workloads",
    title="t",
    host="db",
    deadline=60,
    estimate=1,
    instances="nova_w",
    volumes="cinder_w",
    stacks="heat_w",
)


@pytest.fixture(scope="module")
def full(rooted: Server) -> Server:
    done = rooted.run(Command("db", f"mariadb <<'END'\n{FILL}\nEND\n"))
    assert done.returncode == 0, done.stderr
    return rooted


def test_a_large_cloud_at_rest_is_seen_to_be_so_within_seconds(full: Server) -> None:
    began = time.monotonic()
    done = full.run(STEP.apply())
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            "insert into nova_w.instances values ('u1', null, null, 'building', null, 0, null)",
            "instance u1  on no host: building, task none",
        ),
        (
            "insert into nova_w.instances values ('u1', 'it''s', 'cmp2', 'active', 'unshelving', 0, now())",
            "instance u1 it's on cmp2: active, task unshelving",
        ),
        (
            "insert into nova_w.instances values ('u1', 'r', 'cmp2', 'resized', null, 0, now())",
            "instance u1 r on cmp2: resized, task none",
        ),
        ("insert into cinder_w.volumes values ('u1', null, 'creating', 0, now())", "volume u1 : creating"),
        (
            "insert into heat_w.stack values ('u1', 's', 'UPDATE', 'IN_PROGRESS', null, null)",
            "stack u1 s: UPDATE_IN_PROGRESS",
        ),
    ],
)
def test_what_is_halfway_is_named(full: Server, change: str, line: str) -> None:
    full.ask(change)
    try:
        done = full.run(STEP.apply())
    finally:
        full.ask(
            "delete from nova_w.instances where uuid = 'u1'; delete from cinder_w.volumes where id = 'u1';"
            " delete from heat_w.stack where id = 'u1'"
        )
    assert done.returncode == 1
    assert line in done.stderr.splitlines()
