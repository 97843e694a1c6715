"""What release notes can be about that a cloud may lack: drivers of storage, networks and hypervisors.

The topics are data: ``topics.yaml``. A note is about topics that a cloud lacks where it names them first of
all, and nothing else that the cloud may have: so no note is left out because it was not understood.
"""

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cache, cached_property
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

from skipstone.convert.option import Name
from skipstone.notes.note import Note

_TOPICS = Path(__file__).with_name("topics.yaml")
_EVERY = "every"


class Topic(BaseModel):
    """A driver, or another thing of which a cloud shows whether it has it."""

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))

    topic: str
    named: str
    traces: str | None = None
    options: tuple[str, ...] = ()

    @cached_property
    def words(self) -> re.Pattern[str]:
        """What a note calls it."""
        return re.compile(rf"(?<![a-z0-9])(?:{self.named})(?![a-z0-9])", re.IGNORECASE)

    @cached_property
    def trace(self) -> re.Pattern[str]:
        """What a cloud that has it shows; more may follow in the same word."""
        own = (rf"^{option.replace('*', '[^/=]*')}=" for option in self.options)
        words = "|".join(filter(None, (self.traces, self.named)))
        pattern = "|".join([rf"(?<![a-z0-9])(?:{words})", *own])
        return re.compile(pattern, re.IGNORECASE | re.MULTILINE)

    def owns(self, name: Name) -> bool:
        """Whether an option is of this alone."""
        return any(fnmatchcase(f"{name.group}/{name.option}".lower(), own) for own in self.options)

    def is_named(self, text: str, options: Iterable[Name]) -> bool:
        """Whether a text names it, or an option of it."""
        return bool(self.words.search(text)) or any(map(self.owns, options))


@cache
def topics_of(service: str) -> tuple[Topic, ...]:
    """Return what notes of a service can be about."""
    read: Mapping[str, list[object]] = yaml.load(_TOPICS.read_text("utf-8"), yaml.CSafeLoader)
    return tuple(map(Topic.model_validate, [*read.get(service, ()), *read[_EVERY]]))


def named_first(note: Note, topic: Topic) -> bool:
    """Whether a note begins with a topic: its file's name or its first sentence has it."""
    name = re.sub("[-_]", " ", note.file)
    return bool(topic.words.search(note.headline) or topic.words.search(name))
