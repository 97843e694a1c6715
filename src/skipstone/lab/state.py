"""What the lab remembers between its verbs; what really runs is always read from the machine itself."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from skipstone.errors import LabError
from skipstone.lab.place import Place
from skipstone.lab.release import Project


class Phase(StrEnum):
    """How far the lab came."""

    STARTING = "starting"
    UP = "up"


class Wanted(BaseModel):
    """What was asked for: two labs of equal wishes are the same lab."""

    model_config = ConfigDict(frozen=True)

    release: str
    topology: str
    projects: frozenset[Project]
    mtu: int


class LabState(BaseModel):
    """The lab that is up, or half up. ``forward`` is this machine's IP forwarding before the lab."""

    model_config = ConfigDict(frozen=True)

    wanted: Wanted
    phase: Phase
    forward: bool
    since: datetime = Field(default_factory=lambda: datetime.now(UTC))


def load_state(place: Place) -> LabState | None:
    """Return the state of a place, None where no lab is up or half up; raises LabError when it is damaged."""
    if not place.state_file.exists():
        return None
    try:
        return LabState.model_validate_json(place.state_file.read_text())
    except ValidationError as error:
        raise LabError(
            "what the lab remembers is damaged",
            where=str(place.state_file),
            evidence=str(error),
            remedy="skipstone lab down, then lab up",
        ) from error


def save_state(place: Place, state: LabState) -> None:
    """Write the state in one move."""
    fresh = place.state_file.with_suffix(".new")
    fresh.write_text(state.model_dump_json(indent=1))
    fresh.rename(place.state_file)


@contextmanager
def locked(place: Place) -> Iterator[None]:
    """Hold the lab for one changing verb; raises LabError while another holds it."""
    place.root.mkdir(parents=True, exist_ok=True, mode=0o755)
    with place.lock_file.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LabError(
                "another lab command is at work", where=str(place.lock_file), remedy="wait for it, or end it"
            ) from error
        yield
