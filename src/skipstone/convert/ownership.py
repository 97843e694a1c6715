"""Whose setting of an option stands where an operator and a distribution both have a say; changes nothing."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from skipstone.convert.inifile import Kind, Line
from skipstone.convert.option import Name
from skipstone.convert.options import ReleaseOptions
from skipstone.convert.remark import Matter

Settings = Mapping[Name, tuple[Line, ...]]
"""The lines that set each option, by the name that the target has for it."""


class Side(StrEnum):
    """Whose lines stand."""

    OPERATOR = "operator"
    DISTRIBUTION = "distribution"
    NOBODY = "nobody"


@dataclass(frozen=True)
class Verdict:
    """Who has his way, and what the operator is told of it, if anything."""

    side: Side
    matter: Matter | None = None
    text: str = ""


def settings(lines: Iterable[Line], known: ReleaseOptions) -> Settings:
    """Return what lines set."""
    found: dict[Name, tuple[Line, ...]] = defaultdict(tuple)
    for line in lines:
        if line.kind is Kind.OPTION:
            found[today(line, known)] += (line,)
    return dict(found)


def today(line: Line, known: ReleaseOptions) -> Name:
    """Return the name that a release has for what a line sets, in the section where the line stands."""
    name = Name(line.section, line.key)
    new = next(iter(known.resolve(name)), name)
    return new if new.group == name.group else name


def values(found: Settings, name: Name) -> tuple[str, ...]:
    """Return all values of an option, in order."""
    return tuple(line.value for line in found.get(name, ()))


def judge(ours: tuple[str, ...], new: tuple[str, ...], old: tuple[str, ...] | None, where: str) -> Verdict:
    """Return whose setting stands, of the values in the operator's, the new and the old file.

    ``old`` is None where the old file is not at hand. ``where`` is the place in the new file, for the text.
    """
    operator = Side.OPERATOR if ours else Side.NOBODY
    if ours == new:
        return Verdict(Side.DISTRIBUTION)
    if new == old:
        return Verdict(operator)
    if ours == old:
        return Verdict(Side.DISTRIBUTION, Matter.SETTING_FOLLOWED, _followed(ours, new, where))
    if not new:
        return Verdict(operator)
    if ours or old:
        mine = "yours stands" if ours else "you took it out, and it stays out"
        return Verdict(operator, Matter.MERGE_CONFLICT, f"{where} sets another value; {mine}")
    text = (
        f"{where} sets it and your file does not; who changed it is not known without the old file (--base)"
    )
    return Verdict(Side.DISTRIBUTION, Matter.MERGE_CONFLICT, f"{text}: it is set now")


def _followed(ours: tuple[str, ...], new: tuple[str, ...], where: str) -> str:
    if not ours:
        return f"{where} sets it, and the old one did not; it is set now"
    does = "sets another value" if new else "does not set it any more"
    return f"you have it as the distribution's old file had it; {where} {does}, and so it is now"
