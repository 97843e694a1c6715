"""Snapshots of all hosts at one instant, and the golden cloud, which is a snapshot with a computed name."""

import re
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from skipstone.errors import InputError
from skipstone.lab.host import Host
from skipstone.lab.place import Place
from skipstone.lab.state import Wanted
from skipstone.lab.storage import Disk

NAME = re.compile(r"^[a-z0-9][a-z0-9.-]{0,40}$")
GOLDEN = "golden-"


class Snapshot(BaseModel):
    """What a snapshot holds; its record is written last, so a snapshot with a record is complete."""

    model_config = ConfigDict(frozen=True)

    name: str
    wanted: Wanted
    hosts: tuple[str, ...]
    taken: datetime = Field(default_factory=lambda: datetime.now(UTC))


class Snapshots:
    """The snapshots of one place."""

    def __init__(self, place: Place, disk: Disk) -> None:
        self._disk = disk
        self._records = place.root / "snapshots"

    def all(self) -> list[Snapshot]:
        """Return every complete snapshot, oldest first."""
        found = [Snapshot.model_validate_json(file.read_text()) for file in self._records.glob("*.json")]
        return sorted(found, key=lambda snapshot: snapshot.taken)

    def find(self, name: str) -> Snapshot | None:
        """Return a complete snapshot by name."""
        return next((snapshot for snapshot in self.all() if snapshot.name == name), None)

    def get(self, name: str) -> Snapshot:
        """Return a complete snapshot by name; raises InputError with the known names."""
        found = self.find(name)
        if found is None:
            known = ", ".join(s.name for s in self.all() if not s.name.startswith(GOLDEN)) or "none"
            raise InputError(f"no snapshot {name!r}", remedy=f"snapshots: {known}")
        return found

    def take(self, name: str, wanted: Wanted, hosts: list[Host]) -> Snapshot:
        """Copy all hosts while every process on them is held still, so that they agree with each other.

        It is what a power failure of all hosts at once would leave, but with nothing written lost.
        """
        self.delete(name)
        with ExitStack() as held:
            for host in hosts:
                held.enter_context(host.cgroup.frozen())
            for host in hosts:
                self._disk.copy(f"hosts/{host.name}", f"snapshots/{name}/{host.name}")
        snapshot = Snapshot(name=name, wanted=wanted, hosts=tuple(host.name for host in hosts))
        self._records.mkdir(exist_ok=True)
        fresh = self._record(name).with_suffix(".new")
        fresh.write_text(snapshot.model_dump_json(indent=1))
        fresh.rename(self._record(name))
        return snapshot

    def put_back(self, snapshot: Snapshot) -> dict[str, Path]:
        """Replace the hosts' volumes by copies of a snapshot and return the trees; the hosts must be off."""
        trees = {}
        for name in snapshot.hosts:
            self._disk.delete(f"hosts/{name}")
            trees[name] = self._disk.copy(f"snapshots/{snapshot.name}/{name}", f"hosts/{name}")
        return trees

    def delete(self, name: str) -> None:
        """Remove a snapshot, complete or not; harmless when there is none."""
        self._record(name).unlink(missing_ok=True)
        for volume in self._disk.volumes(f"snapshots/{name}"):
            self._disk.delete(f"snapshots/{name}/{volume}")

    def _record(self, name: str) -> Path:
        return self._records / f"{name}.json"


def check_name(name: str) -> str:
    """Return a name that an operator may give a snapshot; raises InputError."""
    if not NAME.match(name) or name.startswith(GOLDEN):
        raise InputError(f"not a name for a snapshot: {name!r}", remedy="use a-z, 0-9, dots and dashes")
    return name
