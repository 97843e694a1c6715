"""The comments of a file that are the operator's own, told from those that a distribution wrote."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from skipstone.convert.conversion import MARK
from skipstone.convert.inifile import Kind, Line
from skipstone.convert.option import Name
from skipstone.convert.options import ReleaseOptions

_SAMPLE = re.compile(r"#(?P<option>[A-Za-z_][\w.-]*) = ?(?P<value>.*)")
"""A line as ``oslo-config-generator`` shows an option's default."""

_ORIGIN = re.compile(r"# From \S+")
_HELP = re.compile(r"#.*\([a-z][a-z ]* valued?\)\s*$|# Deprecated group/name - |# M(?:in|ax)imum value: ")
"""What the generator ends an option's help with, before the sample."""


@dataclass(frozen=True)
class Comments:
    """The operator's own comments, with the empty lines between them.

    ``above`` has those over each line that sets an option, by its place among the lines; ``trailing`` those
    below a section's last option, by section (``""`` before the first), ``heading`` those right above a
    section's line. ``left`` numbers the lines of which nobody can say whose they were, and that are taken for
    the distribution's.
    """

    above: Mapping[int, tuple[Line, ...]]
    trailing: Mapping[str, tuple[Line, ...]]
    heading: Mapping[str, tuple[Line, ...]]
    left: tuple[int, ...]


def sample(line: Line) -> Name | None:
    """Return the option that a comment shows the default of, or None."""
    found = _SAMPLE.match(line.text) if line.kind is Kind.TEXT else None
    return Name(line.section, found["option"]) if found else None


def plain(line: Line) -> str:
    """Return a comment as it is compared."""
    return line.text.strip()


def own_comments(
    lines: Sequence[Line], foreign: Collection[str], known: ReleaseOptions | None = None
) -> Comments:
    """Return the own comments of lines: all that are none of the ``foreign`` ones.

    Where the distribution's old file is not at hand, ``known`` are the options whose help, of whatever
    release, is the distribution's too: what stands in one block with the sample of an option, above it.
    """
    guessed = set(_help(lines, known)) if known else set()
    own = [
        line.kind is Kind.TEXT and not _empty(line) and plain(line) not in foreign and index not in guessed
        for index, line in enumerate(lines)
    ]
    left = [lines[index].number for index in sorted(guessed) if _doubtful(lines[index], foreign)]
    _join(lines, own)
    return _sorted_out(lines, own, tuple(left))


def _empty(line: Line) -> bool:
    return line.kind is Kind.TEXT and plain(line) in ("", "#")


def _doubtful(line: Line, foreign: Collection[str]) -> bool:
    return not _empty(line) and plain(line) not in foreign and not _ORIGIN.match(line.text)


def _join(lines: Sequence[Line], own: list[bool]) -> None:
    """Mark the empty lines that stand right between own comments, or such a one and an option."""
    follows = False
    for index in reversed(range(len(lines))):
        if _empty(lines[index]):
            own[index] = follows
        follows = own[index] or lines[index].kind is Kind.OPTION
    for index, line in enumerate(lines):
        if _empty(line) and own[index]:
            own[index] = index > 0 and own[index - 1]


def _sorted_out(lines: Sequence[Line], own: Sequence[bool], left: tuple[int, ...]) -> Comments:
    above: dict[int, tuple[Line, ...]] = {}
    waiting: dict[str, tuple[Line, ...]] = defaultdict(tuple)
    heading: dict[str, tuple[Line, ...]] = defaultdict(tuple)
    for index, line in enumerate(lines):
        section = _heads(lines, own, index)
        if line.kind is Kind.OPTION:
            above[index] = waiting.pop(line.section, ())
        elif own[index] and section:
            # an empty comment that parts it from what stands above, which goes elsewhere, is not its own
            if section in heading or not _empty(line):
                heading[section] += (line,)
        elif own[index]:
            waiting[line.section] += (line,)
    trailing = {section: _until_text(comments) for section, comments in waiting.items()}
    return Comments(above, trailing, dict(heading), left)


def _until_text(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """Return lines without the empty ones at their end."""
    last = max(index for index, line in enumerate(lines) if not _empty(line))
    return lines[: last + 1]


def _heads(lines: Sequence[Line], own: Sequence[bool], index: int) -> str | None:
    """Return the section right above whose line a comment of a person stands, or None."""
    while index < len(lines) and own[index] and plain(lines[index]) and not _ours(lines, index):
        index += 1
    here = index < len(lines) and lines[index].kind is Kind.SECTION
    return lines[index].section if here else None


def _help(lines: Sequence[Line], known: ReleaseOptions) -> Iterator[int]:
    """Yield the places of comments that look like some release's help or sample of an option."""
    for text, group in groupby(range(len(lines)), key=lambda index: bool(_comment(lines[index]))):
        block = list(group) if text else []
        marks = [index for index in block if _is_generated(lines[index], known)]
        for index in block:
            helps = marks and index <= marks[-1] and (index in marks or not sample(lines[index]))
            if (helps or _ORIGIN.match(lines[index].text)) and not _ours(lines, index):
                yield index


def _comment(line: Line) -> bool:
    return line.kind is Kind.TEXT and plain(line) != ""


def _ours(lines: Sequence[Line], index: int) -> bool:
    """Whether a comment is one that a conversion wrote, or what it made a comment of."""
    while index and lines[index].text.startswith("#  "):
        index -= 1
    return lines[index].text.startswith(MARK) or (index > 0 and lines[index - 1].text.startswith(MARK))


def _is_generated(line: Line, known: ReleaseOptions) -> bool:
    """Whether a line is one that the generator writes: of a sample, one that shows the default."""
    name, found = sample(line), _SAMPLE.match(line.text)
    options = known.resolve(name) if name else ()
    if not (options and found):
        return bool(_HELP.match(line.text)) and not name
    value = found["value"].strip().strip("'\"").casefold()
    option = known.options[options[0]]
    every = option.default if isinstance(option.default, list) else ()
    defaults = {str(each or "").strip().casefold() for each in (option.text_of_default(), *every)}
    return value.startswith("<") or value in defaults
