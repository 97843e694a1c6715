"""Tells files of another service by the options in them."""

from collections.abc import Iterable, Mapping

from skipstone.catalog.release import Release
from skipstone.convert.forms import Form, form_of
from skipstone.convert.inifile import Kind, Line, parse
from skipstone.convert.options import OptionHistory, known_services, load_history
from skipstone.convert.sections import Sections
from skipstone.errors import InputError

_POLICY = (".yaml", ".yml", ".json")
_SURPLUS = 2
"""How many more options another service has to know: what is in common is the libraries'."""


def refuse_stranger(files: Mapping[str, str], history: OptionHistory, release: Release) -> None:
    """Raise InputError where files are another service's: it knows more of their options; or a policy."""
    for name in files:
        if name.endswith(_POLICY):
            raise InputError(
                "this is the name of a policy, not of what oslo.config reads",
                where=name,
                remedy=f"skipstone config policy {name}",
            )
    options = {name: text for name, text in files.items() if form_of(text) is Form.OPTIONS}
    lines = [line for name, text in options.items() for line in parse(text, name) if line.kind is Kind.OPTION]
    own = _known(lines, history, release)
    if len(lines) - own < _SURPLUS:
        return
    others = (name for name in known_services() if name != history.service)
    counts = {name: _known(lines, load_history(name), release) for name in others}
    best = max(counts, key=lambda name: counts[name])
    if counts[best] - own >= _SURPLUS:
        raise InputError(
            f"this looks like a file of {best}, not of {history.service}",
            where=", ".join(files),
            evidence=f"of {len(lines)} options {history.service} knows {own}, {best} {counts[best]}",
            remedy=f"--service {best}",
        )


def _known(lines: Iterable[Line], history: OptionHistory, release: Release) -> int:
    if str(release) not in history.releases:
        return 0
    options, sections = history.at(str(release)), Sections(history.service, lines)
    return sum(1 for line in lines if sections.resolve(line.section, line.key, options))
