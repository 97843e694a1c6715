"""A Cloud on disk: the same back, the same bytes, and no edited file taken for the truth."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from skipstone.cloud.cloudfile import load_cloud, save_cloud
from skipstone.cloud.fingerprint import digest_of
from skipstone.cloud.model import AptSource, Cloud, ConfigFile, Host, Instance, OperatingSystem
from skipstone.errors import InputError

HOST = Host(
    name="ctl1",
    address="10.0.0.1",
    groups=("control",),
    reachable=True,
    os=OperatingSystem(id="debian", version="12", codename="bookworm"),
    config_files=(
        ConfigFile(path="/etc/a", sha256="0", size=3, text="[a]\nb = ünï: 'x' \"y\"\n\n\tc\n"),
        ConfigFile(path="/etc/b", sha256="1", size=3, text="  leads with spaces\nno: yes\n"),
        ConfigFile(path="/etc/k", sha256="2", size=3, text=None),
    ),
    apt_sources=(AptSource(path="/s", suites=("bookworm",), text="deb x bookworm main"),),
)
CLOUD = Cloud(
    name="lab", taken_at=datetime(2026, 1, 2, tzinfo=UTC), skipstone="0", release="zed", hosts=(HOST,)
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cloud.yaml"


def refused(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        load_cloud(path)
    assert caught.value.remedy
    return caught.value


def test_what_is_saved_is_loaded(path: Path) -> None:
    save_cloud(CLOUD, path)
    assert load_cloud(path) == CLOUD
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_hosts_have_alike_is_once_in_a_large_cloud(tmp_path: Path) -> None:
    path = tmp_path / "cloud.json"
    other = ConfigFile(path="/etc/b", sha256="2", size=3, text="another\n")
    second = HOST.model_copy(update={"name": "ctl2", "config_files": (HOST.config_files[0], other)})
    bare = Host(name="ctl3", address="10.0.0.3", groups=(), reachable=False)
    cloud = CLOUD.model_copy(update={"hosts": (HOST, second, bare)})
    save_cloud(cloud, path)
    assert path.read_text().count("bookworm main") == 1
    assert path.read_text().count("/etc/a") == 1
    one, two, three = load_cloud(path).hosts
    assert (one, two, three) == cloud.hosts
    assert one.apt_sources is two.apt_sources
    assert one.config_files[0] is two.config_files[0]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"apt_sources":0', '"apt_sources":7', "share"),
        ('"apt_sources":0', '"apt_sources":"x"', "share"),
        ('"config_files":[0,1,2]', '"config_files":[0,2]', "edited"),
        ('"config_files":[0,1,2]', '"config_files":null', "share"),
    ],
)
def test_numbers_of_nothing_are_told(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = tmp_path / "cloud.json"
    save_cloud(CLOUD, path)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert says in str(refused(path))


def test_a_large_cloud_is_json_and_an_edited_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cloud.json"
    save_cloud(CLOUD, path)
    assert json.loads(path.read_text())["digest"] == digest_of(CLOUD)
    assert load_cloud(path) == CLOUD
    path.write_text(path.read_text().replace('"release":"zed"', '"release":"yoga"'))
    assert "edited" in str(refused(path))
    path.write_text(path.read_text().replace('"release"', '"releases"'))
    assert "no key of this name" in str(refused(path))


def test_a_file_that_is_its_packages_is_known_as_that_and_others_take_no_room(path: Path) -> None:
    files = tuple(
        file.model_copy(update={"shipped": True} if file.path == "/etc/b" else {})
        for file in HOST.config_files
    )
    cloud = CLOUD.model_copy(update={"hosts": (HOST.model_copy(update={"config_files": files}),)})
    save_cloud(cloud, path)
    assert load_cloud(path) == cloud
    assert path.read_text().count("shipped") == 1
    assert digest_of(cloud) == digest_of(CLOUD), "plans of before are not stale because of it"


def test_the_same_cloud_gives_the_same_bytes(path: Path) -> None:
    save_cloud(CLOUD, path)
    first = path.read_bytes()
    save_cloud(load_cloud(path), path)
    assert path.read_bytes() == first
    assert [entry.name for entry in path.parent.iterdir()] == ["cloud.yaml"]


def test_an_edited_file_is_refused(path: Path) -> None:
    save_cloud(CLOUD, path)
    path.write_text(path.read_text().replace("release: zed", "release: yoga"))
    error = refused(path)
    assert error.what.startswith("this file was edited")
    assert error.where == f"{path}:1: digest"


def test_what_changes_by_itself_may_change(path: Path) -> None:
    save_cloud(CLOUD.model_copy(update={"taken_at": datetime(2027, 1, 1, tzinfo=UTC)}), path)
    assert digest_of(load_cloud(path)) == digest_of(CLOUD)


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("format: 1", "format: 2", 2, "this file is of format 2"),
        ("reachable: true", "reachable: perhaps", 12, "valid boolean"),
        ("  address: 10.0.0.1\n", "", 8, "this key is missing"),
        ("release: zed", "release: [", None, "not valid YAML"),
    ],
)
def test_mistakes_are_placed(path: Path, old: str, new: str, line: int | None, what: str) -> None:
    save_cloud(CLOUD, path)
    path.write_text(path.read_text().replace(old, new))
    error = refused(path)
    assert what in error.what
    assert error.where.startswith(f"{path}:{line or ''}")


@pytest.mark.parametrize("name", ["cloud.yaml", "cloud.json"])
def test_instances_come_back_and_what_is_no_fact_of_theirs_is_placed(tmp_path: Path, name: str) -> None:
    vm = Instance(id="i", name="vm", project="p", host="cmp1", status="ACTIVE", addresses=("192.0.2.1",))
    cloud = CLOUD.model_copy(update={"instances": (vm, replace(vm, id="j", host=None, task="spawning"))})
    path = tmp_path / name
    save_cloud(cloud, path)
    assert load_cloud(path) == cloud
    path.write_text(path.read_text().replace("task", "tusk"))
    error = refused(path)
    assert "no key of this name" in error.what
    assert "instances.1.tusk" in error.where


def test_another_kind_of_file(path: Path) -> None:
    path.write_text("name: lab\nhosts: {}\n")
    assert "not the file of a discovered cloud" in refused(path).what


def test_no_file(path: Path) -> None:
    assert "cannot be read" in refused(path).what


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        save_cloud(CLOUD, tmp_path / "no" / "cloud.yaml")
