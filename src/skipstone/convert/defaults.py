"""Defaults that a release changed under options that no file sets."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from skipstone.convert.judgement import Judge, Judgement, title
from skipstone.convert.option import Name, Option
from skipstone.convert.options import End
from skipstone.convert.remark import Matter, Remark
from skipstone.convert.rules import Default, followed, load_rules, matters

_LONGEST = 60


@dataclass(frozen=True)
class ChangedDefault:
    """A default that changed; ``kept`` is the line that keeps the old one, for the ``reason``, or empty."""

    remark: Remark
    reason: str
    kept: str


class Defaults:
    """What the files of a service leave to the defaults, and which of these changed on the way."""

    def __init__(self, judge: Judge, judgements: Iterable[Judgement]) -> None:
        self._judge = judge
        judged = tuple(judgements)
        self._set = {place for each in judged for place in each.places}
        self._told: set[Name] = set()
        self._set |= {today for each in judged if each.source for today in judge.first.resolve(each.source)}

    def changed(self, sections: Iterable[str], *, keep: bool) -> Iterator[tuple[str, ChangedDefault]]:
        """Yield the changed defaults of what the target's sections may hold, each with its section, once."""
        wanted = set(sections)
        if keep:  # what is kept makes its section, and a section's other defaults are kept with it
            wanted |= {rule.option.group for rule in load_rules().defaults if matters(rule.option, wanted)}
        for name, old, end, since in self._judge.history.changed_defaults(self._judge.way):
            new = end.names[0]
            rule = matters(new, wanted)
            if (rule or new.group in wanted) and (self._set | self._told).isdisjoint((name, new)):
                self._told.add(new)
                yield new.group, self._describe(old, end, since, rule, keep=keep)

    def _describe(
        self, old: Option, end: End, since: str, rule: Default | None, *, keep: bool
    ) -> ChangedDefault:
        (name,) = end.names
        value = old.text_of_default()
        was, now = _said(old, end.last), _said(end.last, old)
        reason = f"the default was {was} and is {now} since {title(since)}"
        instead = followed(name) if keep else None
        writable = value is not None and end.last.refuses(value) is None and "\n" not in value
        kept = f"{name.option} = {value}" if keep and writable and not instead else ""
        changed = Matter.DEFAULT_MATTERS if rule else Matter.DEFAULT_CHANGED
        matter = Matter.DEFAULT_KEPT if kept else changed
        effect = "".join(f": {each.says}" for each in (rule, instead) if each)
        text = f"{reason}; the old one is written out" if kept else f"{reason}{effect}"
        remark = Remark(matter=matter, line=None, section=name.group, option=name.option, text=text)
        return ChangedDefault(remark, f"{reason}; kept", kept)


def _said(option: Option, beside: Option) -> str:
    """Return a default as a person reads it beside another; never one of an option that holds secrets.

    Of long ones that begin alike the part is told where they differ.
    """
    if option.secret:
        return "another"
    if option.varies:
        return "the machine's"
    if option.default in (None, "", [], {}):
        return "none"
    text, other = _text(option), _text(beside)
    if len(text) <= _LONGEST:
        return text
    pairs = enumerate(zip(text, other, strict=False))
    alike = next((at for at, pair in pairs if pair[0] != pair[1]), min(len(text), len(other)))
    begin = max(text.rfind(each, 0, alike) for each in ", ") + 1 if alike > _LONGEST // 2 else 0
    return f"{'...' * bool(begin)}{text[begin : begin + _LONGEST]}{'...' * (begin + _LONGEST < len(text))}"


def _text(option: Option) -> str:
    return " ".join((option.text_of_default() or str(option.default)).split())
