"""Whose options a section takes: its own group's, or those of the group that it is an instance of."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

from skipstone.convert.inifile import Kind, Line, normal
from skipstone.convert.option import Name
from skipstone.convert.options import ReleaseOptions

_RULES = Path(__file__).with_name("sections.yaml")
_AUTHENTICATION = "keystone_authtoken"
"""The group in which the catalogs list the options of every keystoneauth plugin."""


class Rule(BaseModel):
    """Sections that are instances of groups: those that an option lists, or those whose names fit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    named_in: Name | None = None
    pattern: str | None = None
    like: tuple[str, ...]
    also: tuple[str, ...] = ()


@cache
def _rules() -> Mapping[str, tuple[Rule, ...]]:
    read = yaml.safe_load(_RULES.read_text(encoding="utf-8"))
    return {service: tuple(map(Rule.model_validate, rules)) for service, rules in read.items()}


class Sections:
    """The sections of a service's files, all that are converted together."""

    def __init__(self, service: str, lines: Iterable[Line]) -> None:
        self._rules = (*_rules()["every"], *_rules().get(service, ()))
        lists = {rule.named_in for rule in self._rules if rule.named_in}
        self._named: dict[Name, set[str]] = {name: set() for name in lists}
        for line in lines:
            if line.kind is Kind.OPTION and (name := Name(line.section, line.key)) in lists:
                words = re.split(r"[,\s]+", line.value)
                self._named[name] |= {normal(word.partition(":")[0]) for word in words if word}

    def groups(self, section: str, known: ReleaseOptions) -> Sequence[str]:
        """Return the groups in which the section's options are looked for, the nearest first."""
        like = self._like(section, known.groups)
        if like is not None:
            return [group for pattern in like for group in known.groups if fnmatchcase(group, pattern)]
        if Name(section, "auth_type") in known.options and section != _AUTHENTICATION:
            return (section, _AUTHENTICATION)
        return (section,)

    def is_plugins(self, section: str, known: ReleaseOptions) -> bool:
        """Whether only a plugin knows the section's options."""
        return self._like(section, known.groups) == ()

    def is_instance(self, section: str, known: ReleaseOptions) -> bool:
        """Whether the section's name is one that the operator chose."""
        return self._like(section, known.groups) is not None

    def resolve(self, section: str, option: str, known: ReleaseOptions) -> Name | None:
        """Return the name under which a release's options have what stands in a section, or None."""
        names = (Name(group, option) for group in self.groups(section, known))
        return next((name for name in names if known.resolve(name)), None)

    def has_also(self, section: str, option: str, known: ReleaseOptions) -> bool:
        """Whether code reads an option in the section that no generator lists."""
        rule = self._rule(section, known.groups)
        return rule is not None and option in rule.also

    def _like(self, section: str, groups: Collection[str]) -> tuple[str, ...] | None:
        rule = self._rule(section, groups)
        return rule.like if rule else None

    def _rule(self, section: str, groups: Collection[str]) -> Rule | None:
        for rule in self._rules:
            listed = rule.named_in is not None and section in self._named[rule.named_in]
            fits = rule.pattern and section not in groups and fnmatchcase(section, rule.pattern)
            if listed or fits:
                return rule
        return None
