"""The release notes of a route, of the kinds and services that are asked for, as a cloud needs them. Pure."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from typing import Self

from pydantic import BaseModel, ConfigDict

from skipstone.catalog.catalog import Catalog
from skipstone.catalog.release import Release
from skipstone.convert.option import Name
from skipstone.errors import InputError, UnknownRelease
from skipstone.notes.action import Action, action_of
from skipstone.notes.floor import are_met, floors
from skipstone.notes.history import NoteHistory, load_notes
from skipstone.notes.mention import Vocabulary, commands
from skipstone.notes.note import Kind, Note
from skipstone.notes.topic import Topic, named_first, topics_of
from skipstone.notes.usage import Setting, Usage, is_at_least


class Reason(StrEnum):
    """Why a note does not concern a cloud."""

    OTHER_DRIVERS = "about drivers that this cloud does not have"
    INSTALLED = "in the version that is installed already"
    NEW_ENOUGH = "about versions of the database, the broker or the hypervisor older than this cloud's"


class Entry(BaseModel):
    """A note with what it means for the operator, and for the cloud where one was given.

    ``options`` are those of the service that the text names; ``settings`` where the cloud sets one of them;
    ``servers`` the versions of the database and the broker where the text is about them. ``absent`` are the
    drivers that the cloud does not have. ``reason`` says why the note is left out; None: it is not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    note: Note
    action: Action
    options: tuple[Name, ...] = ()
    settings: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    reason: Reason | None = None


class Selection(BaseModel):
    """The notes of a route.

    ``releases`` are those that the route leads through, without the first. ``gaps`` says of which services
    and releases the notes are not known; ``unread`` why nothing was left out for a service.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    target: str
    releases: tuple[str, ...]
    services: tuple[str, ...]
    kinds: tuple[Kind, ...]
    cloud: str | None = None
    entries: tuple[Entry, ...]
    left_out: tuple[Entry, ...] = ()
    gaps: Mapping[str, str] = {}
    unread: Mapping[str, str] = {}

    @cached_property
    def by_service(self) -> Mapping[str, Mapping[Action, tuple[Entry, ...]]]:
        """The entries by service and by what has to be done, in the order of an upgrade."""
        return {
            service: {action: found for action in Action if (found := self._entries(service, action))}
            for service in self.services
        }

    def with_all(self) -> Self:
        """Return the same with what was left out among the rest, which keeps its reason."""
        return self.model_copy(update={"entries": _in_order([*self.entries, *self.left_out]), "left_out": ()})

    def _entries(self, service: str, action: Action) -> tuple[Entry, ...]:
        return tuple(each for each in self.entries if (each.note.service, each.action) == (service, action))


def select(
    catalog: Catalog,
    route: Sequence[Release],
    services: Iterable[str],
    kinds: Collection[Kind],
    usage: Usage | None = None,
) -> Selection:
    """Return the notes of the releases after the first of a route; without ``usage`` all of them.

    Raise InputError where the notes of none of these releases and services are known.
    """
    names = [service.name for service in catalog.in_order(services)]
    histories = [load_notes(name) for name in names]
    gaps = {history.service: gap for history in histories if (gap := _gap(history, catalog, route))}
    entries = [entry for history in histories for entry in _judged(history, route, kinds, usage)]
    if not any(str(release) in history.releases for history in histories for release in route[1:]):
        raise InputError("no release notes of this route are known", evidence="\n".join(gaps.values()))
    return Selection(
        source=route[0].title,
        target=route[-1].title,
        releases=tuple(release.title for release in route[1:]),
        services=tuple(names),
        kinds=tuple(kind for kind in Kind if kind in kinds),
        cloud=usage.cloud if usage else None,
        entries=_in_order(each for each in entries if each.reason is None),
        left_out=_in_order(each for each in entries if each.reason),
        gaps=gaps,
        unread={name: why for name, why in usage.unread.items() if name in names} if usage else {},
    )


def _in_order(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Return what is on options that the cloud sets first, then the gravest kinds; else the order stays."""
    return tuple(sorted(entries, key=lambda each: (not each.settings, list(Kind).index(each.note.kind))))


def way(catalog: Catalog, source: Release, target: Release) -> tuple[Release, ...]:
    """Return the releases from one to another; raise UnknownRelease where that goes backward, or nowhere."""
    if target <= source:
        raise UnknownRelease(
            f"{target.title} is not newer than {source.title}",
            remedy="notes are those of the releases after --from",
        )
    return catalog.between(source, target)


