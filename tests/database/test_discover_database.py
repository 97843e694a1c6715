"""The database script against a real MariaDB: heads, sizes, rows, conditions, and what it cannot ask."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skipstone.catalog import load_catalog
from skipstone.cloud.answer import script
from skipstone.cloud.command import Command
from skipstone.cloud.database import argument, read_databases, read_server

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(180),
    pytest.mark.skipif(os.geteuid() != 0, reason="a server of its own runs as the user mysql: needs root"),
]

FILL = """
create database nova_api character set utf8mb3 collate utf8mb3_general_ci;
use nova_api;
create table alembic_version (version_num varchar(32));
insert into alembic_version values ('b30f573d3377');
create table cell_mappings (uuid varchar(36), database_connection text);
insert into cell_mappings values
    ('00000000-0000-0000-0000-000000000000', 'mysql+pymysql://nova:s3cret@db/cell_zero?charset=utf8'),
    ('11111111-0000-0000-0000-000000000000', 'mysql+pymysql://nova:s3cret@db/nova_prod?charset=utf8');
create table request_specs (id int primary key auto_increment, instance_uuid varchar(36));
insert into request_specs (instance_uuid) select concat('u', seq) from seq_10_to_100;
create database cell_zero;
create database nova_prod character set utf8mb4 collate utf8mb4_general_ci;
use nova_prod;
create table alembic_version (version_num varchar(32));
insert into alembic_version values ('ccb0fa1a2252');
create table migrate_version (version int);
insert into migrate_version values (402);
create table instances (id int primary key auto_increment, uuid varchar(36), deleted int default 0);
insert into instances (uuid, deleted)
    select if(seq > 3, concat('u', seq), null), if(seq % 2, seq, 0) from seq_1_to_100;
create table services (id int primary key auto_increment, host varchar(9), `binary` varchar(20), version int,
    deleted int default 0);
insert into services (host, `binary`, version, deleted) values ('cmp1', 'nova-compute', 64, 0),
    ('gone', 'nova-compute', 53, 7);
create table `odd ``name` (x int);
create view all_instances as select * from instances;
create database heat character set utf8mb4;
use heat;
create table migrate_version (repository_id varchar(250), version int);
insert into migrate_version values ('heat', 86);
create table stack (id varchar(36), name varchar(255), action varchar(32), status varchar(32),
    owner_id varchar(36), deleted_at datetime);
insert into stack values
    ('s1', concat('live', char(0xc285 using utf8mb4), char(13)), 'CREATE', 'COMPLETE', null, null),
    ('s2', 'nested', 'CREATE', 'COMPLETE', 's1', null),
    ('s3', 'gone', 'DELETE', 'COMPLETE', null, '2026-01-01');
