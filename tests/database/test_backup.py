"""Backups of a real MariaDB: dumped, proven, restored; a dump that does not restore is found out."""

import gzip
import os
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from shutil import chown

import pytest

from skipstone.cloud.command import Command
from skipstone.steps.backup import BackupConfiguration, DumpDatabases, DumpStoppedDatabases, ProveDumpRestores
from skipstone.steps.database import SyncDatabase
from tests.database.rooted import ROOTED, Server

pytestmark = ROOTED

NAMES = ("keystone", "nova")
FILL = r"""
create database keystone character set utf8mb3 collate utf8mb3_general_ci;
create table keystone.user (id int primary key auto_increment, name varchar(64), secret blob);
insert into keystone.user (name, secret) values ('Åsa', x'00ff27'), ('O''Brien', null), ('emoji?', '');
create database nova character set utf8mb4 collate utf8mb4_general_ci;
use nova;
create table nova.cells (uuid varchar(36) not null, created timestamp default current_timestamp);
insert into nova.cells (uuid) select concat('u', seq) from seq_1_to_5000;
create table nova.alembic_version (version_num varchar(32));
insert into nova.alembic_version values ('old');
create view nova.v as select uuid from nova.cells;
create table nova.a_child (id int primary key, parent int, text text);
create table nova.parent (id int primary key, changes int default 0);
alter table nova.a_child add foreign key (parent) references nova.parent (id) on delete cascade;
insert into nova.parent (id) values (1), (2);
insert into nova.a_child values (1, 1, 'x\n-- Table structure for table `y`\n-- z\\'), (2, 2, '\0\Z\r');
create trigger nova.counted after insert on nova.a_child for each row
    update nova.parent set changes = changes + 1 where id = new.parent;
create procedure nova.p() select 1;
"""
COMMON = {"title": "t", "host": "db", "deadline": 120, "estimate": 1}


@pytest.fixture
def filled(rooted: Server) -> Server:
    for name in (*NAMES, "later"):
        rooted.ask(f"drop database if exists {name}")
    done = rooted.run(Command("db", f"mariadb <<'END'\n{FILL}\nEND\n"))
    assert done.returncode == 0, done.stderr
    return rooted


def dump_step(directory: Path, *by_table: str) -> DumpDatabases:
    return DumpDatabases(id="b.d", **COMMON, directory=str(directory), databases=NAMES, by_table=by_table)


def seal(directory: Path) -> None:
    """Write the manifest of files as they are."""
    files = [
        path
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not path.name.startswith("manifest")
    ]
    lines = [f"{sha256(path.read_bytes()).hexdigest()}  ./{path.relative_to(directory)}\n" for path in files]
    (directory / "manifest").write_text("".join(lines))


def proof_step(directory: Path) -> ProveDumpRestores:
    return ProveDumpRestores(id="b.p", **COMMON, directory=str(directory), databases=NAMES)


@pytest.fixture
def temporary_table() -> Iterator[Path]:
    """A file like those that a running server has in /tmp for its queries' temporary tables."""
    path = Path("/tmp") / f"#sql-temptable-skipstone-{os.getpid()}.MAD"  # noqa: S108 - MariaDB's own default
    path.touch()
    chown(path, "mysql")
    yield path
    path.unlink(missing_ok=True)


def test_the_running_servers_temporary_tables_are_left_alone(
    filled: Server, temporary_table: Path, tmp_path: Path
) -> None:
    """A scratch server that shares /tmp with the cloud's would break the queries that run there."""
    for step in (dump_step(tmp_path / "d"), proof_step(tmp_path / "d")):
        done = filled.run(step.apply())
        assert done.returncode == 0, done.stderr
    assert temporary_table.exists()


