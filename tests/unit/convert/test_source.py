"""Files: what is refused with which words, and that the original stays what it was."""

import os
import resource
from collections.abc import Iterator
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
        ("[DEFAULT]\n".encode("utf-16"), ":1", "iconv -f UTF-16"),
        (b"#" * (source.LARGEST + 1), "", "larger than any"),
    ],
)
def test_what_is_no_configuration_is_refused(tmp_path: Path, data: bytes, where: str, what: str) -> None:
    path = tmp_path / "nova.conf"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        source.read(path)
    assert what in f"{caught.value.what} {caught.value.remedy}"
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


def test_a_file_brings_its_directory_along(tmp_path: Path) -> None:
    (tmp_path / "nova.conf.d").mkdir()
    for name in ("nova.conf", "nova.conf.d/20.conf", "nova.conf.d/10.conf", "nova.conf.d/x.bak"):
        (tmp_path / name).write_text(name)
    found = source.gather(tmp_path / "nova.conf", tmp_path / "nova.conf.d")
    assert list(found.values()) == ["nova.conf", "nova.conf.d/10.conf", "nova.conf.d/20.conf"]


def test_new_files_keep_their_directories_and_none_is_written_where_one_is_there(tmp_path: Path) -> None:
    files = [tmp_path / "etc" / "neutron.conf", tmp_path / "etc" / "plugins" / "ml2" / "ml2_conf.ini"]
    target = tmp_path / "new"
    target.mkdir()
    places = source.places(files, target)
    assert list(places.values()) == [target / "neutron.conf", target / "plugins" / "ml2" / "ml2_conf.ini"]
    source.write_new(places[files[1]], "a")
    with pytest.raises(InputError, match="already") as caught:
        source.places(files, target)
    assert caught.value.where.endswith("ml2_conf.ini")


def test_the_distributions_file_is_found_beside(tmp_path: Path) -> None:
    path = tmp_path / "nova.conf"
    path.write_text("")
    assert source.shipped_beside(path) is None
    (tmp_path / "nova.conf.ucf-dist").write_text("")
    assert source.shipped_beside(path) == tmp_path / "nova.conf.ucf-dist"


def test_a_new_file_is_private_and_never_over_another(tmp_path: Path) -> None:
    path = tmp_path / "new.conf"
    source.write_new(path, "a")
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(InputError, match="already"):
        source.write_new(path, "b")
    assert path.read_text() == "a"


@pytest.fixture
def full_disk() -> Iterator[None]:
    """Let no file get longer than 4 KiB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("full_disk")
def test_a_disk_that_is_full_leaves_no_half_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "nova.conf"
    with pytest.raises(InputError, match="cannot be written"):
        source.write_new(path, "x" * 9999)
    assert list(tmp_path.iterdir()) == []
    path.write_text("old")
    with pytest.raises(InputError, match="cannot be replaced"):
        source.replace(path, "x" * 9999, datetime(2026, 1, 2, tzinfo=UTC))
    assert path.read_text() == "old"
    assert {each.read_text() for each in tmp_path.iterdir()} == {"old"}


def test_what_has_no_end_is_not_read_to_it() -> None:
    with pytest.raises(InputError, match="larger than any"):
        source.read(Path("/dev/zero"))


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


def test_a_replaced_policy_is_kept_where_oslo_policy_does_not_read_it(tmp_path: Path) -> None:
    """Of a policy.d every file without a dot before its name is read: 10.yaml.old too."""
    path = tmp_path / "policy.json"
    path.write_text("{}")
    path.chmod(0o640)
    now = datetime(2026, 1, 2, tzinfo=UTC)
    backup = source.replace_policy(path, "policy.yaml", "new\n", now)
    new = tmp_path / "policy.yaml"
    assert backup == tmp_path / ".policy.json.skipstone-20260102T000000Z"
    assert backup.read_text() == "{}"
    assert {oct(each.stat().st_mode & 0o777) for each in (new, backup)} == {"0o640"}
    assert set(tmp_path.iterdir()) == {new, backup}
    assert list(source.gather_policy(tmp_path)) == [new]
    path.write_text("{}")
    with pytest.raises(InputError, match="already"):
        source.replace_policy(path, "policy.yaml", "other\n", now)
    assert (path.read_text(), new.read_text()) == ("{}", "new\n")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    path = tmp_path / "nova.conf"
    path.write_text("old")
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot be replaced"):
        source.replace(path, "new")
    assert path.read_text() == "old"
