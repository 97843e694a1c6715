"""What every release's own code says of a service's policy rules.

The files ``rules/SERVICE.jsonl`` are written by ``tools/policy_catalogs.py`` from what the releases' own
``list_rules`` return. The first line has the releases that were asked, oldest first; every other line one
rule: its name, and its definitions by the first release that has each (null: gone).
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from skipstone.catalog.release import Release
from skipstone.convert.policy.rule import Rule
from skipstone.errors import InputError

RULES = Path(__file__).with_name("rules")


@dataclass(frozen=True)
class ReleaseRules:
    """The rules of one release, by name, in the order of their names."""

    release: str
    rules: Mapping[str, Rule] = field(repr=False)

    def renamed(self) -> Iterator[tuple[str, str]]:
        """Yield the old name, of which overrides are still taken, and the new one of rules that have both."""
        for name, rule in self.rules.items():
            if rule.old and rule.old.name != name:
                yield rule.old.name, name


@dataclass(frozen=True)
class RuleHistory:
    """A service's rules in every release that was asked."""

    service: str
    releases: tuple[str, ...]
    _history: Mapping[str, Mapping[str, Any]] = field(repr=False)
    _read: dict[str, ReleaseRules] = field(default_factory=dict, repr=False)

    def at(self, release: str) -> ReleaseRules:
        """Return the rules of a release, given by its codename."""
        if release not in self._read:
            past = self.releases[: self.releases.index(release) + 1]
            self._read[release] = ReleaseRules(release, dict(self._definitions(past)))
        return self._read[release]

    def between(self, source: Release, target: Release) -> tuple[ReleaseRules, ...]:
        """Return the rules of every release on the way, both ends included.

        Raise InputError where one is not known, or the way goes backward.
        """
        for release in (source, target):
            if str(release) not in self.releases:
                first, last = self.releases[0], self.releases[-1]
                raise InputError(
                    f"the policy rules of {self.service} in {release.title} are not known",
                    remedy=f"they are from {first.capitalize()} to {last.capitalize()}",
                )
        if target < source:
            raise InputError(
                f"{target.title} is older than {source.title}", remedy="policy is carried forward only"
            )
        start, end = self.releases.index(str(source)), self.releases.index(str(target))
        return tuple(self.at(release) for release in self.releases[start : end + 1])

    @property
    def names(self) -> Collection[str]:
        """The names of the rules of all releases."""
        return self._history.keys()

    def last_seen(self, name: str, before: str) -> str | None:
        """Return the newest release before one that had this rule, or read overrides of it."""
        older = reversed(self.releases[: self.releases.index(before)])
        return next((release for release in older if self._knows(release, name)), None)

    def nearest(self, name: str) -> str | None:
        """Return the rule of any release whose name is most like this one, or None."""
        return next(iter(get_close_matches(name, self._history, n=1, cutoff=0.8)), None)

    def _knows(self, release: str, name: str) -> bool:
        rules = self.at(release)
        return name in rules.rules or any(old == name for old, _ in rules.renamed())

    def _definitions(self, past: Sequence[str]) -> Iterator[tuple[str, Rule]]:
        for name, history in self._history.items():
            newest = next((release for release in reversed(past) if release in history), None)
            if newest and (definition := history[newest]) is not None:
                yield name, Rule.model_validate(definition)


def load_rules(service: str) -> RuleHistory:
    """Return what is known of a service's rules; raise InputError where nothing is."""
    path = RULES / f"{service}.jsonl"
    if not path.exists():
        known = ", ".join(known_services())
        raise InputError(f"no policy rules of {service} are known", remedy=f"those of {known} are")
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    return RuleHistory(service, tuple(json.loads(head)["releases"]), dict(map(json.loads, lines)))


def known_services() -> tuple[str, ...]:
    """Return the names of the services whose rules are known."""
    return tuple(sorted(path.stem for path in RULES.glob("*.jsonl")))