@pytest.mark.parametrize("by_table", [(), ("nova",), NAMES])
def test_a_dump_is_proven_by_restoring_it(filled: Server, tmp_path: Path, by_table: tuple[str, ...]) -> None:
    dump, proof = dump_step(tmp_path / "d", *by_table), proof_step(tmp_path / "d")
    assert filled.run(dump.verify()).returncode != 0
    done = filled.run(dump.apply())
    assert done.returncode == 0, done.stderr
    assert filled.run(dump.verify()).returncode == 0
    assert filled.run(proof.is_done()).returncode != 0
    scratch = re.findall(r"mktemp --directory (\S+)XXXXXX", proof.apply().script)[0]
    Path(f"{scratch}of-one-cut-off/data").mkdir(parents=True)
    done = filled.run(proof.apply())
    assert done.returncode == 0, done.stderr
    assert filled.run(proof.verify()).returncode == 0
    assert not list(Path("/var/tmp").glob("skipstone-scratch.*"))  # noqa: S108 - where the step works


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("'O\\'Brien'", "'O'Brien'"),  # does not load
        ("VALUES", "VALUEZ"),  # does not load
        ("DEFAULT CHARSET=utf8mb3", "DEFAULT CHARSET=utf8mb9"),  # does not load
    ],
)
def test_a_dump_that_does_not_restore_is_found_out(
    filled: Server, tmp_path: Path, old: str, new: str
) -> None:
    dump, proof = dump_step(tmp_path / "d"), proof_step(tmp_path / "d")
    assert filled.run(dump.apply()).returncode == 0
    file = tmp_path / "d" / "keystone.sql.gz"
    text = gzip.decompress(file.read_bytes()).decode()
    assert old in text
    file.write_bytes(gzip.compress(text.replace(old, new).encode()))
    seal(tmp_path / "d")
    assert filled.run(proof.apply()).returncode != 0
    assert filled.run(proof.verify()).returncode != 0
    assert not list(Path("/var/tmp").glob("skipstone-scratch.*"))  # noqa: S108 - where the step works


def test_a_truncated_dump_is_found_out(filled: Server, tmp_path: Path) -> None:
    dump = dump_step(tmp_path / "d")
    assert filled.run(dump.apply()).returncode == 0
    file = tmp_path / "d" / "keystone.sql.gz"
    file.write_bytes(file.read_bytes()[:-100])
    assert filled.run(dump.verify()).returncode != 0
    assert filled.run(proof_step(tmp_path / "d").apply()).returncode != 0


def test_a_backup_of_an_earlier_run_is_never_taken_for_this_ones(filled: Server, tmp_path: Path) -> None:
    dump = dump_step(tmp_path / "d")
    stopped = DumpStoppedDatabases(id="s.d", **COMMON, directory=str(tmp_path / "s"), databases=NAMES)
    configuration = BackupConfiguration(id="b.c", **COMMON, directory=str(tmp_path / "c"))
    assert {step.is_done() for step in (dump, stopped, configuration)} == {None}
    for step in (dump, stopped):
        assert filled.run(step.apply()).returncode == 0
    filled.ask("create database later")
    for step in (dump, stopped):
        changed = step.model_copy(update={"databases": (*NAMES, "later")})
        assert filled.run(changed.apply()).returncode == 0
        assert filled.run(changed.verify()).returncode == 0
    assert b"later" in gzip.decompress((tmp_path / "d" / "later.sql.gz").read_bytes())
    assert (tmp_path / "s" / "later.sql.gz").exists()


def test_a_backup_is_for_roots_eyes_only(filled: Server, tmp_path: Path) -> None:
    home = tmp_path / "open"
    home.mkdir(mode=0o755)
    configuration = BackupConfiguration(id="b.c", **COMMON, directory=str(home / "c"))
    dump = DumpStoppedDatabases(
        id="s.d", **COMMON, directory=str(home / "s"), databases=NAMES, by_table=("nova",)
    )
    for step in (configuration, dump_step(home / "d", "nova"), dump):
        assert filled.run(step.apply()).returncode == 0
    found = list(home.glob("**/*"))
    assert len(found) > 20
    assert {path.name for path in found if path.stat().st_mode & 0o077} == set()


