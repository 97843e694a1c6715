"""Who may do less or more in the target than in the source, with the files as they are converted.

Every operation's rule is asked at both ends, for every persona and for objects of every owner. Which rule
stands for one of the source is told by the releases: the same name, or the old name (``DeprecatedRule``)
where a rule came new.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby, pairwise

from skipstone.convert.policy.catalog import ReleaseRules
from skipstone.convert.policy.effective import Effective
from skipstone.convert.policy.permission import EVERYBODY, Allowed, Permissions, Who
from skipstone.convert.policy.rule import Operation


class Turn(StrEnum):
    """What changed for somebody."""

    LOST = "loses"
    GAINED = "gains"


@dataclass(frozen=True)
class Effect:
    """A rule that lets others pass than before; ``old`` is its name in the source."""

    name: str
    old: str
    operations: tuple[Operation, ...]
    since: str
    """The codename of the release in which it came to what it is in the target."""
    turns: Mapping[Turn, tuple[Who, ...]]


@dataclass(frozen=True)
class Effects:
    """What changed for whom; ``untold`` are rules that ask other servers, whose answer nobody knows."""

    changed: tuple[Effect, ...]
    untold: tuple[str, ...]
    asked: int


def effects(service: str, stages: Sequence[Effective]) -> Effects:
    """Return what changes for the personas between the first and the last release."""
    predecessors = _predecessors([stage.release for stage in stages])
    first, last = stages[0], stages[-1]
    pairs = [(name, names[0]) for name, names in predecessors.items() if last.release.rules[name].operations]
    before = _answers(service, first, [old for _, old in pairs])
    after = _answers(service, last, [name for name, _ in pairs])
    turned = {name: (old, _turns(before[old], after[name])) for name, old in pairs}
    changed = {name: found for name, found in turned.items() if found[1]}
    since = _since(service, stages, {name: predecessors[name] for name in changed}, after)
    found = tuple(
        Effect(name, old, last.release.rules[name].operations, since[name], turns)
        for name, (old, turns) in sorted(changed.items())
    )
    untold = (name for name, old in pairs if None in before[old].values() or None in after[name].values())
    return Effects(found, tuple(untold), len(pairs))


Answers = Mapping[Who, Allowed]


def _answers(service: str, effective: Effective, names: Sequence[str]) -> Mapping[str, Answers]:
    """Return for each rule whether it lets each of everybody pass."""
    found: dict[str, dict[Who, Allowed]] = defaultdict(dict)
    for who in EVERYBODY:
        for name, allowed in Permissions(service, effective, who).allowed(names).items():
            found[name][who] = allowed
    return found


def _turns(before: Answers, after: Answers) -> dict[Turn, tuple[Who, ...]]:
    lost = tuple(who for who in EVERYBODY if before[who] is True and after[who] is False)
    gained = tuple(who for who in EVERYBODY if before[who] is False and after[who] is True)
    return {turn: whom for turn, whom in ((Turn.LOST, lost), (Turn.GAINED, gained)) if whom}


def _since(
    service: str,
    stages: Sequence[Effective],
    names: Mapping[str, Sequence[str]],
    after: Mapping[str, Answers],
) -> Mapping[str, str]:
    """Return for each rule the codename of the first release from which on it answers as in the target."""
    since = dict.fromkeys(names, stages[-1].release.release)
    open_ = set(names)
    for index in reversed(range(1, len(stages) - 1)):
        there = {name: names[name][index] for name in open_}
        answers = _answers(service, stages[index], list(there.values()))
        open_ = {name for name in open_ if answers[there[name]] == after[name]}
        since |= dict.fromkeys(open_, stages[index].release.release)
    return since


def _predecessors(way: Sequence[ReleaseRules]) -> Mapping[str, Sequence[str]]:
    """Return the names of each of the target's rules in each release, oldest first; new ones are left out."""
    found: dict[str, list[str]] = {name: [name] for name in way[-1].rules}
    for release, newer in reversed(list(pairwise(way))):
        found = {
            name: [earlier, *names]
            for name, names in found.items()
            if (earlier := _earlier(names[0], release, newer))
        }
    return found


def _earlier(name: str, release: ReleaseRules, newer: ReleaseRules) -> str | None:
    """Return what a rule of the next release was in this one, or None where there was none."""
    if name in release.rules:
        return name
    old = newer.rules[name].old
    return old.name if old and old.name in release.rules else None


def grouped(found: Iterable[Effect]) -> Iterator[tuple[Turn, tuple[Who, ...], tuple[Effect, ...]]]:
    """Yield effects by what they do to whom; those that many lose first."""
    groups: dict[tuple[Turn, tuple[Who, ...]], list[Effect]] = defaultdict(list)
    for effect in found:
        for turn, whom in effect.turns.items():
            groups[turn, whom].append(effect)
    for (turn, whom), effects_ in sorted(
        groups.items(), key=lambda item: (item[0][0] != Turn.LOST, -len(item[1]))
    ):
        yield turn, whom, tuple(effects_)


def named(whom: Iterable[Who]) -> str:
    """Return personas, each with whose objects, but where it is all that it may ask for."""
    words: dict[str, list[str]] = {}
    for persona, owners in groupby(whom, lambda who: who.persona):
        some = [who.owner for who in owners]
        objects = "" if len(some) == len(persona.owners) else ", ".join(some)
        words.setdefault(objects, []).append(persona.name)
    return "; ".join(
        ", ".join(names) + (f" ({objects})" if objects else "") for objects, names in words.items()
    )
