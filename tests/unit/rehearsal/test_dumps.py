"""Which files are dumps, and how they are read."""

import gzip
import shutil
import subprocess
from pathlib import Path

import pytest

from skipstone.errors import InputError
from skipstone.rehearsal.dumps import find_dumps, reading

SQL = b"CREATE TABLE `a` (x int);\n"


def test_every_form_is_found_under_its_databases_name_the_largest_first(tmp_path: Path) -> None:
    (tmp_path / "nova.sql").write_bytes(SQL * 100)
    (tmp_path / "glance.sql.gz").write_bytes(gzip.compress(SQL))
    if shutil.which("zstd"):
        subprocess.run(["zstd", "-q", "-o", tmp_path / "heat.sql.zst"], input=SQL, check=True)
    (tmp_path / "notes.txt").write_text("not a dump")
    (tmp_path / "logs.gz").write_bytes(gzip.compress(b"not a dump"))
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "cinder.sql").write_bytes(SQL)
    found = find_dumps(tmp_path)
    assert {dump.name for dump in found} - {"heat"} == {"nova", "glance", "cinder"}
    assert found[0].name == "nova"
    for dump in found:
        with reading(dump.files[0]) as source:
            assert source.readline() == SQL


def test_a_directory_of_mydumper_is_read_in_the_order_that_it_needs(tmp_path: Path) -> None:
    names = [
        "metadata",
        "nova.instances.00000.sql",
        "nova.instances-schema.sql",
        "nova-schema-create.sql",
        "nova.instances-schema-triggers.sql",
        "nova.v-schema-view.sql",
        "nova-schema-post.sql",
        "nova-schema-triggers.sql",
        "glance.images-schema.sql",
        "glance-schema-create.sql",
    ]
    for name in names:
        (tmp_path / name).write_bytes(SQL)
    by_name = {dump.name: [path.name for path in dump.files] for dump in find_dumps(tmp_path)}
    assert by_name == {
        "glance": ["glance-schema-create.sql", "glance.images-schema.sql"],
        "nova": [
            "nova-schema-create.sql",
            "nova.instances-schema.sql",
            "nova.instances.00000.sql",
            "nova-schema-post.sql",
            "nova-schema-triggers.sql",
            "nova.instances-schema-triggers.sql",
            "nova.v-schema-view.sql",
        ],
    }


def test_tables_beside_the_rest_of_their_database_are_one_dump(tmp_path: Path) -> None:
    for name in ("nova.sql.gz", "nova/instances.sql.gz", "nova/ports.sql.gz", "keystone.sql.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(gzip.compress(SQL))
    by_name = {dump.name: [path.name for path in dump.files] for dump in find_dumps(tmp_path)}
    assert by_name == {
        "nova": ["instances.sql.gz", "ports.sql.gz", "nova.sql.gz"],
        "keystone": ["keystone.sql.gz"],
    }


def test_two_files_of_one_name_stay_two_dumps(tmp_path: Path) -> None:
    (tmp_path / "nova").mkdir()
    for name in ("nova.sql", "nova.sql.gz", "nova/nova.sql"):
        (tmp_path / name).write_bytes(SQL)
    assert [dump.name for dump in find_dumps(tmp_path)] == ["nova"] * 3


def test_a_directory_without_dumps(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("x")
    with pytest.raises(InputError, match="no dumps") as caught:
        find_dumps(tmp_path)
    assert "README" in caught.value.evidence
    with pytest.raises(InputError, match="no such directory"):
        find_dumps(tmp_path / "nowhere")


def test_a_compressed_file_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "nova.sql.gz"
    path.write_bytes(gzip.compress(SQL * 1000)[:-10])
    with pytest.raises(InputError, match="to its end") as caught, reading(path) as source:
        for _ in source:
            pass
    assert "unexpected end of file" in caught.value.evidence


def test_the_bytes_of_sql_are_known_of_plain_and_gzipped_dumps(tmp_path: Path) -> None:
    text = "INSERT INTO `x` VALUES (1);\n" * 1000
    (tmp_path / "a.sql").write_text(text)
    (tmp_path / "b.sql.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "c.sql.zst").write_bytes(b"")
    sizes = {dump.name: dump.sql_size for dump in find_dumps(tmp_path)}
    assert sizes == {"a": len(text), "b": len(text), "c": None}