def _gap(history: NoteHistory, catalog: Catalog, route: Sequence[Release]) -> str | None:
    """Say which of a route's notes of a service are not known, or None where all are."""
    missing = [
        release.title
        for release in route[1:]
        if history.service in release.services and str(release) not in history.releases
    ]
    first, last = (catalog.release(history.releases[end]).title for end in (0, -1))
    known = f"those of {first} to {last} are"
    return (
        f"the notes of {history.service} in {', '.join(missing)} are not known; {known}" if missing else None
    )


def _judged(
    history: NoteHistory, route: Sequence[Release], kinds: Collection[Kind], usage: Usage | None
) -> Iterator[Entry]:
    """Yield what a service's notes mean, in the order of the releases."""
    judge = _Judge(history, usage)
    notes = [note for note in history.on(route) if note.kind in kinds]
    order = [str(release) for release in route]
    for note in sorted(notes, key=lambda note: (order.index(note.release), note.file)):
        yield judge.entry(note, str(route[0]))


_SERVERS = {
    "database": re.compile(r"\b(?:mysql|mariadb|galera|postgres\w*|innodb)\b", re.IGNORECASE),
    "broker": re.compile(r"\brabbit(?:mq)?\b", re.IGNORECASE),
}


class _Judge:
    """Tells what notes of a service mean for a cloud."""

    def __init__(self, history: NoteHistory, usage: Usage | None) -> None:
        self._service, self._usage = history.service, usage
        self._vocabulary = Vocabulary(history.service)
        self._set: dict[Name, list[Setting]] = {}
        self._used: dict[str, bool] = {}
        for setting in usage.settings.get(history.service, ()) if usage else ():
            for name in self._vocabulary.known(setting.section, setting.option):
                self._set.setdefault(name, []).append(setting)

    def entry(self, note: Note, source: str) -> Entry:
        """Return what a note means on the way from a release."""
        options = self._vocabulary.named(note.text)
        settings = {setting for name in options for setting in self._set.get(name, ())}
        absent = self._absent(note, options) if self._usage and not settings else ()
        return Entry(
            note=note,
            action=action_of(note, options),
            options=tuple(sorted(options)),
            settings=tuple(setting.place for setting in sorted(settings)),
            servers=tuple(self._servers(note)),
            absent=absent,
            reason=self._reason(note, source, absent),
        )

    def _reason(self, note: Note, source: str, absent: Collection[str]) -> Reason | None:
        if self._usage is None:
            return None
        newest, installed = note.versions.get(source), self._usage.versions.get(self._service)
        if newest and installed and is_at_least(installed, newest):
            return Reason.INSTALLED
        if are_met(floors(note), self._usage.running):
            return Reason.NEW_ENOUGH
        return Reason.OTHER_DRIVERS if absent else None

    def _absent(self, note: Note, options: Collection[Name]) -> tuple[str, ...]:
        """Return what a note is about where the cloud has nothing of it; empty where it may concern it."""
        if self._usage is None or self._usage.unread or commands(note.text):
            return ()
        topics = [topic for topic in topics_of(self._service) if topic.is_named(note.text, options)]
        about = any(named_first(note, topic) for topic in topics) or (options and topics)
        foreign = any(not any(topic.owns(name) for topic in topics) for name in options)
        if not about or foreign or any(map(self._uses, topics)) or self._names_own_driver(note):
            return ()
        return tuple(topic.topic for topic in topics)

    def _uses(self, topic: Topic) -> bool:
        if topic.topic not in self._used:
            self._used[topic.topic] = self._usage is None or self._usage.has(topic.trace)
        return self._used[topic.topic]

    def _names_own_driver(self, note: Note) -> bool:
        """Whether a note has a word of the drivers that the cloud chose, which may be nobody's topic."""
        words = self._usage.drivers(self._service) if self._usage else frozenset()
        return bool(words & set(re.findall(r"[a-z0-9]{3,}", note.text.lower())))

    def _servers(self, note: Note) -> Iterator[str]:
        for kind, pattern in _SERVERS.items():
            if self._usage and kind in self._usage.servers and pattern.search(note.text):
                yield self._usage.servers[kind]
