"""What every release's own code says of a service's options, and what became of one over the releases.

The files ``options/SERVICE.jsonl`` are written by ``tools/option_catalogs.py`` from the releases' own
``oslo-config-generator``. The first line has the releases that were asked, oldest first; every other line one
option: group, name, and its definitions by the first release that has each (null: gone).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from skipstone.catalog.release import Release
from skipstone.convert.option import Name, Option
from skipstone.errors import InputError

OPTIONS = Path(__file__).with_name("options")


class Fate(StrEnum):
    """What became of an option between two releases."""

    KEPT = "kept"
    RENAMED = "renamed"
    REMOVED = "removed"


@dataclass(frozen=True)
class End:
    """Where an option of one release is in a later one.

    ``names`` is where it is read there: several where it was split, none where it is REMOVED. ``release`` is
    the codename of the first that knows the newest name, or that has it no longer. ``path`` is what each
    release says of it that has it, by codename, oldest first.
    """

    fate: Fate
    names: tuple[Name, ...]
    release: str
    path: Mapping[str, Option]

    @property
    def last(self) -> Option:
        """What the newest release that has it says of it."""
        return list(self.path.values())[-1]

    @property
    def first(self) -> Option:
        """What the oldest release says of it."""
        return next(iter(self.path.values()))

    @property
    def default_since(self) -> str | None:
        """The codename of the release that made the default what it is, or None where it is the same."""
        return self._since(Option.same_default)

    @property
    def type_since(self) -> str | None:
        """The codename of the release that made the type what it is, or None where old values have it too."""
        return self._since(Option.same_type)

    def _since(self, same: Callable[[Option, Option], bool]) -> str | None:
        releases, options = list(self.path), list(self.path.values())
        if same(options[0], options[-1]):
            return None
        older = reversed(range(len(options) - 1))
        other = next(index for index in older if not same(options[index], options[-1]))
        return releases[other + 1]


@dataclass(frozen=True)
class ReleaseOptions:
    """The options of one release, by the name under which they are today's."""

    release: str
    options: Mapping[Name, Option] = field(repr=False)

    @cached_property
    def replacements(self) -> Mapping[Name, tuple[Name, ...]]:
        """Today's names by each older one that is still read."""
        found: dict[Name, tuple[Name, ...]] = {}
        for name, option in self.options.items():
            for alias in option.aliases:
                found[alias] = (*found.get(alias, ()), name)
        return found

    @cached_property
    def groups(self) -> frozenset[str]:
        """All groups that have options."""
        return frozenset(name.group for name in self.options)

    def resolve(self, name: Name) -> tuple[Name, ...]:
        """Return today's names of what stands in a file: its own, those it is an alias of, or none.

        An option may be both. Where it is deprecated (``auth_uri``), or an alias in its own group
        (``tenant_name``, which keystone's v2 plugin still has), it is as good as gone: the others count.
        """
        option, others = self.options.get(name), self.replacements.get(name, ())
        if option and others and (option.deprecated or any(other.group == name.group for other in others)):
            return others
        return (name,) if option else others

    def nearest(self, name: Name) -> Name | None:
        """Return what a mistyped option is likely to mean: its name elsewhere, or one alike in its group."""
        inside = [known for known in self.options if known.group == name.group]
        shorter = [known for known in inside if name.option.endswith(f"_{known.option}")]
        elsewhere = [known for known in self.options if known.option == name.option]
        if len(elsewhere) == 1 and not shorter:
            return elsewhere[0]
        # comparing with all of a group takes milliseconds, and few mistype the first letter
        word = name.option.lower()
        alike = get_close_matches(
            word, [each.option for each in inside if each.option[:1] == word[:1]], 1, 0.8
        )
        if alike:
            return Name(name.group, alike[0])
        return max(shorter, key=lambda known: len(known.option), default=None)

    def nearest_group(self, section: str) -> str | None:
        """Return what a mistyped section is likely to mean."""
        if section.strip().upper() == "DEFAULT":
            return "DEFAULT"
        return next(iter(get_close_matches(section.strip(), self.groups, 1, 0.8)), None)


class ChangedOption(NamedTuple):
    """An option with another default: what it was, where it is, and which release did it."""

    name: Name
    old: Option
    end: End
    since: str


