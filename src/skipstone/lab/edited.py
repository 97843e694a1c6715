"""Configuration as an operator has it: the long file of comments that a package ships, edited by hand."""

import re
from collections.abc import Iterable, Iterator

_SECTION = re.compile(r"\[(?P<name>[^\]]+)\]\s*")


def edited(shipped: str, *settings: str) -> str:
    """Return an oslo.config file of a package with settings written into it, section by section.

    What the package had set is commented out; a setting stands below its section's line; a section that the
    package does not know is appended. ``settings`` are texts of that grammar, and may name the same sections.
    """
    wanted = _sections(settings)
    lines: list[str] = []
    for line in shipped.splitlines():
        section = _SECTION.fullmatch(line)
        unset = section or not line.strip() or line.startswith("#")
        lines.append(line if unset else f"#{line}")
        if section:
            lines += wanted.pop(section["name"], [])
    for name, rest in wanted.items():
        lines += ["", f"[{name}]", *rest]
    return "\n".join(lines) + "\n"


def _sections(texts: Iterable[str]) -> dict[str, list[str]]:
    """Return the lines of each section, without those that are empty."""
    found: dict[str, list[str]] = {}
    for section, line in _settings(texts):
        found.setdefault(section, []).append(line)
    return found


def _settings(texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        section = ""
        for line in filter(str.strip, text.splitlines()):
            begin = _SECTION.fullmatch(line)
            if begin:
                section = begin["name"]
            else:
                yield section, line
