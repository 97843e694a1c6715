"""A converted file carried into the distribution's new one: his settings and comments in its text.

The new file gives the order, the help and the samples; the operator's every setting that is his, and every
comment. A conflict is a remark, and what the operator had stays: nothing is ever written into the file that
a service would stumble over. Pure.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise

from skipstone.convert.comments import Comments, own_comments, plain, sample
from skipstone.convert.conversion import MARK, Conversion, convert
from skipstone.convert.inifile import Kind, Line, parse
from skipstone.convert.option import Name
from skipstone.convert.options import OptionHistory, ReleaseOptions
from skipstone.convert.ownership import Side, Verdict, judge, settings, today, values
from skipstone.convert.remark import Matter, Remark

_SHOWN = 8


@dataclass(frozen=True)
class Shipped:
    """The distribution's new file, and its old one, which the operator's was made from, where known."""

    name: str
    text: str
    base: str | None = None


def merge(
    conversion: Conversion, shipped: Shipped, history: OptionHistory, way: Sequence[ReleaseOptions]
) -> Conversion:
    """Return the conversion with another result: the distribution's new file with what is the operator's.

    ``history`` and ``way`` are those that the file was converted with. Raises InputError where a text of the
    distribution is no configuration.
    """
    base = None
    if shipped.base is not None:
        (base,) = convert({f"the old file of {shipped.name}": shipped.base}, history, way)
    return _Merge(conversion, shipped, base, way).conversion()


class _Merge:
    """Two files, or three, while they become one."""

    def __init__(
        self,
        conversion: Conversion,
        shipped: Shipped,
        base: Conversion | None,
        way: Sequence[ReleaseOptions],
    ) -> None:
        self._conversion, self._shipped, self._base, self._way = conversion, shipped, base, way
        self._theirs = _ended(parse(shipped.text, shipped.name))
        self._ending = next((line.ending for line in self._theirs), "\n")
        self._new = settings(self._theirs, way[-1])
        self._ours = settings(conversion.after, way[-1])
        self._verdicts = dict(self._judged())
        self._lines = _ended(tuple(chain.from_iterable(map(self._without_dropped, conversion.after))))
        self._comments = self._own_comments()

    def conversion(self) -> Conversion:
        """Return the merged file, with the remarks of the conversion and those of the merge."""
        remarks = [*self._conversion.remarks, *self._remarks()]
        last = len(self._conversion.before) + 1
        ordered = sorted(remarks, key=lambda remark: remark.line or last)
        return replace(self._conversion, after=tuple(self._merged()), remarks=tuple(ordered))

    def _name(self, line: Line) -> Name | None:
        return today(line, self._way[-1]) if line.kind is Kind.OPTION else None

    def _judged(self) -> Iterator[tuple[Name, Verdict]]:
        old = None if self._base is None else settings(self._base.after, self._way[-1])
        for name in {**self._ours, **self._new}:
            lines = self._new.get(name)
            where = f"line {lines[-1].number} of {self._shipped.name}" if lines else self._shipped.name
            before = None if old is None else values(old, name)
            yield name, judge(values(self._ours, name), values(self._new, name), before, where)

    def _without_dropped(self, line: Line) -> tuple[Line, ...]:
        """Return a line of the operator's; as comments where the distribution took back what it had set."""
        name = self._name(line)
        if name is None or name in self._new or self._verdicts[name].side is Side.OPERATOR:
            return (line,)
        return self._commented(line, "the distribution set it, and does no more")

    def _out(self, line: Line) -> tuple[Line, ...]:
        """Return what becomes of a line of the distribution's."""
        name = self._name(line)
        side = self._verdicts[name].side if name else Side.DISTRIBUTION
        if side is Side.NOBODY:
            return self._commented(line, "the distribution sets it, and you took it out")
        return () if side is Side.OPERATOR else (line,)

    def _commented(self, line: Line, why: str) -> tuple[Line, ...]:
        reason = f"{MARK}{line.key}: {why}{self._ending}"
        return (Line(line.number, Kind.TEXT, reason, line.section), *line.commented())

    def _own_comments(self) -> Comments:
        foreign = {plain(new) for line in self._theirs for new in (line, *self._out(line))}
        if self._base is not None:
            foreign |= {plain(line) for line in (*self._base.before, *self._base.after)}
        return own_comments(self._lines, foreign, None if self._base else self._way[0])

    def _own(self) -> dict[Name, list[Line]]:
        """Return what goes to the place of each option that the operator has: his comments, his lines."""
        found: dict[Name, list[Line]] = defaultdict(list)
        for index, line in enumerate(self._lines):
            if name := self._name(line):
                stays = self._verdicts[name].side is Side.OPERATOR
                found[name] += (*self._comments.above[index], *((line,) if stays else ()))
        return found

    def _merged(self) -> Iterator[Line]:
        """Yield the merged file."""
        before, after, at_end = self._placed()
        ends = {line.section: index for index, line in enumerate(self._theirs) if plain(line)}
        yield from self._apart(at_end.pop("", []), self._theirs[:1])
        for index, line in enumerate(self._theirs):
            yield from before[index]
            yield from self._out(line)
            yield from after[index]
            if ends.get(line.section) == index and line.section in at_end:
                yield self._empty()
                yield from self._apart(at_end.pop(line.section), self._theirs[index + 1 : index + 2])
        yield from self._further(at_end)

    def _placed(self) -> tuple[dict[int, list[Line]], dict[int, list[Line]], dict[str, list[Line]]]:
        """Return what is the operator's before and after the distribution's lines, and at sections' ends."""
        before: dict[int, list[Line]] = defaultdict(list)
        after: dict[int, list[Line]] = defaultdict(list)
        at_end: dict[str, list[Line]] = defaultdict(list)
        shown = {name: index for index, line in enumerate(self._theirs) if (name := sample(line))}
        first = {name: self._theirs.index(lines[0]) for name, lines in self._new.items()}
        for name, lines in self._own().items():
            place = before[first[name]] if name in first else after[shown[name]] if name in shown else None
            (at_end[name.group] if place is None else place).extend(lines)
        for section, comments in self._comments.trailing.items():
            at_end[section] += comments
        heading = dict(self._comments.heading)
        for index, line in enumerate(self._theirs):
            if line.kind is Kind.SECTION:
                before[index] += heading.pop(line.section, ())
        return before, after, at_end

    def _further(self, at_end: dict[str, list[Line]]) -> Iterator[Line]:
        """Yield the sections that the distribution's file does not have."""
        heads = {line.section: line for line in self._lines if line.kind is Kind.SECTION}
        known = {line.section for line in self._theirs}
        headed = [section for section in self._comments.heading if section not in known]
        for section in dict.fromkeys([*at_end, *headed]):
            yield self._empty()
            yield from self._comments.heading.get(section, ())
            yield heads[section]
            yield from at_end.get(section, ())

    def _apart(self, lines: Sequence[Line], following: Sequence[Line]) -> Iterator[Line]:
        """Yield lines, with an empty one below where something follows at once."""
        yield from lines
        if lines and following and plain(following[0]):
            yield self._empty()

    def _empty(self) -> Line:
        return Line(0, Kind.TEXT, self._ending, "")

    def _remarks(self) -> Iterator[Remark]:
        for name, verdict in self._verdicts.items():
            if verdict.matter:
                lines = self._ours.get(name)
                yield Remark(
                    matter=verdict.matter,
                    line=(lines[-1].number or None) if lines else None,
                    section=name.group,
                    option=name.option,
                    text=verdict.text,
                )
        if left := self._comments.left:
            ranges = _ranges(left)
            more = f" and {len(ranges) - _SHOWN} more places" if len(ranges) > _SHOWN else ""
            where = f"line{'s' * (len(left) > 1)} {', '.join(ranges[:_SHOWN])}{more}"
            text = (
                f"the comments of {where} look like an old release's help "
                "and are left out; with the distribution's old file it is known whose they are (--base)"
            )
            yield Remark(matter=Matter.COMMENT_LEFT, line=left[0], section="", option="", text=text)


def _ranges(numbers: Sequence[int]) -> list[str]:
    """Return line numbers as people write them: ``3-5``, ``9``."""
    starts = [numbers[0], *(new for old, new in pairwise(numbers) if new > old + 1)]
    ends = [*(old for old, new in pairwise(numbers) if new > old + 1), numbers[-1]]
    return [f"{start}-{end}" if end > start else str(start) for start, end in zip(starts, ends, strict=True)]


def _ended(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Return lines that all have an ending."""
    ending = next((line.ending for line in lines if line.ending), "\n")
    return tuple(line if line.ending else replace(line, text=line.text + ending) for line in lines)