@dataclass(frozen=True)
class OptionHistory:
    """A service's options in every release that was asked."""

    service: str
    releases: tuple[str, ...]
    _history: Mapping[Name, Mapping[str, Any]] = field(repr=False)
    _read: dict[str, ReleaseOptions] = field(default_factory=dict, compare=False, repr=False)
    _followed: dict[tuple[str, str, Name], End | None] = field(
        default_factory=dict, compare=False, repr=False
    )
    _changed: dict[tuple[str, ...], tuple["ChangedOption", ...]] = field(
        default_factory=dict, compare=False, repr=False
    )

    @cached_property
    def names(self) -> frozenset[Name]:
        """Every name under which a release has an option; aliases are left out."""
        return frozenset(self._history)

    @cached_property
    def secrets(self) -> frozenset[str]:
        """The names, in whatever group, of options that any release calls secret: some came to it late."""
        definitions = (
            (name.option, each)
            for name, history in self._history.items()
            for each in history.values()
            if each and each.get("secret")
        )
        return frozenset(
            word
            for option, each in definitions
            for word in (option, *(alias[1] for alias in each.get("aliases", ())))
        )

    def at(self, release: str) -> ReleaseOptions:
        """Return the options of a release, by its codename."""
        if release not in self._read:
            past = self.releases[: self.releases.index(release) + 1]
            self._read[release] = ReleaseOptions(release, dict(self._definitions(past)))
        return self._read[release]

    def between(self, source: Release, target: Release) -> tuple[ReleaseOptions, ...]:
        """Return the options of every release on the way, both ends included.

        Raise InputError where one is not known, or the way goes backward.
        """
        for release in (source, target):
            if str(release) not in self.releases:
                first, last = self.releases[0], self.releases[-1]
                raise InputError(
                    f"the options of {self.service} in {release.title} are not known",
                    remedy=f"they are from {first.capitalize()} to {last.capitalize()}",
                )
        if target < source:
            raise InputError(
                f"{target.title} is older than {source.title}", remedy="configuration is carried forward only"
            )
        return self.way(str(source), str(target))

    def way(self, source: str, target: str) -> tuple[ReleaseOptions, ...]:
        """Return the options of every release from one to another, by their codenames."""
        start, end = self.releases.index(source), self.releases.index(target)
        return tuple(self.at(release) for release in self.releases[start : end + 1])

    def changed_defaults(self, way: Sequence[ReleaseOptions]) -> tuple[ChangedOption, ...]:
        """Return the options whose default a release on the way has changed, sorted; found out once."""
        key = tuple(known.release for known in way)
        if key not in self._changed:
            ends = ((name, self.follow(name, way)) for name in sorted(way[0].options))
            self._changed[key] = tuple(
                ChangedOption(name, end.first, end, since)
                for name, end in ends
                if end and len(end.names) == 1 and (since := end.default_since)
            )
        return self._changed[key]

    def follow(self, name: Name, way: Sequence[ReleaseOptions]) -> End | None:
        """Return where an option is in the last release (``follow``); found out once for all files."""
        key = (way[0].release, way[-1].release, name)
        if key not in self._followed:
            self._followed[key] = follow(name, way)
        return self._followed[key]

    def last_seen(self, name: Name, before: str) -> str | None:
        """Return the newest release before one that knew this option, under this name or as an alias."""
        older = reversed(self.releases[: self.releases.index(before)])
        return next((release for release in older if self.at(release).resolve(name)), None)

    def _definitions(self, past: Sequence[str]) -> Any:  # noqa: ANN401 - pairs of Name and Option
        for name, history in self._history.items():
            newest = next((release for release in reversed(past) if release in history), None)
            if newest and (definition := history[newest]) is not None:
                yield name, Option.model_validate(definition)


def follow(name: Name, way: Sequence[ReleaseOptions]) -> End | None:
    """Return where an option of the first release is in the last, or None where the first has none of it.

    The way has every release in between, since an alias may come and go between two of them. ``name`` may be
    an alias in the first.
    """
    first, last = way[0], way[-1]
    names = first.resolve(name)
    if not names:
        return None
    since, gone, path = first.release, "", {first.release: first.options[names[0]]}
    for now in way[1:]:
        following = tuple(dict.fromkeys(new for old in names for new in now.resolve(old)))
        if not following:
            # not for good: what a later release reads under this name again is followed from there
            gone = gone or now.release
            continue
        if following != names:
            names, since = following, now.release
        gone, path[now.release] = "", now.options[names[0]]
    if gone and name in last.options:
        # nova's [wsgi] took options over from oslo.service's in [DEFAULT], and lost them before these
        return End(Fate.KEPT, (name,), last.release, path | {last.release: last.options[name]})
    if gone:
        return End(Fate.REMOVED, (), gone, path)
    return End(Fate.KEPT if names == (name,) else Fate.RENAMED, names, since, path)


def load_history(service: str) -> OptionHistory:
    """Return what is known of a service's options; raise InputError where nothing is."""
    path = OPTIONS / f"{service}.jsonl"
    if not path.exists():
        known = ", ".join(known_services())
        raise InputError(f"no options of {service} are known", remedy=f"those of {known} are")
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    entries = map(json.loads, lines)
    history = {Name(group, option): definitions for group, option, definitions in entries}
    return OptionHistory(service, tuple(json.loads(head)["releases"]), history)


def known_services() -> tuple[str, ...]:
    """Return the names of the services whose options are known."""
    return tuple(sorted(path.stem for path in OPTIONS.glob("*.jsonl")))
