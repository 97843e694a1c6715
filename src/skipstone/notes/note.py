"""One entry of one release note, as a release's own code carries it."""

from collections.abc import Mapping
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Kind(StrEnum):
    """reno's sections, the gravest first."""

    CRITICAL = "critical"
    SECURITY = "security"
    UPGRADE = "upgrade"
    DEPRECATIONS = "deprecations"
    ISSUES = "issues"
    PRELUDE = "prelude"
    FEATURES = "features"
    FIXES = "fixes"
    OTHER = "other"


USUAL = (Kind.CRITICAL, Kind.SECURITY, Kind.UPGRADE, Kind.DEPRECATIONS)
"""The kinds that everybody who upgrades has to know."""


class Note(BaseModel):
    """One entry of a note's file.

    ``release`` is the codename of the first release on the route that has it, ``version`` the oldest of its
    point releases that was read and has it. ``versions`` are the newest point releases of older releases that
    have it too, by codename; ``gone`` is the release on the route in which upstream took it back. ``file`` is
    below ``releasenotes/notes`` of the service's source, ``entry`` counts its entries of this kind from 1.
    ``text`` is reStructuredText.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: str
    release: str
    version: str
    file: str
    kind: Kind
    entry: int
    text: str
    versions: Mapping[str, str] = {}
    gone: str | None = None

    @property
    def id(self) -> str:
        """What tells the note from every other."""
        return f"{self.service}/{self.file}:{self.kind}-{self.entry}"

    @property
    def headline(self) -> str:
        """The first sentence, on one line."""
        paragraph = " ".join(self.text.split("\n\n")[0].split())
        sentence, dot, _ = paragraph.partition(". ")
        return sentence + dot.rstrip()
