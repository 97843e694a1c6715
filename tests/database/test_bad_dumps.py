"""Dumps that cannot be used, or would do what they must not: refused or neutralised, and said."""

import gzip
import os
import subprocess
from pathlib import Path

import pytest

from skipstone.catalog import load_catalog
from skipstone.errors import InputError
from skipstone.rehearsal.databases import LoadedDatabase
from skipstone.rehearsal.server import PrivateServer
from skipstone.rehearsal.standing import source_of
from tests.database.dumping import HEAD, dump, load

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


def test_two_dumps_of_one_database(server: PrivateServer, dumps: Path) -> None:
    dump(dumps, "monday", "CREATE DATABASE `glance`;\nUSE `glance`;\nCREATE TABLE `images` (id int);\n")
    dump(
        dumps,
        "tuesday",
        "CREATE DATABASE `glance`;\nUSE `glance`;\nCREATE TABLE `image_locations` (id int);\n",
    )
    with pytest.raises(InputError, match="two dumps hold the database glance"):
        load(server, dumps)


def test_the_same_dump_twice_is_told_before_one_spoils_the_other(server: PrivateServer, dumps: Path) -> None:
    rows = "INSERT INTO `images` VALUES (1);\n" * 2000
    for name in ("a", "b"):
        sql = "CREATE DATABASE `glance`;\nUSE `glance`;\nDROP TABLE IF EXISTS `images`;\n"
        dump(dumps, name, f"{sql}CREATE TABLE `images` (id int);\n{rows}")
    with pytest.raises(InputError, match="two dumps hold the database glance") as caught:
        load(server, dumps)
    places = {caught.value.where, caught.value.evidence}
    assert places == {str(dumps / "a.sql"), str(dumps / "b.sql")}


@pytest.mark.parametrize("form", ["sql", "sql.gz"])
def test_a_dump_that_was_cut_off_in_a_statement(server: PrivateServer, dumps: Path, form: str) -> None:
    text = (
        f"{HEAD}CREATE TABLE `t` (a int);\nCREATE TABLE `u` (a int);\nINSERT INTO `u` VALUES (1),(2".encode()
    )
    whole = gzip.compress(text + os.urandom(5000).hex().encode())
    (dumps / f"x.{form}").write_bytes(text if form == "sql" else whole[:-2000])
    with pytest.raises(InputError, match=r"ends before its end") as caught:
        load(server, dumps)
    assert "x.u" in caught.value.evidence
    assert "make it anew" in caught.value.remedy


def test_a_character_set_that_this_server_does_not_know(server: PrivateServer, dumps: Path) -> None:
    of_the_future = "CREATE DATABASE `glance` /*!40100 DEFAULT CHARACTER SET utf9 */;\nUSE `glance`;\n"
    dump(dumps, "glance", f"{of_the_future}CREATE TABLE `images` (id int);\n")
    with pytest.raises(InputError, match="database glance of this dump cannot be made") as caught:
        load(server, dumps)
    assert "Unknown character set: 'utf9'" in caught.value.evidence
    assert "--server" in caught.value.remedy


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"--\n-- PostgreSQL database dump\n--\nSET client_encoding = 'UTF8';\n", "cannot be loaded"),
        (b"PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n", "cannot be loaded"),
        (b"id,name\n1,a\n", "cannot be loaded"),
        (b"", "no table in this dump"),
        ("CREATE TABLE `t` (id int);\n".encode("utf-16"), "UTF-16"),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "cannot be loaded"),
    ],
    ids=["postgresql", "sqlite", "csv", "empty", "utf-16", "compressed"],
)
def test_files_that_are_no_dump(server: PrivateServer, dumps: Path, content: bytes, said: str) -> None:
    (dumps / "nova.sql").write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        load(server, dumps)
    assert caught.value.remedy


def test_what_was_neutralised_is_said(server: PrivateServer, dumps: Path) -> None:
    dump(
        dumps,
        "x",
        "CREATE TABLE `t` (id int);\nLOAD DATA INFILE '/etc/passwd' INTO TABLE `t`;\n"
        "/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`%`*/ /*!50003 TRIGGER `b` BEFORE INSERT ON `t`"
        " FOR EACH ROW SET NEW.id = 1 */;\n",
    )
    (loaded,) = load(server, dumps)
    assert loaded.left_out == {"LOAD DATA": 1, "DEFINER": 1}
    assert server.query("SELECT COUNT(*) FROM x.t") == [("0",)]
    definer = "SELECT definer FROM information_schema.triggers WHERE trigger_name = 'b'"
    assert server.query(definer) == [("loader@localhost",)]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount")
def test_a_full_disk_is_said(tmp_path: Path, dumps: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=560m", "none", small], check=True)
    try:
        rows = "".join(
            f"INSERT INTO `t` VALUES {','.join(['(REPEAT(1, 60000))'] * 40)};\n" for _ in range(300)
        )
        dump(dumps, "x", f"CREATE TABLE `t` (x mediumtext);\n{rows}")
        with PrivateServer(small) as server, pytest.raises(InputError, match="cannot be loaded") as caught:
            load(server, dumps)
        assert "is full" in caught.value.evidence
        assert f"make room in {small}" in caught.value.remedy
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def test_a_machine_without_mariadb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(InputError, match="there is no mariadbd") as caught, PrivateServer(tmp_path):
        pass
    assert "apt install" in caught.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_a_missing_database_of_a_service_is_named() -> None:
    zed = ("ccb0fa1a2252",)
    cells = [LoadedDatabase(name, "nova", name, zed) for name in ("nova", "nova_cell0")]
    with pytest.raises(InputError, match="nova's database nova_api is not among the dumps") as caught:
        source_of(load_catalog(), Path("dumps"), tuple(cells), None)
    assert "[api_database] connection" in caught.value.remedy


@pytest.mark.parametrize(
    ("head", "evidence"),
    [
        ("migrate:81", "after Pike (script 80), 4 scripts before Queens (script 85)"),
        ("migrate:999", "beyond the last script of all releases (86)"),
        ("960aac0e09ea", "960aac0e09ea lies between two releases"),
    ],
)
def test_an_upgrade_that_was_not_finished_is_recognised(head: str, evidence: str) -> None:
    heat = LoadedDatabase("heat_prod", "heat", "heat", (head,))
    with pytest.raises(InputError, match="not all of one release") as caught:
        source_of(load_catalog(), Path("dumps"), (heat,), None)
    assert evidence in caught.value.evidence
    assert "finish it with the code it was begun with" in caught.value.remedy
