"""Defaults that a release changed under options that no file sets."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from skipstone.convert.judgement import Judge, Judgement, title
from skipstone.convert.option import Option
from skipstone.convert.options import End, follow
from skipstone.convert.remark import Matter, Remark

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
        self._set |= {today for each in judged if each.source for today in judge.first.resolve(each.source)}

    def changed(self, sections: Iterable[str], *, keep: bool) -> Iterator[tuple[str, ChangedDefault]]:
        """Yield the changed defaults of what the target's sections may hold, each with its section."""
        wanted = set(sections)
        for name, old in sorted(self._judge.first.options.items()):
            end = None if name in self._set else follow(name, self._judge.way)
            if end is None or len(end.names) != 1 or end.names[0] in self._set:
                continue
            group = end.names[0].group
            if group in wanted and (since := end.default_since):
                yield group, self._describe(old, end, since, keep=keep)

    def _describe(self, old: Option, end: End, since: str, *, keep: bool) -> ChangedDefault:
        (name,) = end.names
        value = old.text_of_default()
        reason = f"the default was {_said(old)} and is {_said(end.last)} since {title(since)}"
        kept = ""
        if keep and value is not None and end.last.refuses(value) is None and "\n" not in value:
            kept = f"{name.option} = {value}"
        matter = Matter.DEFAULT_KEPT if kept else Matter.DEFAULT_CHANGED
        text = f"{reason}; the old one is written out" if kept else reason
        remark = Remark(matter=matter, line=None, section=name.group, option=name.option, text=text)
        return ChangedDefault(remark, f"{reason}; kept", kept)


def _said(option: Option) -> str:
    """Return a default as a person reads it; never one of an option that holds secrets."""
    if option.secret:
        return "another"
    if option.varies:
        return "the machine's"
    if option.default in (None, "", [], {}):
        return "none"
    text = " ".join((option.text_of_default() or str(option.default)).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
