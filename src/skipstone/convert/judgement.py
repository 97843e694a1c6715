"""What is known of each line of a file on its way from one release to another; changes nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from skipstone.catalog.loader import load_catalog
from skipstone.convert.inifile import Line
from skipstone.convert.option import Name, Option
from skipstone.convert.options import End, OptionHistory, ReleaseOptions
from skipstone.convert.remark import Matter, Remark
from skipstone.convert.sections import Sections

_NOWHERE = 1000
_OLD_LOGIN = {
    Name("keystone_authtoken", option)
    for option in (
        *("identity_uri", "auth_host", "auth_port", "auth_protocol", "auth_admin_prefix"),
        *("admin_user", "admin_password", "admin_tenant_name", "admin_token"),
    )
}
"""Options that keystonemiddleware reads up to 2026.1 where auth_type is not set, and lists for no generator;
they log in by keystone's v2.0 alone (auth_token/_auth.py)."""


@dataclass(frozen=True)
class Judgement:
    """What becomes of a line that sets an option.

    ``source`` is the option of the first release; None where only the last knows it. ``places`` are where
    the line has to stand in the last; ``end`` is None where the line is already as the last has it.
    """

    line: Line
    source: Name | None
    end: End | None
    places: tuple[Name, ...]
    option: Option


@dataclass(frozen=True)
class Judge:
    """Knows the options on a way, and the sections of the files that are converted together."""

    history: OptionHistory
    way: Sequence[ReleaseOptions]
    sections: Sections

    @cached_property
    def first(self) -> ReleaseOptions:
        """The options of the release that the files are from."""
        return self.way[0]

    @cached_property
    def last(self) -> ReleaseOptions:
        """The options of the release that the files are for."""
        return self.way[-1]

    def judge(self, line: Line) -> Judgement | None:
        """Return what becomes of a line that sets an option, or None where no release knows the option."""
        source = self.sections.resolve(line.section, line.key, self.first)
        if source and (end := self.history.follow(source, self.way)):
            places = tuple(self._place(line.section, name) for name in end.names)
            return Judgement(line, source, end, places, end.last)
        known = self.sections.resolve(line.section, line.key, self.last)
        if known:
            option = self.last.options[self.last.resolve(known)[0]]
            return Judgement(line, None, None, (Name(line.section, line.key),), option)
        return None

    def rank(self, judgement: Judgement) -> tuple[int, int]:
        """Return the order in which oslo.config takes lines that set one option: the lowest counts."""
        if judgement.source is None:
            return (-1, 0)
        today = self.first.resolve(judgement.source)[0]
        end = judgement.end
        final = end.names[0] if end and end.names else today
        return (
            _index((final, *self.last.options[final].aliases), today) if final in self.last.options else 0,
            _index((today, *self.first.options[today].aliases), judgement.source),
        )

    def unknown(self, name: Name) -> tuple[Matter, str] | None:
        """Return what to say of an option that no release on the way knows, or None where a plugin's may be.

        It takes milliseconds: ask once for each name.
        """
        if self.sections.is_plugins(name.group, self.last):
            return None
        if self.sections.has_also(name.group, name.option, self.last):
            return None
        if name in _OLD_LOGIN:
            what = (
                "it logs in by keystone's v2.0, which is gone since Queens: auth_type and its options do that"
            )
            return Matter.OPTION_DEAD, what
        names = [Name(group, name.option) for group in self.sections.groups(name.group, self.last)]
        for each in dict.fromkeys((*names, name)):
            if older := self.history.last_seen(each, self.first.release):
                return (
                    Matter.OPTION_DEAD,
                    f"no release since {title(older)} reads it{self._now(name.group, each, older)}",
                )
        nearest = self.last.nearest(name)
        hint = f"; did you mean {nearest}?" if nearest else ""
        return Matter.OPTION_UNKNOWN, f"no release on the way knows it{hint}"

    def _now(self, section: str, name: Name, older: str) -> str:
        """Say what an option that a release before the first one read is in the last."""
        end = self.history.follow(name, self.history.way(older, self.last.release))
        places = [str(self._place(section, each)) for each in end.names] if end else []
        return f"; it is {' and '.join(places)} now" if places else ""

    def stranger(self, line: Line) -> Remark | None:
        """Return what to say of a section line whose section no release on the way has, or None."""
        section = line.section
        known = section in self.first.groups or section in self.last.groups or section == "DEFAULT"
        if known or self.sections.is_instance(section, self.last):
            return None
        nearest = self.last.nearest_group(section)
        hint = f"did you mean [{nearest}]?" if nearest else "is it a plugin's?"
        return remark(Matter.SECTION_UNKNOWN, line, f"{self.history.service} has no such section: {hint}")

    def _place(self, section: str, name: Name) -> Name:
        here = name.group in self.sections.groups(section, self.last)
        return Name(section, name.option) if here else name


def _index(names: Iterable[Name], name: Name) -> int:
    return next((index for index, each in enumerate(names) if each == name), _NOWHERE)


def remark(matter: Matter, line: Line, text: str) -> Remark:
    """Return a remark of a line."""
    return Remark(matter=matter, line=line.number or None, section=line.section, option=line.key, text=text)


def title(codename: str) -> str:
    """Return what people call a release."""
    return load_catalog().release(codename).title