def test_a_dump_is_refused_where_the_disk_is_too_small(filled: Server, tmp_path: Path) -> None:
    (tmp_path / "df").write_text("#!/bin/sh\necho Avail; echo 4096\n")
    (tmp_path / "df").chmod(0o755)
    for step in (dump_step(tmp_path / "d"), proof_step(tmp_path / "d")):
        (tmp_path / "d").mkdir(exist_ok=True)
        (tmp_path / "d" / "x").touch()
        seal(tmp_path / "d")
        command = step.apply()
        done = filled.run(Command("db", f"PATH={tmp_path}:$PATH\n{command.script}"))
        assert done.returncode != 0
        assert "has 4096 free" in done.stderr


def test_a_dump_of_a_database_that_is_not_there_fails(filled: Server, tmp_path: Path) -> None:
    step = dump_step(tmp_path / "d").model_copy(update={"databases": ("keystone", "absent")})
    done = filled.run(step.apply())
    assert done.returncode != 0
    assert not (tmp_path / "d" / "manifest").exists()


def sync_step(dumps: Path) -> SyncDatabase:
    return SyncDatabase(
        id="d.n.sync",
        **{**COMMON, "host": "db"},
        service="nova",
        user="nobody",
        commands=("true",),
        databases=("nova",),
        heads={"nova": ("old",)},
        database_host="db",
        dumps=str(dumps),
    )


def test_a_dump_that_was_tampered_with_is_never_loaded(filled: Server, tmp_path: Path) -> None:
    dump = DumpStoppedDatabases(id="s.d", **COMMON, directory=str(tmp_path / "s"), databases=NAMES)
    assert filled.run(dump.apply()).returncode == 0
    file = tmp_path / "s" / "nova.sql.gz"
    text = gzip.decompress(file.read_bytes())
    file.write_bytes(gzip.compress(text.replace(b"'old'", b"'new'")))
    assert filled.run(dump.verify()).returncode != 0
    done = filled.run(sync_step(tmp_path / "s").reset())
    assert done.returncode != 0
    assert "nova.sql.gz: FAILED" in done.stdout + done.stderr
    assert filled.ask("select count(*) from nova.cells") == "5000"


@pytest.mark.parametrize("by_table", [(), ("nova",)])
def test_a_failed_migration_starts_again_from_the_dump(
    filled: Server, tmp_path: Path, by_table: tuple[str, ...]
) -> None:
    dump = DumpStoppedDatabases(
        id="s.d", **COMMON, directory=str(tmp_path / "s"), databases=NAMES, by_table=by_table
    )
    same = Command("db", f"cd {tmp_path}/s && python3 dumps.py same . {' '.join(NAMES)}")
    done = filled.run(dump.apply())
    assert done.returncode == 0, done.stderr
    assert filled.run(dump.verify()).returncode == 0
    assert filled.run(same).returncode == 0
    sync = sync_step(tmp_path / "s")
    assert filled.run(sync.is_done()).returncode == 0
    filled.ask("create table nova.half_done (id int); delete from nova.cells")
    filled.ask("update nova.alembic_version set version_num = 'x'")
    done = filled.run(same)
    assert done.returncode != 0
    assert "something else than the dump: nova" in done.stderr
    done = filled.run(sync.is_done())
    assert done.returncode != 0
    assert "nova is at x, and not at old" in done.stderr
    assert filled.run(sync.reset()).returncode == 0
    assert filled.run(sync.is_done()).returncode == 0
    assert filled.run(same).returncode == 0
    assert filled.ask("select count(*) from nova.cells") == "5000"
    tables = "select count(*) from information_schema.tables where table_schema = 'nova'"
    assert filled.ask(f"{tables} and table_name = 'half_done'") == "0"
