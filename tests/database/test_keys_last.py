"""Dumps of a real MariaDB, loaded with the keys of large tables last: what is made is the same."""

import re
from pathlib import Path

import pytest

from skipstone.cloud.command import Command
from skipstone.steps.backup import DumpDatabases, DumpStoppedDatabases, ProveDumpRestores
from tests.database.rooted import ROOTED, Server

pytestmark = ROOTED

COMMON = {"title": "t", "host": "db", "deadline": 120, "estimate": 1, "databases": ("large",)}
# the two large tables refer to keys which are not there while rows are loaded, and so do small ones; one of
# these cannot be made without them
FILL = """
create database large character set utf8mb3;
use large;
set foreign_key_checks = 0;
create table addresses (id int primary key auto_increment, port varchar(36) not null,
    text varchar(255) comment 'a KEY `k` (`x`),', even tinyint,
    key text (text(20)), unique key of_port (port, id), key even (even, port desc),
    constraint a_port foreign key (port) references ports (uuid) on delete cascade);
create table networks (id int primary key auto_increment, uuid varchar(36) not null, name varchar(255),
    unique key named (uuid), key name (name), constraint has_name check (name <> ''));
create table ports (id int auto_increment, uuid varchar(36) not null, network varchar(36), parent varchar(36),
    text text, primary key (id), unique key u (uuid), key by_network (network) using btree, key p (parent),
    constraint p_network foreign key (network) references networks (uuid),
    constraint p_parent foreign key (parent) references ports (uuid));
create table counted (uuid varchar(36) primary key, id int auto_increment, key id (id), key pair (id, uuid));
create table bound (id int primary key, port varchar(36), key p (port),
    constraint b_port foreign key (port) references ports (uuid));
create table made (id int primary key, port varchar(36), length int as (length(port)) stored, key p (port),
    constraint m_port foreign key (port) references ports (uuid));
create table texts (id int primary key, text text, key t (text(10)), fulltext key words (text));
insert into networks (uuid, name) select concat('n', seq), repeat(seq, 30) from seq_1_to_2000;
insert into ports (uuid, network, parent, text)
    select concat('p', seq), concat('n', mod(seq, 2000) + 1), concat('p', greatest(seq - 1, 1)),
        repeat(md5(seq), 30) from seq_1_to_20000;
insert into addresses (port, text)
    select concat('p', mod(seq, 20000) + 1), repeat(md5(seq), 7) from seq_1_to_90000;
insert into counted (uuid) select concat('c', seq) from seq_1_to_500;
insert into bound select seq, concat('p', seq) from seq_1_to_500;
insert into made (id, port) select seq, concat('p', seq) from seq_1_to_500;
insert into texts select seq, repeat('some words ', 20) from seq_1_to_500;
"""


@pytest.fixture
def large(rooted: Server) -> Server:
    done = rooted.run(Command("db", f"mariadb <<'END'\ndrop database if exists large;\n{FILL}\nEND\n"))
    assert done.returncode == 0, done.stderr
    return rooted


def well(server: Server, script: str) -> str:
    """Run a script and return what it has said."""
    done = server.run(Command("db", f"set -e\n{script}"))
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def dumped(server: Server, directory: Path, *by_table: str) -> None:
    """Dump, and drop the database."""
    step = DumpStoppedDatabases(id="d", **COMMON, directory=str(directory), by_table=by_table)
    well(server, step.apply().script)
    server.ask("drop database large")


def test_every_kind_of_table_is_the_same_afterwards(large: Server, tmp_path: Path) -> None:
    dumped(large, tmp_path / "d")
    filtered = f"cd {tmp_path}/d; gzip -dc large.sql.gz | python3 keys_last.py --least 1"
    late = re.findall(r"ALTER TABLE `(.*)`\n  ADD (\S+)", well(large, filtered))
    assert late == [
        *(("addresses", "UNIQUE"), ("addresses", "CONSTRAINT"), ("bound", "KEY"), ("bound", "CONSTRAINT")),
        *(("networks", "UNIQUE"), ("ports", "UNIQUE"), ("ports", "CONSTRAINT")),
    ]
    well(large, f"{filtered} | mariadb")
    well(large, f"cd {tmp_path}/d; python3 dumps.py same . large")
    for wrong in (
        "insert into large.ports (uuid, network) values ('new', 'nowhere')",
        "insert into large.networks (uuid, name) values ('n1', 'x')",
        "delete from large.networks where uuid = 'n1'",
    ):
        assert large.run(Command("db", f'mariadb -e "{wrong}"')).returncode != 0


def test_large_tables_get_their_keys_last(large: Server, tmp_path: Path) -> None:
    dumped(large, tmp_path / "d")
    large.ask("set global log_output = 'table', global general_log = 1; truncate mysql.general_log")
    said = well(large, f"cd {tmp_path}/d; python3 dumps.py load . large")
    large.ask("set global general_log = 0")
    assert said == ""
    late = "select argument from mysql.general_log where argument like 'ALTER TABLE %ADD %'"
    assert re.findall(r"ALTER TABLE `(.*?)`\\n  ADD (\S+)", large.ask(late)) == [
        *(("addresses", "UNIQUE"), ("ports", "UNIQUE")),
        *((table, "CONSTRAINT") for table in ("addresses", "bound", "ports")),
    ]
    well(large, f"cd {tmp_path}/d; python3 dumps.py same . large")


@pytest.mark.parametrize("options", ["", "--as-written"])
def test_tables_that_need_one_another_are_loaded_at_once(large: Server, tmp_path: Path, options: str) -> None:
    """A client that locks its table would keep others from making those that refer to it (MariaDB 10.11)."""
    dumped(large, tmp_path / "d", "large")
    said = well(large, f"cd /; python3 {tmp_path}/d/dumps.py load {tmp_path}/d large --at-once 4 {options}")
    again = re.findall(r"/(\w+)\.sql\.gz", said)
    assert set(again) <= ({"made"} if not options else set()), "it refers to a key that others wait for"
    well(large, f"cd {tmp_path}/d; python3 dumps.py same . large")


def test_the_proof_loads_it_in_the_same_way(large: Server, tmp_path: Path) -> None:
    large.ask("alter table large.made drop foreign key m_port")
    facts = COMMON | {"directory": str(tmp_path / "d"), "by_table": ("large",)}
    for step in (DumpDatabases(id="d", **facts), ProveDumpRestores(id="p", **facts)):
        said = well(large, step.apply().script)
    assert "restored and equal" in said
    assert "once more" not in said


def test_what_the_server_refuses_is_loaded_as_it_was_written(large: Server, tmp_path: Path) -> None:
    dumped(large, tmp_path / "d")
    program = tmp_path / "d" / "keys_last.py"
    program.write_text(program.read_text().replace("ALTER TABLE", "ALTER TABEL"))
    well(large, f"cd {tmp_path}/d; find . -type f ! -name manifest -exec sha256sum {{}} + > manifest")
    said = well(large, f"cd {tmp_path}/d; python3 dumps.py load . large")
    assert "loaded once more, as they were written: large.sql.gz" in said
    well(large, f"cd {tmp_path}/d; python3 dumps.py same . large")
