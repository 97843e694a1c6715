"""How migrations go in the fake cloud, and what it keeps of them and of its hosts."""

from dataclasses import dataclass, field
from enum import StrEnum

GIB = 1 << 30


class Course(StrEnum):
    """How an instance's next migration goes."""

    WELL = "well"
    NEVER_ENDS = "never-ends"
    TARGET_DIES = "target-dies"
    NO_VALID_HOST = "no-valid-host"
    REFUSED = "refused"
    LOST_REQUEST = "lost-request"
    LOST_ANSWER = "lost-answer"
    ERROR_AT_TARGET = "error-at-target"
    ERROR_AT_SOURCE = "error-at-source"
    LEFT_BEHIND = "left-behind"
    ERROR_AND_DEAD = "error-and-dead"
    ON_BOTH = "on-both"
    ON_NEITHER = "on-neither"
    SILENTLY_BACK = "silently-back"
    RACE = "race"
    LEFTOVER_ALLOCATION = "leftover-allocation"
    LEFTOVER_BINDING = "leftover-binding"
    DELETED_MEANWHILE = "deleted-meanwhile"


@dataclass
class Moving:
    """One migration of the fake."""

    id: int
    uuid: str
    server: str
    source: str
    target: str
    kind: str
    course: Course
    status: str = "accepted"
    step: int = 0
    forced: bool = False


@dataclass
class Host:
    """One compute host with its guests as libvirt has them."""

    name: str
    provider: str
    memory: int = 8192
    version: int = 7002011
    zone: str = "nova"
    up: bool = True
    enabled: bool = True
    reason: str = ""
    fenced: bool = False
    """Forced down in nova, by its operator."""
    guests: dict[str, str] = field(default_factory=dict)
    traits: set[str] = field(default_factory=set)
    directories: set[str] = field(default_factory=set)
    """Of instances that are elsewhere."""
