"""Files: what is refused with which words, and that the original stays what it was."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from skipstone.convert import source
from skipstone.errors import InputError


@pytest.mark.parametrize(
    ("data", "where", "what"),
    [
        (b"[DEFAULT]\n# caf\xe9\n", ":2", "not UTF-8"),
        (b"\xef\xbb\xbf[DEFAULT]\n", ":1", "byte order mark"),
        (b"[DEFAULT]\na = \0\n", ":2", "zero byte"),
        (b"#" * (source.LARGEST + 1), "", "larger than any"),
    ],
)
def test_what_is_no_configuration_is_refused(tmp_path: Path, data: bytes, where: str, what: str) -> None:
    path = tmp_path / "nova.conf"
    path.write_bytes(data)
    with pytest.raises(InputError, match=what) as caught:
        source.read(path)
    assert caught.value.where == f"{path}{where}"
    assert path.read_bytes() == data


def test_a_directory_is_its_conf_files_in_order(tmp_path: Path) -> None:
    for name in ("20-b.conf", "10-a.conf", "c.conf.bak"):
        (tmp_path / name).write_text(name)
    assert {path.name: text for path, text in source.gather(tmp_path).items()} == {
        "10-a.conf": "10-a.conf",
        "20-b.conf": "20-b.conf",
    }
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="without any"):
        source.gather(empty)


def test_a_new_file_is_private_and_never_over_another(tmp_path: Path) -> None:
    path = tmp_path / "new.conf"
    source.write_new(path, "a")
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(InputError, match="already"):
        source.write_new(path, "b")
    assert path.read_text() == "a"


def test_replacing_keeps_mode_and_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "nova.conf"
    path.write_bytes(b"old\r\n")
    path.chmod(0o640)
    link = tmp_path / "link.conf"
    link.symlink_to(path)
    backup = source.replace(link, "new\r\n", datetime(2026, 1, 2, tzinfo=UTC))
    assert backup == tmp_path / "nova.conf.skipstone-20260102T000000Z"
    assert backup.read_bytes() == b"old\r\n"
    assert path.read_bytes() == b"new\r\n"
    assert link.is_symlink()
    assert {oct(each.stat().st_mode & 0o777) for each in (path, backup)} == {"0o640"}
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    path = tmp_path / "nova.conf"
    path.write_text("old")
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot be replaced"):
        source.replace(path, "new")
    assert path.read_text() == "old"
