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
    OPTION_OUTDONE = "option-outdone"
    SECTION_TWICE = "section-twice"
    SECTION_UNKNOWN = "section-unknown"
    OPTION_NEEDED = "option-needed"
    VALUE_REFUSED = "value-refused"
    VALUE_GONE = "value-gone"
    VALUE_DEAD = "value-dead"
    TYPE_CHANGED = "type-changed"
    REFERENCE_FOLLOWED = "reference-followed"
    REFERENCE_LOST = "reference-lost"
    DEFAULT_CHANGED = "default-changed"
    DEFAULT_MATTERS = "default-matters"
    DEFAULT_KEPT = "default-kept"
    RULE_RENAMED = "rule-renamed"
    RULE_REMOVED = "rule-removed"
    RULE_REDUNDANT = "rule-redundant"
    RULE_RELEASED = "rule-released"
    RULE_SHADOWED = "rule-shadowed"
    RULE_DEFINED = "rule-defined"
    RULE_UNKNOWN = "rule-unknown"
    RULE_DEAD = "rule-dead"
    RULE_WAKES = "rule-wakes"
    RULE_LOST = "rule-lost"
    RULE_PINNED = "rule-pinned"
    RULE_GUARDS = "rule-guards"
    RULE_OPEN = "rule-open"
    RULE_DEPRECATED = "rule-deprecated"
    POLICY_FILE = "policy-file"
    PROGRAM_REPLACED = "program-replaced"
    PROGRAM_NEEDS = "program-needs"
    PROGRAM_LEAVES = "program-leaves"
    PROGRAM_GONE = "program-gone"
    FACTORY_GONE = "factory-gone"
    PASTE_CUT = "paste-cut"
    MERGE_CONFLICT = "merge-conflict"
    SETTING_FOLLOWED = "setting-followed"
    COMMENT_LEFT = "comment-left"

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
    Matter.OPTION_NEEDED: Weight.DECIDE,
    Matter.VALUE_REFUSED: Weight.DECIDE,
    Matter.VALUE_GONE: Weight.DECIDE,
    Matter.VALUE_DEAD: Weight.DECIDE,
    Matter.DEFAULT_MATTERS: Weight.DECIDE,
    Matter.REFERENCE_FOLLOWED: Weight.CHANGED,
    Matter.REFERENCE_LOST: Weight.DECIDE,
    Matter.DEFAULT_KEPT: Weight.CHANGED,
    Matter.RULE_RENAMED: Weight.CHANGED,
    Matter.RULE_REMOVED: Weight.DECIDE,
    Matter.RULE_REDUNDANT: Weight.CHANGED,
    Matter.RULE_RELEASED: Weight.CHANGED,
    Matter.RULE_SHADOWED: Weight.CHANGED,
    Matter.RULE_DEFINED: Weight.CHANGED,
    Matter.RULE_UNKNOWN: Weight.DECIDE,
    Matter.RULE_DEAD: Weight.DECIDE,
    Matter.RULE_WAKES: Weight.DECIDE,
    Matter.RULE_LOST: Weight.DECIDE,
    Matter.RULE_OPEN: Weight.DECIDE,
    Matter.POLICY_FILE: Weight.DECIDE,
    Matter.PROGRAM_REPLACED: Weight.CHANGED,
    Matter.PROGRAM_NEEDS: Weight.CHANGED,
    Matter.PROGRAM_GONE: Weight.DECIDE,
    Matter.FACTORY_GONE: Weight.DECIDE,
    Matter.PASTE_CUT: Weight.CHANGED,
    Matter.MERGE_CONFLICT: Weight.DECIDE,
    Matter.SETTING_FOLLOWED: Weight.CHANGED,
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
