"""Options and commands that the text of a release note names, in the many ways in which notes write them."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from skipstone.convert.inifile import normal
from skipstone.convert.option import Name
from skipstone.convert.options import load_history

_WITH_GROUP = re.compile(
    r"\[(?P<group>[\w-]+)\]`{0,2}[\s./]{0,2}\s?`{0,2}(?P<option>[A-Za-z][\w-]+)"
    r"|:oslo\.config:option:`(?:[\w-]+\.)?(?P<role>[A-Za-z][\w.-]+)`"
)
_QUOTED = re.compile(r"`{1,2}(?P<text>[^`\n]+)`{1,2}(?P<after>[^`]{0,24})")
_DOTTED = re.compile(r"(?P<group>[\w-]+)[./](?P<option>[A-Za-z][\w-]+)(?:\s*=.*)?$")
_BARE = re.compile(r"(?P<option>[A-Za-z][\w-]+)(?:\s*[=:].*)?$")
_IS_OPTION = re.compile(r"\s+(?:config|conf\b|option|setting|parameter)", re.IGNORECASE)
_COMMAND = re.compile(
    r"\b(?:keystone|glance|placement|nova|neutron|cinder|heat)-(?:manage|status|db-manage|policy)\b[^`\n]{0,60}"
)


class Vocabulary:
    """The options of a service, by the names that a note may use."""

    def __init__(self, service: str) -> None:
        self._names = load_history(service).names
        self._by_option: dict[str, list[Name]] = defaultdict(list)
        for name in self._names:
            self._by_option[name.option].append(name)

    def known(self, group: str, option: str) -> Iterable[Name]:
        """Return the options that a line of a file or of a note may mean.

        An option of a section that no release has is one of every group with such an option: sections of
        cinder's backends and glance's stores have the names that an operator chose.
        """
        exact = Name(normal(group), option)
        return (exact,) if exact in self._names else self._by_option.get(option, ())

    def named(self, text: str) -> frozenset[Name]:
        """Return the known options that a text names.

        A word alone counts where it is in quotes and cannot be taken for something else: with an underscore,
        or followed by ``option`` and the like.
        """
        return frozenset(name for group, option in _places(text) for name in self._meant(group, option))

    def _meant(self, group: str | None, option: str) -> Iterable[Name]:
        key = option.replace("-", "_")
        if group is None:
            return self._by_option.get(key, ())
        name = Name(normal(group), key)
        return (name,) if name in self._names else ()


def commands(text: str) -> tuple[str, ...]:
    """Return the services' own commands that a text names."""
    return tuple(dict.fromkeys(found[0].strip() for found in _COMMAND.finditer(text)))


def _places(text: str) -> Iterator[tuple[str | None, str]]:
    """Yield group and option of everything that may be one; None where a text gives no group."""
    for found in _WITH_GROUP.finditer(text):
        group, _, option = (found["role"] or "").rpartition(".")
        yield (group or "DEFAULT", option) if found["role"] else (found["group"], found["option"])
    for found in _QUOTED.finditer(text):
        if dotted := _DOTTED.match(found["text"]):
            yield dotted["group"], dotted["option"]
        elif (bare := _BARE.match(found["text"])) and (
            "_" in bare["option"] or _IS_OPTION.match(found["after"])
        ):
            yield None, bare["option"]
