"""What a release note asks of the operator, told by rules that are data: ``actions.yaml``."""

import re
from collections.abc import Collection
from enum import StrEnum
from functools import cache, cached_property
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

from skipstone.convert.option import Name
from skipstone.notes.note import Kind, Note

_RULES = Path(__file__).with_name("actions.yaml")


class Action(StrEnum):
    """What has to be done, in the order of an upgrade."""

    BEFORE = "before"
    PROGRAMS = "programs"
    CONFIGURATION = "configuration"
    POLICY = "policy"
    DATABASE = "database"
    DURING = "during"
    AFTER = "after"
    CLIENTS = "clients"
    PLAN = "plan"
    KNOW = "know"
    UNCLASSIFIED = "unclassified"

    @property
    def heading(self) -> str:
        """The heading under which such notes stand."""
        return _HEADINGS[self]


_HEADINGS = {
    Action.BEFORE: "Before the upgrade",
    Action.PROGRAMS: "What is installed: versions, packages, programs",
    Action.CONFIGURATION: "Configuration",
    Action.POLICY: "Policy and roles",
    Action.DATABASE: "Databases",
    Action.DURING: "During the upgrade",
    Action.AFTER: "After the upgrade",
    Action.CLIENTS: "Tell users: the API behaves otherwise",
    Action.PLAN: "Nothing yet, but it will go",
    Action.KNOW: "Nothing, but to know",
    Action.UNCLASSIFIED: "Not classified: read them",
}


class Rule(BaseModel):
    """One line of the rules; it fits where all that it has does."""

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))

    action: Action
    kinds: tuple[Kind, ...] = ()
    text: str = ""
    options: bool = False

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What the text has; the lines of a rule are one pattern."""
        return re.compile(self.text.replace(" |", "|"), re.IGNORECASE)

    def fits(self, note: Note, text: str, options: Collection[Name]) -> bool:
        """Whether this is the rule for a note; ``text`` is its text on one line."""
        return (
            (not self.kinds or note.kind in self.kinds)
            and (not self.options or bool(options))
            and bool(self.pattern.search(text))
        )


@cache
def _rules() -> tuple[Rule, ...]:
    return tuple(map(Rule.model_validate, yaml.load(_RULES.read_text("utf-8"), yaml.CSafeLoader)))


def action_of(note: Note, options: Collection[Name]) -> Action:
    """Return what a note asks for; UNCLASSIFIED where no rule says it."""
    text = " ".join(note.text.split())
    return next((rule.action for rule in _rules() if rule.fits(note, text, options)), Action.UNCLASSIFIED)
