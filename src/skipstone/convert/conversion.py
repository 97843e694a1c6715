"""A file carried from one release to another: its new lines, and what is to be said of them.

Pure: text and option catalogs in, text and remarks out. Nothing that a file says gets lost: what the target
does not read any more stays as a comment with the reason above it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import inf

from skipstone.convert.defaults import Defaults
from skipstone.convert.inifile import Kind, Line, parse, render
from skipstone.convert.judgement import Judge, Judgement, remark, title
from skipstone.convert.option import Name, Option
from skipstone.convert.options import End, OptionHistory, ReleaseOptions
from skipstone.convert.references import References
from skipstone.convert.remark import Matter, Remark, Weight
from skipstone.convert.rules import decisions
from skipstone.convert.sections import Sections

MARK = "# skipstone: "
"""Begins every comment that a conversion writes."""


@dataclass(frozen=True)
class Conversion:
    """One file: what it was, what it becomes, and why.

    ``secrets`` are the names of options that hold one, in whatever section; None: it is a policy, whose names
    (``change_password``) look like some and are none.
    """

    name: str
    before: tuple[Line, ...]
    after: tuple[Line, ...]
    remarks: tuple[Remark, ...]
    secrets: frozenset[str] | None

    @property
    def text(self) -> str:
        """The new file."""
        return render(self.after)

    @property
    def changed(self) -> bool:
        """Whether the new file differs from the old."""
        return self.text != render(self.before)

    @property
    def undecided(self) -> bool:
        """Whether a person has to decide something."""
        return any(each.matter.weight is Weight.DECIDE for each in self.remarks)


def convert(
    files: Mapping[str, str], history: OptionHistory, way: Sequence[ReleaseOptions], *, keep: bool = False
) -> tuple[Conversion, ...]:
    """Convert the files of a service, by name; they are read as one configuration, in this order.

    ``way`` is ``history.between(source, target)``. With ``keep``, what a release changed of the defaults of
    options that no file sets is written out, in the first file with their section. Raises InputError for text
    that is no configuration.
    """
    return convert_lines({name: parse(text, name) for name, text in files.items()}, history, way, keep=keep)


def convert_lines(
    parsed: Mapping[str, tuple[Line, ...]],
    history: OptionHistory,
    way: Sequence[ReleaseOptions],
    *,
    keep: bool = False,
) -> tuple[Conversion, ...]:
    """Convert files that were read already (``parse``), as ``convert`` does."""
    judge = Judge(
        history, way, Sections(history.service, (line for lines in parsed.values() for line in lines))
    )
    judged = {name: _judged(judge, lines) for name, lines in parsed.items()}
    defaults = Defaults(judge, (each for judgements in judged.values() for each in judgements.values()))
    outdone, due = _outdone(judged), decisions(judge, parsed)
    return tuple(
        _File(judge, name, lines, judged[name]).converted(defaults, [*outdone[name], *due[name]], keep=keep)
        for name, lines in parsed.items()
    )


def _judged(judge: Judge, lines: Iterable[Line]) -> dict[int, Judgement]:
    """Return what is known of the lines that set options, by line number."""
    found = ((line.number, judge.judge(line)) for line in lines if line.kind is Kind.OPTION)
    return {number: judgement for number, judgement in found if judgement}


class _File:
    """One file while it is converted."""

    def __init__(
        self, judge: Judge, name: str, lines: tuple[Line, ...], judged: Mapping[int, Judgement]
    ) -> None:
        self._judge, self._name, self._lines, self._judged = judge, name, lines, judged
        self._ending = next((line.ending for line in lines if line.ending), "\n")
        self._counting = _counting(judge, judged.values())
        self._moved: dict[str, list[Line]] = defaultdict(list)
        self._remarks: list[Remark] = []
        self._references = References(judge)
        self._used = {line.section for line in lines if line.kind is Kind.OPTION}
        self._strange: set[str] = set()
        self._ruled: set[int | None] = set()
        self._unknown = cache(judge.unknown)

    def converted(self, defaults: Defaults, further: Iterable[Remark], *, keep: bool) -> Conversion:
        """Return the new file and all remarks, with ``further`` ones, in the order of the old one's lines.

        Defaults are told of, and kept, in the first file that has their section.
        """
        ruled = tuple(further)
        self._ruled = {each.line for each in ruled}
        self._remarks += [*_repetitions(self._lines, self._judged), *ruled]
        after = [new for line in self._lines for new in self._line(line)]
        present = {line.section for line in after if line.kind is Kind.SECTION} | {*self._moved}
        for section, found in defaults.changed(present, keep=keep):
            self._remarks.append(found.remark)
            if found.kept:
                text = f"{MARK}{found.reason}{self._ending}{found.kept}{self._ending}"
                self._moved[section] += _lines_of(text, section)
        remarks = sorted([*self._remarks, *self._references.remarks], key=lambda each: each.line or inf)
        return Conversion(
            self._name, self._lines, self._with_moved(after), tuple(remarks), frozenset(self._secrets())
        )

    def _line(self, line: Line) -> Iterator[Line]:
        sets = line.kind is Kind.SECTION and line.section in self._used
        if sets and (found := self._judge.stranger(line)):
            self._strange.add(line.section)
            self._remarks.append(found)
        if line.kind is not Kind.OPTION:
            yield line
        elif judgement := self._judged.get(line.number):
            yield from self._judgement(judgement)
        else:
            told = line.section in self._strange or line.number in self._ruled
            if not told and (said := self._unknown(Name(line.section, line.key))):
                self._remarks.append(remark(said[0], line, said[1]))
            yield self._references.follow(line, line.section)

    def _judgement(self, judgement: Judgement) -> Iterator[Line]:
        line, end = judgement.line, judgement.end
        places = [place for place in judgement.places if self._counts(judgement, place)]
        if len(self._judge.way) == 1:
            self._look_at(judgement)
            yield line
        elif end and not end.names:
            yield from self._out(line, Matter.OPTION_REMOVED, _gone(judgement, end))
        elif not places:
            rival = self._counting[judgement.places[0]].line
            text = f"it is not read: {rival.key} of line {rival.number} sets the same and counts"
            yield from self._out(line, Matter.OPTION_SHADOWED, text)
        else:
            self._look_at(judgement)
            yield from self._placed(judgement, places)

    def _counts(self, judgement: Judgement, place: Name) -> bool:
        """Whether the line is not outdone at a place by one that sets the same under another name."""
        rival = self._counting.get(place, judgement)
        return _name(rival) == _name(judgement)

    def _placed(self, judgement: Judgement, places: Iterable[Name]) -> Iterator[Line]:
        """Yield the line where it stays, and keep what goes to other sections."""
        line = judgement.line
        stays = [place for place in places if place.group == line.section]
        for place in stays:
            if place.option != line.key:
                text = f"it is {place.option} {self._since(judgement)}"
                self._remarks.append(remark(Matter.OPTION_RENAMED, line, text))
            yield self._references.follow(line.renamed(place.option), line.section)
        for place in (place for place in places if place.group != line.section):
            text = f"it is {place} {self._since(judgement)}"
            self._remarks.append(remark(Matter.OPTION_MOVED, line, text))
            new = Line(line.number, Kind.OPTION, self._ended(line.text), place.group, line.key)
            self._moved[place.group].append(self._references.follow(new.renamed(place.option), line.section))
            if not stays:
                yield self._comment(line, f"{line.key}: {text}")

    def _since(self, judgement: Judgement) -> str:
        first = self._judge.first.release
        release = judgement.end.release if judgement.end else first
        return f"in {title(first)} already" if release == first else f"since {title(release)}"

    def _look_at(self, judgement: Judgement) -> None:
        """Remark on an option that the target reads."""
        line, option = judgement.line, judgement.option
        if option.deprecated:
            since = f" since {option.since}" if option.since else ""
            reason = f": {option.reason}" if option.reason else ""
            self._remarks.append(
                remark(Matter.OPTION_DEPRECATED, line, f"it is deprecated{since}, and will go{reason}")
            )
        if judgement.end and (changed := judgement.end.type_since):
            was, now = (_kind(each) for each in (judgement.end.first, judgement.end.last))
            told = f"it is a {now} since {title(changed)}, and was a {was}"
            self._remarks.append(remark(Matter.TYPE_CHANGED, line, told))
        if why := option.refuses(line.value):
            release = title(self._judge.last.release)
            hint = (
                "; oslo.config takes what follows # on its line for a part of it" if "#" in line.value else ""
            )
            text = f"{release} refuses its value: {why}{hint}"
            self._remarks.append(remark(Matter.VALUE_REFUSED, line, text))

    def _out(self, line: Line, matter: Matter, text: str) -> Iterator[Line]:
        """Yield the line as a comment, below the reason."""
        self._remarks.append(remark(matter, line, text))
        yield self._comment(line, f"{line.key}: {text}")
        yield from line.commented()

    def _secrets(self) -> Iterator[str]:
        yield from self._judge.history.secrets
        for judgement in self._judged.values():
            if judgement.option.secret:
                yield from (judgement.line.key, *(place.option for place in judgement.places))

    def _comment(self, line: Line, text: str) -> Line:
        return Line(line.number, Kind.TEXT, f"{MARK}{text}{self._ending}", line.section)

    def _ended(self, text: str) -> str:
        return text if text.endswith(("\n", "\r")) else text + self._ending

    def _with_moved(self, lines: list[Line]) -> tuple[Line, ...]:
        """Return the lines with those that came from elsewhere at the ends of their sections."""
        for section, moved in self._moved.items():
            ends = [index for index, line in enumerate(lines) if _is_of(line, section)]
            if not ends:
                head = Line(0, Kind.SECTION, f"{self._ending}[{section}]{self._ending}", section)
                lines, ends = [*self._closed(lines), head], [len(lines)]
            at = ends[-1] + 1
            lines = [*self._closed(lines[:at]), *moved, *lines[at:]]
        return tuple(lines)

    def _closed(self, lines: list[Line]) -> list[Line]:
        """Return lines of which the last has an ending."""
        *rest, last = lines
        return [*rest, Line(last.number, last.kind, self._ended(last.text), last.section, last.key)]


def _is_of(line: Line, section: str) -> bool:
    return line.section == section and line.kind is not Kind.TEXT


def _kind(option: Option) -> str:
    return f"{option.type}, which adds up when it is set again" if option.many else option.type


def _name(judgement: Judgement) -> Name:
    return Name(judgement.line.section, judgement.line.key)


def _gone(judgement: Judgement, end: End) -> str:
    """Say since when an option is gone, and why."""
    reason = f"; {judgement.option.reason}" if judgement.option.reason else ""
    return f"it is gone since {title(end.release)}{reason}"


def _counting(judge: Judge, judgements: Iterable[Judgement]) -> dict[Name, Judgement]:
    """Return the line that counts at each place that lines with several names lead to."""
    found: dict[Name, Judgement] = {}
    for judgement in judgements:
        for place in judgement.places:
            if judgement.option.many:
                continue
            if place not in found or judge.rank(judgement) < judge.rank(found[place]):
                found[place] = judgement
    return found


def _outdone(files: Mapping[str, Mapping[int, Judgement]]) -> Mapping[str, list[Remark]]:
    """Return remarks on lines that a file does not count for, since one that is read later sets the same.

    So it is under whatever names: oslo.config looks for all of an option's in the file that it read last,
    before it turns to the one before.
    """
    found: dict[str, list[Remark]] = {name: [] for name in files}
    later: dict[Name, str] = {}
    for name, judged in reversed([*files.items()]):
        single = [each for each in judged.values() if not each.option.many]
        for each in single:
            if where := next((later[place] for place in each.places if place in later), None):
                text = f"{where} sets it too, and counts: that file is read later"
                found[name].append(remark(Matter.OPTION_OUTDONE, each.line, text))
        later |= {place: f"line {each.line.number} of {name}" for each in single for place in each.places}
    return found


def _repetitions(lines: Iterable[Line], judged: Mapping[int, Judgement]) -> Iterator[Remark]:
    """Yield remarks on sections that come twice and on options that are set twice."""
    seen: dict[tuple[Kind, str, str], int] = {}
    for line in lines:
        known = judged.get(line.number)
        if line.kind is Kind.TEXT or (line.kind is Kind.OPTION and (known is None or known.option.many)):
            continue
        before = seen.get((line.kind, line.section, line.key))
        seen[line.kind, line.section, line.key] = line.number
        if before is None:
            continue
        if line.kind is Kind.SECTION:
            yield remark(Matter.SECTION_TWICE, line, f"it begins in line {before} too; both are read")
        else:
            yield remark(Matter.OPTION_TWICE, line, f"line {before} sets it too; this one counts")


def _lines_of(text: str, section: str) -> Iterator[Line]:
    """Yield the comment and the option of a default that is kept."""
    comment, setting = text.splitlines(keepends=True)
    yield Line(0, Kind.TEXT, comment, section)
    yield Line(0, Kind.OPTION, setting, section, setting.partition("=")[0].strip())
