"""What a conversion says of a line: what was done to it and why, or what a person has to decide."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Weight(StrEnum):
    """What a remark asks of its reader."""

    CHANGED = "changed"
    DECIDE = "decide"
    INFO = "info"


class Matter(StrEnum):
    """What a remark is about; permanent, for programs that read them."""

    OPTION_RENAMED = "option-renamed"
    OPTION_MOVED = "option-moved"
    OPTION_REMOVED = "option-removed"
    OPTION_SHADOWED = "option-shadowed"
    OPTION_DEAD = "option-dead"
    OPTION_UNKNOWN = "option-unknown"
    OPTION_DEPRECATED = "option-deprecated"
    OPTION_TWICE = "option-twice"
    SECTION_TWICE = "section-twice"
    SECTION_UNKNOWN = "section-unknown"
    VALUE_REFUSED = "value-refused"
    REFERENCE_FOLLOWED = "reference-followed"
    REFERENCE_LOST = "reference-lost"
    DEFAULT_CHANGED = "default-changed"
    DEFAULT_KEPT = "default-kept"

    @property
    def weight(self) -> Weight:
        """What is asked of the reader."""
        return _WEIGHTS.get(self, Weight.INFO)


_WEIGHTS = {
    Matter.OPTION_RENAMED: Weight.CHANGED,
    Matter.OPTION_MOVED: Weight.CHANGED,
    Matter.OPTION_REMOVED: Weight.DECIDE,
    Matter.OPTION_SHADOWED: Weight.CHANGED,
    Matter.OPTION_DEAD: Weight.DECIDE,
    Matter.OPTION_UNKNOWN: Weight.DECIDE,
    Matter.SECTION_UNKNOWN: Weight.DECIDE,
    Matter.VALUE_REFUSED: Weight.DECIDE,
    Matter.REFERENCE_FOLLOWED: Weight.CHANGED,
    Matter.REFERENCE_LOST: Weight.DECIDE,
    Matter.DEFAULT_KEPT: Weight.CHANGED,
}


class Remark(BaseModel):
    """One thing said of a line; ``text`` never holds a value of the file.

    ``line`` is that of the file as it was; None where nothing stood there (a default).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    matter: Matter
    line: int | None
    section: str
    option: str
    text: str