create database unrelated;
create table unrelated.secrets (x int);
"""


class Server:
    """A private MariaDB, reached as a host's root reaches its own: by the clients' defaults."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._options = ["--no-defaults", "--user=mysql", f"--datadir={home}/data", f"--tmpdir={home}"]
        self._environment = {**os.environ, "HOME": str(home)}
        (home / ".my.cnf").write_text(f"[client]\nsocket = {home}/s\n")

    def shell(self, text: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["sh", "-s"],
            input=Command("db", text).stdin,
            env=self._environment,
            capture_output=True,
            check=False,
        )

    def install(self) -> None:
        only_socket = ["--skip-test-db", "--auth-root-authentication-method=socket"]
        subprocess.run(["mariadb-install-db", *self._options, *only_socket], check=True, capture_output=True)

    def start(self) -> "subprocess.Popen[bytes]":
        daemon = subprocess.Popen(
            [
                "mariadbd",
                *self._options,
                f"--socket={self.home}/s",
                "--skip-networking",
                f"--pid-file={self.home}/p",
            ],
            stderr=subprocess.DEVNULL,
        )
        for _ in range(300):
            if self.shell("mariadb-admin ping").returncode == 0:
                return daemon
            time.sleep(0.1)
        pytest.fail("MariaDB does not start")

    def ask(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Run the script as discovery does."""
        done = self.shell(script("database", wanted))
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    home = Path("/tmp") / f"skipstone-discover-{os.getpid()}"  # noqa: S108 - sockets have short paths
    home.mkdir(mode=0o755)
    subprocess.run(["chown", "mysql:", str(home)], check=True)
    found = Server(home)
    try:
        found.install()
        daemon = found.start()
        try:
            done = found.shell(f"mariadb <<'END'\n{FILL}\nEND\n")
            assert done.returncode == 0, done.stderr
            yield found
        finally:
            daemon.terminate()
            daemon.wait(30)
    finally:
        subprocess.run(["rm", "-rf", str(home)], check=True)


WANTED = {"nova_api": "nova_api", "heat": "heat", "keystone": "keystone"}


@pytest.fixture(scope="module")
def facts(server: Server) -> dict[str, Any]:
    wanted = argument(load_catalog(), WANTED)
    assert isinstance(wanted, dict)
    return server.ask(wanted)


def test_the_services_databases_and_novas_cells_are_found_and_no_others(facts: dict[str, Any]) -> None:
    found = {database.name: database for database in read_databases(load_catalog(), facts)}
    assert {name: (database.service, database.known_as) for name, database in found.items()} == {
        "nova_api": ("nova", "nova_api"),
        "cell_zero": ("nova", "nova_cell0"),
        "nova_prod": ("nova", "nova"),
        "heat": ("heat", "heat"),
    }
    assert found["nova_prod"].heads == ("ccb0fa1a2252",)
    assert found["heat"].heads == ("migrate:86",)
    assert found["cell_zero"].heads == ()
    assert found["nova_prod"].collation == "utf8mb4_general_ci"
    assert found["nova_prod"].size > 0


def test_rows_are_counted_live_and_soft_deleted(facts: dict[str, Any]) -> None:
    nova = next(found for found in read_databases(load_catalog(), facts) if found.name == "nova_prod")
    tables = {table.name: table for table in nova.tables}
    assert (tables["instances"].rows, tables["instances"].soft_deleted, tables["instances"].exact) == (
        100,
        50,
        True,
    )
    assert (tables["odd `name"].rows, tables["odd `name"].soft_deleted) == (0, None)
    assert "all_instances" not in tables
    heat = next(found for found in read_databases(load_catalog(), facts) if found.name == "heat")
    assert next(table.soft_deleted for table in heat.tables if table.name == "stack") == 1


def test_conditions_are_counted_where_the_schema_has_what_they_ask_about(facts: dict[str, Any]) -> None:
    server = read_server("db", facts)
    assert server.conditions["nova-request-specs"] == 4, "2, 4, 6 and 8"
    assert server.conditions["heat-legacy-below-86"] == 0
    assert "cinder-null-use-quota" not in server.conditions
    assert "MariaDB" in server.version
    assert server.variables["datadir"].endswith("/data/")
    assert server.datadir_size > 1_000_000


def test_lists_that_no_api_gives_come_along(facts: dict[str, Any]) -> None:
    assert facts["nova_services"] == [{"host": "cmp1", "binary": "nova-compute", "version": 64}]
    assert facts["heat_stacks"] == [{"id": "s1", "name": "live\x85\r", "status": "CREATE_COMPLETE"}]


def test_nothing_secret_comes_back(facts: dict[str, Any]) -> None:
    assert "s3cret" not in json.dumps(facts)


def test_very_large_tables_are_estimated(server: Server) -> None:
    wanted = argument(load_catalog(), {"nova_prod": "nova"})
    assert isinstance(wanted, dict)
    found = server.ask(wanted | {"exact_below": 50})["databases"]["nova_prod"]["tables"]
    assert not found["instances"]["exact"]
    assert "soft_deleted" not in found["instances"]
    assert found["services"]["exact"]


def test_nothing_can_be_written(server: Server) -> None:
    wanted = argument(load_catalog(), {"nova_prod": "nova"})
    assert isinstance(wanted, dict)
    facts = server.ask(wanted | {"conditions": {"nova": {"bad": "DELETE FROM instances RETURNING 1"}}})
    (problem,) = facts["problems"]
    assert "READ ONLY" in problem["evidence"]
    left = server.ask(wanted)["databases"]["nova_prod"]["tables"]["instances"]["rows"]
    assert left == 100


def test_a_server_that_does_not_run(tmp_path: Path) -> None:
    facts = Server(tmp_path).ask({"seconds": 5})
    assert "version" not in facts
    assert "ERROR 2002" in facts["problems"][0]["evidence"]
