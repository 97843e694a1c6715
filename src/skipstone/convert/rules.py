"""What a person must decide and no option catalog tells: values that mean nothing now, what must be set."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

from skipstone.catalog.loader import load_catalog
from skipstone.convert.inifile import Kind, Line
from skipstone.convert.judgement import Judge, remark, title
from skipstone.convert.option import Name
from skipstone.convert.remark import Matter, Remark

_FACTS = Path(__file__).with_name("rules.yaml")


class Value(BaseModel):
    """A word in the value of an option that means nothing since a release."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    services: tuple[str, ...] = ()
    options: tuple[str, ...]
    pattern: str
    since: str
    says: str
    source: str

    def fits(self, line: Line, service: str) -> bool:
        """Whether a line of a service sets such a value."""
        return (
            (not self.services or service in self.services)
            and line.key in self.options
            and re.search(self.pattern, line.value, re.IGNORECASE) is not None
        )


class Unset(BaseModel):
    """An option that has to be set to what is wanted since a release."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    services: tuple[str, ...]
    option: Name
    wanted: str
    sections: tuple[str, ...]
    since: str
    says: str
    source: str

    def is_set(self, lines: Iterable[Line]) -> bool:
        """Whether lines set it as wanted: the last one counts."""
        values = [line.value for line in lines if Name(line.section, line.key) == self.option]
        return bool(values) and re.fullmatch(self.wanted, values[-1], re.IGNORECASE) is not None


class Default(BaseModel):
    """An option whose default matters to every cloud."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    option: Name
    sections: tuple[str, ...]
    says: str


class Followed(BaseModel):
    """An option whose new default is taken, even where old ones are wanted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    option: Name
    says: str


class Rules(BaseModel):
    """All rules."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    values: tuple[Value, ...]
    unset: tuple[Unset, ...]
    followed: tuple[Followed, ...]
    defaults: tuple[Default, ...]


@cache
def load_rules() -> Rules:
    """Return the rules that ship with the package."""
    return Rules.model_validate(yaml.safe_load(_FACTS.read_text(encoding="utf-8")))


def matters(option: Name, sections: Collection[str]) -> Default | None:
    """Return why the default of an option matters to a file with these sections, or None."""
    fits = (rule for rule in load_rules().defaults if rule.option == option)
    return next((rule for rule in fits if any(section in sections for section in rule.sections)), None)


def followed(option: Name) -> Followed | None:
    """Return why the new default of an option is taken in any case, or None."""
    return next((rule for rule in load_rules().followed if rule.option == option), None)


def decisions(judge: Judge, files: Mapping[str, Iterable[Line]]) -> Mapping[str, list[Remark]]:
    """Return what has to be decided, by file; they are read as one configuration."""
    found = {name: list(_values(judge, lines)) for name, lines in files.items()}
    every = [line for lines in files.values() for line in lines]
    for rule in load_rules().unset:
        due = judge.history.service in rule.services and _is_crossed(judge, rule.since)
        place = next((name for name, lines in files.items() if _has(lines, rule.sections)), None)
        if due and place and not rule.is_set(every):
            found[place].append(
                Remark(
                    matter=Matter.OPTION_NEEDED,
                    line=None,
                    section=rule.option.group,
                    option=rule.option.option,
                    text=f"since {title(rule.since)} {rule.says}",
                )
            )
    return found


def _values(judge: Judge, lines: Iterable[Line]) -> Iterator[Remark]:
    rules = [rule for rule in load_rules().values if _is_there(judge, rule.since)]
    for line in lines:
        for rule in rules if line.kind is Kind.OPTION else ():
            if rule.fits(line, judge.history.service):
                matter = Matter.VALUE_GONE if _is_crossed(judge, rule.since) else Matter.VALUE_DEAD
                yield remark(matter, line, f"since {title(rule.since)}: {rule.says}")


def _has(lines: Iterable[Line], sections: Collection[str]) -> bool:
    return any(line.kind is Kind.SECTION and line.section in sections for line in lines)


def _is_there(judge: Judge, since: str) -> bool:
    catalog = load_catalog()
    return catalog.release(since) <= catalog.release(judge.last.release)


def _is_crossed(judge: Judge, since: str) -> bool:
    return _is_there(judge, since) and load_catalog().release(judge.first.release) < load_catalog().release(
        since
    )
