"""The lines of an oslo.config file: what each is, and its text to the byte.

The grammar is that of ``oslo_config.iniparser``, which is what reads these files in a cloud: ``=`` or ``:``
ends a key, a line that begins with a blank continues the one above, an empty line or a comment ends it, and
a section may come twice. Ours because that parser forgets comments, blank lines and spacing (ADR 0008).
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import count

from skipstone.errors import InputError

_PHYSICAL = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_REFERENCE = re.compile(
    r"\\\$|\$\$|\$(?:\{(?P<braced>[_a-z][._a-z0-9]*)\}|(?P<bare>[_a-z][._a-z0-9]*))", re.IGNORECASE
)
_SHOWN_FAULTS = 10


class Kind(StrEnum):
    """What a line is."""

    SECTION = "section"
    OPTION = "option"
    TEXT = "text"


def normal(section: str) -> str:
    """Return the name by which oslo.config finds a section: in lower case, but for ``DEFAULT``."""
    return section if section == "DEFAULT" else section.lower()


@dataclass(frozen=True)
class Line:
    """One line with its continuation lines; ``text`` has every byte of them, endings too.

    ``number`` counts from 1; 0 is a line that was not in the file. ``section`` is the one it stands in (of a
    section line: the one it begins), as oslo.config finds it; ``key`` is empty where it sets no option.
    """

    number: int
    kind: Kind
    text: str
    section: str
    key: str = ""

    @property
    def value(self) -> str:
        """What the option is set to, without the quotes around it, continuation lines joined by a newline."""
        first, *more = self.text.splitlines()
        _, value = _split(first)
        value = value.strip()
        if value and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        return "\n".join([value, *(line.strip() for line in more)])

    @property
    def ending(self) -> str:
        """The characters that end the line; empty at the end of a file without one."""
        return self.text[len(self.text.rstrip("\r\n")) :]

    def renamed(self, key: str) -> "Line":
        """Return the line with another key: all else is as it was."""
        return replace(self, text=self.text.replace(self.key, key, 1), key=key)

    def commented(self) -> tuple["Line", ...]:
        """Return the line as comments, one for each of its physical lines."""
        return tuple(
            Line(self.number, Kind.TEXT, f"# {text}", self.section) for text in _PHYSICAL.findall(self.text)
        )

    def with_references(self, replaced: Callable[[str], str]) -> "Line":
        """Return the line with its references replaced; ``replaced`` gets ``group.name``, without ``$``."""
        start = len(_split(self.text.splitlines()[0])[0])

        def written(found: re.Match[str]) -> str:
            old = found["braced"] or found["bare"]
            new = replaced(old) if old else old
            if new == old:
                return found[0]
            return f"${{{new}}}" if found["braced"] or "." in new else f"${new}"

        return replace(self, text=self.text[:start] + _REFERENCE.sub(written, self.text[start:]))


def _split(line: str) -> tuple[str, str]:
    """Return key and value at the first ``=`` or ``:``."""
    key, value = re.split("[=:]", line, maxsplit=1)
    return key, value


def parse(text: str, name: str, numbers: Iterable[int] = ()) -> tuple[Line, ...]:
    """Return the lines of a file; raise InputError with the numbers of those that oslo.config would refuse.

    ``numbers`` are those of the text's lines, where it is not the whole file; they count from 1 otherwise.
    What a refused line holds is not told: it may be a password whose ``=`` was forgotten.
    """
    reader = _Reader()
    for number, line in zip(numbers or count(1), _PHYSICAL.findall(text), strict=False):
        reader.read(number, line)
    if reader.faults:
        faults = reader.faults[:_SHOWN_FAULTS]
        raise InputError(
            "this is no configuration that oslo.config can read",
            where=f"{name}:{faults[0][0]}",
            evidence="\n".join(f"line {number}: {what}" for number, what in faults),
            remedy="correct these lines; the services themselves stop on them",
        )
    return tuple(reader.lines)


class _Reader:
    """Turns physical lines into lines, one after the other."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.faults: list[tuple[int, str]] = []
        self._section: str | None = None
        self._open = False

    def read(self, number: int, text: str) -> None:
        """Take the next physical line."""
        bare = text.rstrip()
        if bare and bare[0] in " \t":
            self._continue(number, text)
            return
        self._open = False
        if not bare or bare[0] in "#;":
            self._add(number, Kind.TEXT, text)
        elif bare[0] == "[":
            self._begin(number, text, bare)
        else:
            self._assign(number, text, bare)

    def _add(self, number: int, kind: Kind, text: str, key: str = "") -> None:
        self.lines.append(Line(number, kind, text, self._section or "", key))

    def _continue(self, number: int, text: str) -> None:
        if not self._open:
            self.faults.append((number, "it begins with a blank, but there is no option above to go on with"))
            return
        self.lines[-1] = replace(self.lines[-1], text=self.lines[-1].text + text)

    def _begin(self, number: int, text: str, bare: str) -> None:
        if not bare.endswith("]") or bare == "[]":
            self.faults.append((number, "a section's line is [NAME] and nothing else"))
            return
        self._section = normal(bare[1:-1])
        self._add(number, Kind.SECTION, text)

    def _assign(self, number: int, text: str, bare: str) -> None:
        if not re.search("[=:]", bare):
            self.faults.append((number, "neither = nor : in it"))
        elif not (key := _split(bare)[0].strip()):
            self.faults.append((number, "no name before the = or :"))
        elif self._section is None:
            self.faults.append((number, "an option before the first [section]"))
        else:
            self._open = True
            self._add(number, Kind.OPTION, text, key)


def render(lines: tuple[Line, ...]) -> str:
    """Return the text of lines; of what ``parse`` returns, exactly what it was given."""
    return "".join(line.text for line in lines)
