"""What kind of file a text is: options of a service, or what starts it; and its lines.

uWSGI, systemd and paste each have a grammar of their own. What is changed in their files are words in values,
so the lines here keep every byte, and nothing in them is refused.
"""

import re
from dataclasses import replace
from enum import StrEnum

from skipstone.convert.inifile import Kind, Line

_LINES = re.compile(r"[^\n]*\n|[^\n]+")
_SECTION = re.compile(r"\[([^\]]+)\]\s*$")
_SETTING = re.compile(r"([^\s=:#;\[][^=:]*?)\s*[=:]")
_PASTE = re.compile(r"(?:app|application|composit|composite|pipeline|filter|filter-app|server):")
_UNIT = {"Unit", "Service", "Install", "Socket", "Timer"}
_LOGGING = {"loggers", "handlers", "formatters"}
_ROOTWRAP = re.compile(r"^filters_path\s*[=:]", re.MULTILINE)


class Form(StrEnum):
    """What a file is for."""

    OPTIONS = "options"
    PASTE = "paste"
    UWSGI = "uwsgi"
    UNIT = "unit"
    LOGGING = "logging"
    ROOTWRAP = "rootwrap"


def form_of(text: str) -> Form:
    """Return what a file is, by its sections; OPTIONS where they do not tell."""
    sections = {found[1] for line in _LINES.findall(text) if (found := _SECTION.match(line))}
    if any(_PASTE.match(section) for section in sections):
        return Form.PASTE
    if "uwsgi" in sections:
        return Form.UWSGI
    if sections >= _LOGGING:
        return Form.LOGGING
    if "Filters" in sections or _ROOTWRAP.search(text):
        return Form.ROOTWRAP
    return Form.UNIT if sections and sections <= _UNIT else Form.OPTIONS


def lines_of(text: str) -> tuple[Line, ...]:
    """Return the lines of a file that is no OPTIONS, each with those that continue it.

    A line continues one that sets something where it begins with a blank, or that one ends with a backslash.
    """
    lines: list[Line] = []
    section = ""
    for number, physical in enumerate(_LINES.findall(text), 1):
        if lines and _continues(lines[-1], physical):
            lines[-1] = replace(lines[-1], text=lines[-1].text + physical)
        elif begun := _SECTION.match(physical):
            section = begun[1]
            lines.append(Line(number, Kind.SECTION, physical, section))
        elif setting := _SETTING.match(physical):
            lines.append(Line(number, Kind.OPTION, physical, section, setting[1]))
        else:
            lines.append(Line(number, Kind.TEXT, physical, section))
    return tuple(lines)


def _continues(line: Line, physical: str) -> bool:
    if line.kind is not Kind.OPTION:
        return False
    indented = physical[:1] in " \t" and bool(physical.strip()) and physical.strip()[0] not in "#;"
    return indented or line.text.rstrip("\r\n").endswith("\\")
