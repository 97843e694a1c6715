"""What becomes of every rule that policy files name, and why; changes nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from skipstone.convert.judgement import title
from skipstone.convert.policy.carriage import Carriage, needed
from skipstone.convert.policy.check import parse, references
from skipstone.convert.policy.document import Entry
from skipstone.convert.policy.effective import Effective
from skipstone.convert.policy.enforcement import Enforcement
from skipstone.convert.remark import Matter, Remark


@dataclass(frozen=True)
class Verdict:
    """What becomes of what a file says of a rule: under which names it stays, or why not."""

    names: tuple[str, ...]
    remarks: tuple[tuple[Matter, str], ...]


class Judge:
    """Knows what becomes of every entry."""

    def __init__(self, carriage: Carriage, enforced: Mapping[str, Enforcement], *, take: bool) -> None:
        self.carriage, self._enforced, self._take = carriage, enforced, take
        self.first, self.last = carriage.way[0], carriage.way[-1]
        self.still = len(carriage.way) == 1

    @cached_property
    def before(self) -> Effective:
        """The rules as they are, before anything is carried."""
        said = {name: entry.value for name, entry in self.carriage.entries.items()}
        return Effective(self.first, said, self._enforced[self.first.release])

    @cached_property
    def stages(self) -> tuple[Effective, ...]:
        """The rules of every release on the way."""
        between = (
            Effective(
                release, {name: each.value for name, each in stage.items()}, self._enforced[release.release]
            )
            for release, stage in zip(self.carriage.way[1:-1], self.carriage.stages[1:-1], strict=True)
        )
        return (self.before,) if self.still else (self.before, *between, self._after(self.kept))

    @cached_property
    def missing(self) -> Mapping[str, str]:
        """Checks of the source's rules that the files refer to and that the target has not."""
        found: dict[str, str] = {}
        wanted = [] if self.still else list(needed(self.carriage.final.values()))
        while wanted:
            name = wanted.pop()
            known = name in self.last.rules or name in self.carriage.final or name in found
            if not known and name in self.first.rules:
                check = self.before.checks[name]
                found[name] = str(check)
                wanted += references(check)
        return dict(sorted(found.items()))

    def verdict(self, entry: Entry) -> Verdict:
        """Return what becomes of an entry."""
        if self.still:
            return Verdict((entry.name,), tuple(self._doubts(entry)))
        counting = self.carriage.entries[entry.name]
        if counting is not entry:
            text = f"it is not read: line {counting.line} of {counting.file} sets the same and counts"
            return Verdict((), ((Matter.RULE_SHADOWED, text),))
        names = self.carriage.names(entry)
        if not names:
            return Verdict((), (self._gone(entry),))
        if self._is_released(entry):
            first, last = title(self.first.release), title(self.last.release)
            text = f"it only repeats the default of {first}; that of {last} counts now"
            return Verdict((), ((Matter.RULE_RELEASED, text),))
        kept = tuple(name for name in names if name in self.kept)
        if not kept:
            return Verdict((), ((Matter.RULE_REDUNDANT, self._redundant(entry, names)),))
        return Verdict(kept, (*self._renames(entry, kept), *self._doubts(entry), *self._looks(entry, kept)))

    def new_name(self) -> Remark:
        """Return what to say of a file that is JSON no longer."""
        looks = f"{title(self.last.release)} looks for {self._enforced[self.last.release].file} by itself"
        text = f"the new file is YAML: [oslo_policy] policy_file has to name it; {looks}"
        return Remark(matter=Matter.POLICY_FILE, line=None, section="", option="", text=text)

    @cached_property
    def kept(self) -> Mapping[str, Entry]:
        """What the new files say: ``final`` without what is redundant or released."""
        kept = {name: entry for name, entry in self.carriage.final.items() if not self._is_released(entry)}
        return {name: entry for name, entry in kept.items() if not self._is_redundant(name, entry, kept)}

    def _after(self, kept: Mapping[str, Entry]) -> Effective:
        said = {name: entry.value for name, entry in kept.items()} | dict(self.missing)
        return Effective(self.last, said, self._enforced[self.last.release])

    def _is_redundant(self, name: str, entry: Entry, kept: Mapping[str, Entry]) -> bool:
        """Whether the target does the same without it: its default is equal, and none counts beside it."""
        if not self._is_default(name, entry):
            return False
        without = {other: each for other, each in kept.items() if other != name}
        return str(self._after(without).default(name)) == str(entry.check)

    def _is_default(self, name: str, entry: Entry) -> bool:
        rule = self.last.rules.get(name)
        return rule is not None and str(parse(rule.check)) == str(entry.check)

    def _is_released(self, entry: Entry) -> bool:
        """Whether the target's default shall count: what it does not know has none, and others need it."""
        known = all(name in self.last.rules for name in self.carriage.names(entry))
        return self._take and known and self._is_repetition(entry)

    def _is_repetition(self, entry: Entry) -> bool:
        """Whether an entry is the source's default, or that of an old name there."""
        rule = self.first.rules.get(entry.name)
        checks = [rule.check] if rule else []
        checks += [
            each.old.check for each in self.first.rules.values() if each.old and each.old.name == entry.name
        ]
        return str(entry.check) in {str(parse(each)) for each in checks}

    def _gone(self, entry: Entry) -> tuple[Matter, str]:
        if news := self.carriage.ignored(entry):
            first = title(self.first.release)
            return Matter.RULE_REDUNDANT, f"for {first} it is not {', '.join(news)}: it is the old default"
        for old, new in self.last.renamed():
            if old == entry.name and (rival := self.carriage.entries.get(new)):
                where = f"line {rival.line} of {rival.file}"
                return Matter.RULE_SHADOWED, f"it is not read: it is {new}, which {where} sets"
            if old == entry.name:
                return Matter.RULE_REDUNDANT, f"it only says that it is {new} now, which oslo.policy knows"
        seen = self.carriage.last_seen(entry.name)
        if seen and not any(entry.name in release.rules for release in self.carriage.way):
            return Matter.RULE_DEAD, f"the last release that asked for it is {title(seen)}"
        since = self.carriage.gone_since(entry.name)
        last = [release.rules[entry.name] for release in self.carriage.way if entry.name in release.rules]
        reason = f"; {last[-1].reason}" if last and last[-1].reason else ""
        return Matter.RULE_REMOVED, f"no request asks for it since {title(since)}{reason}"

    def _redundant(self, entry: Entry, names: Sequence[str]) -> str:
        renamed = "" if names == (entry.name,) else f" of {', '.join(names)}"
        return f"it is the default{renamed} in {title(self.last.release)}"

    def _renames(self, entry: Entry, kept: Sequence[str]) -> Iterator[tuple[Matter, str]]:
        news = sorted((name for name in kept if name != entry.name), key=self._index)
        for index, names in groupby(news, self._index):
            release = self.carriage.way[index].release
            when = f"since {title(release)}" if index else f"in {title(release)} already"
            yield Matter.RULE_RENAMED, f"it is {', '.join(names)} {when}"

    def _index(self, name: str) -> int:
        return self.carriage.since(name)

    def _doubts(self, entry: Entry) -> Iterator[tuple[Matter, str]]:
        """Yield what a person should look at, whether or not anything changes."""
        if entry.value is None:
            yield Matter.RULE_OPEN, 'it has no check, and everybody passes: write "@", or "!" for nobody'
        yield from self._lost(entry)
        used = entry.name in set(needed(self.carriage.entries.values()))
        if entry.name in self.first.rules or any(old == entry.name for old, _ in self.first.renamed()):
            return
        if entry.name in self.last.rules:
            text = f"{title(self.first.release)} does not ask for it, {title(self.last.release)} does"
            yield Matter.RULE_WAKES, text
        elif not used and (seen := self.carriage.last_seen(entry.name)):
            yield Matter.RULE_DEAD, f"the last release that asked for it is {title(seen)}"
        elif not used:
            near = self.carriage.history.nearest(entry.name)
            hint = f": is it {near}?" if near else ": is it a plugin's?"
            yield Matter.RULE_UNKNOWN, f"no release on the way asks for it{hint}"

    def _lost(self, entry: Entry) -> Iterator[tuple[Matter, str]]:
        for name in dict.fromkeys(references(entry.check)):
            if self.before.find(name) is None and name not in self.last.rules:
                yield Matter.RULE_LOST, f"it refers to {name}, which nobody defines: nobody passes that"

    def _looks(self, entry: Entry, kept: Sequence[str]) -> Iterator[tuple[Matter, str]]:
        """Yield what the target says of rules that stay."""
        release = title(self.last.release)
        for name in kept:
            rule = self.last.rules.get(name)
            if rule is None:
                continue
            if rule.removal:
                yield Matter.RULE_DEPRECATED, f"it is deprecated and will go: {rule.reason}"
            if self._is_default(name, entry):
                text = f"it is the default in {release}, and keeps the deprecated one from counting beside it"
                yield Matter.RULE_GUARDS, text
            elif self._is_repetition(entry):
                first = title(self.first.release)
                text = f"it keeps the default of {first}; that of {release} is {rule.check!r}"
                yield Matter.RULE_PINNED, text
