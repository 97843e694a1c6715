import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from skipstone.errors import InputError
from skipstone.lab.place import Place
from skipstone.lab.snapshot import Snapshots, check_name
from skipstone.lab.state import Wanted
from skipstone.lab.storage import Disk

WANTED = Wanted(release="zed", topology="small", projects=frozenset(), mtu=1400)


class FolderDisk(Disk):
    """Volumes as plain directories: what storage promises, without root."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def open(self) -> None:
        self._root.mkdir(exist_ok=True)

    def close(self) -> None:
        """Nothing is mounted."""

    def path(self, volume: str) -> Path:
        return self._root / volume

    def create(self, volume: str) -> Path:
        self.path(volume).mkdir(parents=True)
        return self.path(volume)

    def rename(self, volume: str, name: str) -> None:
        self.path(volume).rename(self.path(name))

    def exists(self, volume: str) -> bool:
        return self.path(volume).is_dir()

    def copy(self, source: str, volume: str) -> Path:
        shutil.copytree(self.path(source), self.path(volume))
        return self.path(volume)

    def delete(self, volume: str) -> None:
        shutil.rmtree(self.path(volume), ignore_errors=True)

    def volumes(self, folder: str) -> list[str]:
        return sorted(p.name for p in self.path(folder).iterdir()) if self.exists(folder) else []


class Held:
    """A cgroup that remembers how many were held at the same time."""

    now = 0

    @contextmanager
    def frozen(self) -> Iterator[None]:
        Held.now += 1
        yield
        Held.now -= 1


class WatchingDisk(FolderDisk):
    """A disk that notes how many hosts are held while it copies."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.held: list[int] = []

    def copy(self, source: str, volume: str) -> Path:
        self.held.append(Held.now)
        return super().copy(source, volume)


@pytest.fixture
def disk(tmp_path: Path) -> WatchingDisk:
    disk = WatchingDisk(tmp_path / "disk")
    for host in ("ctl1", "cmp1"):
        (disk.create(f"hosts/{host}") / "file").write_text(host)
    return disk


def hosts() -> list[Any]:
    return [SimpleNamespace(name=name, cgroup=Held()) for name in ("ctl1", "cmp1")]


def test_all_hosts_are_held_while_any_is_copied(tmp_path: Path, disk: WatchingDisk) -> None:
    Snapshots(Place(tmp_path), disk).take("before", WANTED, hosts())
    assert disk.held == [2, 2]
    assert Held.now == 0


def test_a_snapshot_brings_back_what_was(tmp_path: Path, disk: WatchingDisk) -> None:
    snapshots = Snapshots(Place(tmp_path), disk)
    snapshots.take("before", WANTED, hosts())
    (disk.path("hosts/ctl1") / "file").write_text("changed")
    (disk.path("hosts/ctl1") / "new").touch()
    trees = snapshots.put_back(snapshots.get("before"))
    assert (trees["ctl1"] / "file").read_text() == "ctl1"
    assert not (trees["ctl1"] / "new").exists()


def test_an_interrupted_snapshot_is_none(tmp_path: Path, disk: WatchingDisk) -> None:
    snapshots = Snapshots(Place(tmp_path), disk)
    disk.delete("hosts/cmp1")
    with pytest.raises(FileNotFoundError):
        snapshots.take("half", WANTED, hosts())
    assert snapshots.find("half") is None
    assert Held.now == 2 or snapshots.all() == []
    Held.now = 0


def test_a_name_is_taken_anew(tmp_path: Path, disk: WatchingDisk) -> None:
    snapshots = Snapshots(Place(tmp_path), disk)
    snapshots.take("same", WANTED, hosts())
    (disk.path("hosts/ctl1") / "file").write_text("second")
    snapshots.take("same", WANTED, hosts())
    assert len(snapshots.all()) == 1
    assert (disk.path("snapshots/same/ctl1") / "file").read_text() == "second"


def test_a_deleted_snapshot_is_gone(tmp_path: Path, disk: WatchingDisk) -> None:
    snapshots = Snapshots(Place(tmp_path), disk)
    snapshots.take("golden-x", WANTED, hosts())
    snapshots.take("mine", WANTED, hosts())
    snapshots.delete("mine")
    with pytest.raises(InputError, match="mine") as caught:
        snapshots.get("mine")
    assert caught.value.remedy == "snapshots: none", "golden clouds are not the operator's"


@pytest.mark.parametrize("name", ["", "../up", "golden-zed", "Upper", "a b", "-x"])
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(InputError):
        check_name(name)


def test_a_good_name_is_returned() -> None:
    assert check_name("before-2025.1") == "before-2025.1"
