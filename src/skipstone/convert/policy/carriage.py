"""What becomes of the rules that files name, over every release on the way to the target.

oslo.policy takes what a file says of a rule's old name (``DeprecatedRule``) for the new one, or for each of
the new ones, unless the file names these too. ``oslopolicy-policy-upgrade`` writes that down for one release;
here every release on the way is asked, since an old name is forgotten some releases later.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from skipstone.convert.policy.catalog import ReleaseRules, RuleHistory
from skipstone.convert.policy.check import parse, references
from skipstone.convert.policy.document import Entry
from skipstone.convert.policy.effective import DEFAULT_RULE


@dataclass(frozen=True)
class Carriage:
    """What files say (``entries``, the ones that count), carried along a way.

    ``repetitions_ignored`` is what the first release does (``Enforcement``): what it does not take counts for
    nothing in the cloud as it is, and none after it may begin to.
    """

    history: RuleHistory
    way: Sequence[ReleaseRules]
    entries: Mapping[str, Entry]
    repetitions_ignored: bool

    @cached_property
    def stages(self) -> tuple[Mapping[str, Entry], ...]:
        """What counts for which rule in each release, old names included."""
        stages = [dict(self.entries) if len(self.way) == 1 else self._carried(self.entries, self.way[0])]
        for release in self.way[1:]:
            stages.append(self._carried(stages[-1], release))
        return tuple(stages)

    @cached_property
    def final(self) -> Mapping[str, Entry]:
        """What the target is told: of what it does not know only what others need, or no release knows."""
        last, carried = self.way[-1], self.stages[-1]
        if len(self.way) == 1:
            return carried
        kept = {name: entry for name, entry in carried.items() if name in last.rules or self.is_strange(name)}
        while more := {
            name: carried[name] for name in needed(kept.values()) if name in carried.keys() - kept
        }:
            kept |= more
        return {name: entry for name, entry in carried.items() if name in kept}

    def names(self, entry: Entry) -> tuple[str, ...]:
        """Return the rules that the target takes from an entry, its own name first."""
        found = [name for name, each in self.final.items() if each is entry]
        return tuple(sorted(found, key=lambda name: (name != entry.name, name)))

    def ignored(self, entry: Entry) -> tuple[str, ...]:
        """Return the rules that the first release does not take from an entry: it repeats the old default."""
        return tuple(new for old, new in self._ignored if old == entry.name)

    def since(self, name: str) -> int:
        """Return which release on the way took this rule from one of another name first."""
        return next(index for index, stage in enumerate(self.stages) if name in stage)

    def gone_since(self, name: str) -> str:
        """Return the codename of the first release from which on none on the way has this rule."""
        having = [index for index, release in enumerate(self.way) if _knows(release, name)]
        return self.way[having[-1] + 1].release

    def is_strange(self, name: str) -> bool:
        """Whether no release on the way knows a rule, nor any before."""
        return not any(_knows(release, name) for release in self.way) and self.last_seen(name) is None

    def last_seen(self, name: str) -> str | None:
        """Return the newest release before the way that knew a rule."""
        return self.history.last_seen(name, self.way[0].release)

    @cached_property
    def _ignored(self) -> tuple[tuple[str, str], ...]:
        """Old and new names of which the first release does not take the old one's entry for the new one."""
        return tuple(
            (rule.old.name, new)
            for new, rule in self.way[0].rules.items()
            if self.repetitions_ignored and rule.old and new not in self.entries
            if (entry := self.entries.get(rule.old.name)) and entry.check == parse(rule.old.check)
        )

    def _carried(self, entries: Mapping[str, Entry], release: ReleaseRules) -> dict[str, Entry]:
        """Return what counts in a release, given what its files say."""
        taken = {
            new: entries[old]
            for old, new in release.renamed()
            if old in entries and new not in entries and str(entries[old].check) != f"rule:{new}"
            if (old, new) not in self._ignored
        }
        return {**entries, **taken}


def needed(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield the rules that these refer to, and the one that oslo.policy asks where one is not there."""
    yield DEFAULT_RULE
    for entry in entries:
        yield from references(entry.check)


def _knows(release: ReleaseRules, name: str) -> bool:
    return name in release.rules or any(old == name for old, _ in release.renamed())
