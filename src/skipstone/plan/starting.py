"""What starts the services, on its way to another release: uWSGI files, units, and paste files. Pure."""

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath

from skipstone.catalog.release import Release
from skipstone.catalog.service import Service
from skipstone.checks.finding import Severity
from skipstone.cloud.masking import MASK
from skipstone.cloud.model import ConfigFile
from skipstone.convert.conversion import Conversion
from skipstone.convert.forms import Form, form_of
from skipstone.convert.inifile import Line
from skipstone.convert.paste import convert_paste, may_load
from skipstone.convert.programs import Hop, convert_starter, keeps_down, may_start, services_of
from skipstone.convert.remark import Matter, Remark
from skipstone.errors import InputError
from skipstone.plan.rewriting import padded, rewritten
from skipstone.plan.telling import Carried, Said, asks, changes, left, refused, said_of, unknown
from skipstone.steps.conversion import UNITS, Grammar

_BROKEN_OFF = re.compile(r"\\\r?\n#\n")
"""Discovery has left out what continues a line."""

_UWSGI = "/etc/uwsgi/"
_NAMES = {Form.UWSGI: "*uwsgi*.ini", Form.PASTE: "*paste*.ini"}


@dataclass(frozen=True)
class Starters:
    """Carries what starts these services; the same file on many hosts is carried once."""

    services: tuple[Service, ...]
    source: Release
    target: Release
    _carried: dict[ConfigFile, Carried] = field(default_factory=dict)
    _places: dict[str, bool] = field(default_factory=dict)

    def carry(self, files: Iterable[ConfigFile], installed: Collection[str]) -> Carried:
        """Return what becomes of a host's files that start what is installed there (names of services)."""
        found = [self._of(file) for file in files if self._looks_at(file.path, installed)]
        return Carried(
            tuple(file for each in found for file in each.files),
            tuple(one for each in found for one in each.said),
        )

    def _looks_at(self, path: str, installed: Collection[str]) -> bool:
        """Whether a path is one of those where such files are, of a service that is installed."""
        if path not in self._places:
            self._places[path] = path.startswith((_UWSGI, UNITS)) or self._owner(path) is not None
        owner = self._owner(path) if self._places[path] else None
        return self._places[path] and (owner is None or owner in installed)

    def _owner(self, path: str) -> str | None:
        return owner_of(path, self.services) if any(map(PurePosixPath(path).match, _NAMES.values())) else None

    def _of(self, file: ConfigFile) -> Carried:
        if file not in self._carried:
            self._carried[file] = self._carry(file)
        return self._carried[file]

    def _carry(self, file: ConfigFile) -> Carried:
        if file.text is None:
            return Carried((), tuple(filter(None, (unknown(file),))))
        convert = self._conversion(form_of(file.text), file)
        if not convert:
            return Carried((), ())
        try:
            conversion = convert(padded(file))
        except InputError as error:
            return Carried((), (refused(file, error),))
        said = [self._said(file, remark, conversion) for remark in conversion.remarks if asks(remark, ())]
        if doubt := next(filter(None, map(_doubt, conversion.before)), ""):
            return Carried((), (*said, (left(file.path), doubt)))
        if not conversion.changed:
            return Carried((), tuple(said))
        why = unknown(file)
        return Carried((), (*said, why)) if why else _converted(file, conversion, said)

    def _conversion(self, form: Form, file: ConfigFile) -> Callable[[str], Conversion] | None:
        """Return what converts such a file, if anything does."""
        hop = Hop(self.source, self.target)
        if form is Form.PASTE:
            return partial(convert_paste, file.path, hop=hop) if self._owner(file.path) else None
        if form is Form.UNIT and not file.path.startswith(UNITS):
            return None
        names = {service.name for service in self.services}
        known = form in {Form.UWSGI, Form.UNIT} and names & services_of(file.text or "")
        return partial(convert_starter, file.path, form=form, hop=hop) if known else None

    def _said(self, file: ConfigFile, remark: Remark, conversion: Conversion) -> tuple[Said, str]:
        if remark.matter is not Matter.PROGRAM_GONE:
            return said_of(file, remark)
        line = next(line for line in conversion.before if line.number == remark.line)
        stops = keeps_down(line) and not self._is_over(file.path)
        return said_of(file, remark, Severity.INHIBITOR if stops else Severity.WARNING)

    def _is_over(self, path: str) -> bool:
        """Whether a unit is one of those that the target has no longer: then nothing starts it."""
        if not path.startswith(UNITS):
            return False
        unit = path.removeprefix(UNITS).partition("/")[0].removesuffix(".d").removesuffix(".service")
        return unit in self._units(self.source) and unit not in self._units(self.target)

    def _units(self, release: Release) -> set[str]:
        daemons = (daemon for service in self.services for daemon in service.daemons)
        return {unit.name for daemon in daemons if (unit := daemon.unit(release))}


def owner_of(path: str, services: Iterable[Service]) -> str | None:
    """Return the service in whose directory a file is."""
    owners = (
        service.name
        for service in services
        if any(path.startswith(f"{directory}/") for directory in service.config_dirs)
    )
    return next(owners, None)


def _converted(file: ConfigFile, conversion: Conversion, said: Iterable[tuple[Said, str]]) -> Carried:
    """Return the file converted; where it cannot be, its service would not start any more."""
    try:
        done = rewritten(conversion, conversion.before, file, Grammar.PROGRAMS)
    except InputError as error:
        return Carried((), (*said, (left(file.path, Severity.INHIBITOR), f"{error}: {error.evidence}")))
    return Carried((done,), (*said, changes(done)))


def _doubt(line: Line) -> str:
    """Return why it is not known what a line says, if so."""
    if MASK in line.text and (may_start(line) or may_load(line)):
        return f"line {line.number} has a secret, and what stands behind it is not known"
    if _BROKEN_OFF.search(line.text):
        return f"line {line.number} goes on in a comment or an empty line"
    return ""
