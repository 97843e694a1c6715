"""Steps that many hosts have alike but for the host's name: held once, and made when they are asked for.

A plan of ten thousand hosts has two hundred thousand steps. Who only writes it, counts it or shows its
beginning needs their texts and outlines, which are a model's with another name in it.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple, overload

from skipstone.steps.step import Step

_NAME = re.compile(r"(?=.*[^\d.eE+-])[\w.-]+", re.ASCII)
"""A name that stands in JSON as it is, and of which no number has a part."""


def compact(value: object) -> str:
    """Return data as JSON without blanks, its keys in order."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def text_of(step: Step) -> str:
    """Return a step's parameters as JSON: what a plan's digest is made of."""
    return compact(step.model_dump(mode="json"))


def kind_of(step: Step) -> str:
    """Return the word that plans use for a step's class."""
    return str(type(step).model_fields["kind"].default)


class Outline(NamedTuple):
    """What of a step its stage goes by; ``host`` is the one that is down meanwhile, or where it runs."""

    id: str
    kind: str
    host: str
    group: str
    needs: tuple[str, ...]
    estimate: int

    @classmethod
    def of(cls, step: Step) -> "Outline":
        """Return a step's outline."""
        host = step.group or step.host
        return cls(step.id, kind_of(step), host, step.group, step.needs, step.estimate)


class Model:
    """A step of one host that others' are, where its host's name is replaced by theirs."""

    def __init__(self, step: Step, text: str) -> None:
        self.step = step
        self.text = text
        self.outline = Outline.of(step)
        self.host = self.outline.host

    @cached_property
    def is_plain(self) -> bool:
        """Whether its host's name is one that can be replaced without a look at what comes of it."""
        return is_plain(self.host)

    def renamed(self, host: str) -> str:
        """Return another host's text."""
        return self.text.replace(self.host, host)


def is_plain(host: str) -> bool:
    """Say whether a host's name can be put into a model's text without a look at what comes of it."""
    return _NAME.fullmatch(host) is not None


class Repeat(NamedTuple):
    """A model's step, of another host; both have plain names."""

    model: Model
    host: str

    @property
    def text(self) -> str:
        """Its parameters, as ``text_of`` gives them."""
        return self.model.renamed(self.host)

    def step(self) -> Step:
        """Return the step itself."""
        return type(self.model.step).model_validate_json(self.text)

    @property
    def id(self) -> str:
        """The step's id."""
        return self.model.outline.id.replace(self.model.host, self.host)

    @property
    def outline(self) -> Outline:
        """What its stage goes by."""
        _, kind, old, group, needs, estimate = self.model.outline
        needs = tuple([need.replace(old, self.host) for need in needs])
        return Outline(self.id, kind, self.host, group and self.host, needs, estimate)


Entry = Step | Repeat


class Steps(Sequence[Step]):
    """The steps of a stage, some of them repeats; it is equal to any sequence of the same steps."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = tuple(entries)

    @cached_property
    def outlines(self) -> tuple[Outline, ...]:
        """What the stage goes by of each step."""
        return tuple(map(_outline, self.entries))

    @cached_property
    def _made(self) -> tuple[Step, ...]:
        return tuple(map(made, self.entries))

    @overload
    def __getitem__(self, place: int) -> Step: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Step]: ...

    def __getitem__(self, place: int | slice) -> Step | Sequence[Step]:
        if isinstance(place, slice) or "_made" in self.__dict__:
            return self._made[place]
        return made(self.entries[place])

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Step]:
        return iter(self._made)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Steps | tuple):
            return NotImplemented
        return self._made == tuple(other)

    def __hash__(self) -> int:
        return hash(self._made)

    def __repr__(self) -> str:
        return repr(self._made)


def entries_of(steps: Sequence[Step]) -> Sequence[Entry]:
    """Return a stage's steps, of which those of a model stay unmade."""
    return steps.entries if isinstance(steps, Steps) else steps


def outlines_of(steps: Sequence[Step]) -> Sequence[Outline]:
    """Return what a stage goes by of each of its steps."""
    return steps.outlines if isinstance(steps, Steps) else tuple(map(Outline.of, steps))


def _outline(entry: Entry) -> Outline:
    return entry.outline if isinstance(entry, Repeat) else Outline.of(entry)


def id_and_host(entry: Entry) -> tuple[str, str]:
    """Return a step's id, and the host that is down meanwhile, or where it runs."""
    if isinstance(entry, Repeat):
        return entry.id, entry.host
    return entry.id, entry.group or entry.host


def made(entry: Entry) -> Step:
    """Return the step itself."""
    return entry.step() if isinstance(entry, Repeat) else entry
