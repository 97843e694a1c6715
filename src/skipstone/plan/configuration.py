"""The configuration of a cloud's hosts on its way to another release: what becomes of each file. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from fnmatch import fnmatchcase
from functools import partial
from itertools import chain
from pathlib import PurePosixPath
from typing import NamedTuple

from skipstone.catalog.release import Release
from skipstone.catalog.service import Service
from skipstone.checks.finding import Finding
from skipstone.cloud.model import ConfigFile, Host
from skipstone.convert.conversion import Conversion, convert_lines
from skipstone.convert.inifile import Line
from skipstone.convert.option import Name
from skipstone.convert.options import OptionHistory, ReleaseOptions, load_history
from skipstone.convert.policy.catalog import load_rules
from skipstone.convert.policy.enforcement import Settings, settings_of
from skipstone.convert.sections import Sections
from skipstone.errors import InputError
from skipstone.plan.conversion import Outline, described, masked_lines, outline
from skipstone.plan.policies import Ends, Policies
from skipstone.plan.retelling import Retelling
from skipstone.plan.starting import Starters
from skipstone.plan.telling import Carried, Said, asks, changes, finding_of, left, refused, said_of, unknown
from skipstone.steps.conversion import ConvertedFile


class Carrying(NamedTuple):
    """What an operator wants of the conversion: old defaults written out, and files (patterns) left alone."""

    keep: bool = False
    leave: tuple[str, ...] = ()

    def takes(self, file: ConfigFile) -> bool:
        """Whether a file is converted at all: one that nobody has edited becomes its package's new one."""
        return not file.shipped and not any(fnmatchcase(file.path, pattern) for pattern in self.leave)


@dataclass(frozen=True)
class Configuration:
    """What becomes of the files, by host, and what a person has to know of it."""

    files: Mapping[str, tuple[ConvertedFile, ...]]
    findings: tuple[Finding, ...]


def configuration(
    hosts: Iterable[Host], services: Iterable[Service], source: Release, target: Release, carrying: Carrying
) -> Configuration:
    """Return what becomes of the services' files on these hosts."""
    files: dict[str, list[ConvertedFile]] = defaultdict(list)
    said: dict[Said, dict[str, str]] = defaultdict(dict)
    services = tuple(services)
    ways, findings = _ways(services, source, target, keep=carrying.keep)
    retelling = Retelling(partial(_carried, ways, Starters(services, source, target), carrying))
    for host in hosts:
        for done in retelling.carried(host):
            files[host.name] += done.files
            for each, evidence in done.said:
                said[each][host.name] = evidence
    findings += (finding_of(each, found) for each, found in said.items())
    return Configuration(
        {host: tuple(found) for host, found in files.items() if found},
        tuple(sorted(findings, key=lambda finding: -finding.severity.rank)),
    )


def _carried(ways: Iterable["_Way"], starters: Starters, carrying: Carrying, host: Host) -> Iterator[Carried]:
    """Yield what becomes of a host's files, by the services whose packages it has."""
    taken = [file for file in host.config_files if carrying.takes(file)]
    sources = {package.source for package in host.packages}
    for way in (way for way in ways if taken and not sources.isdisjoint(way.service.sources)):
        yield way.carry(taken)
        yield way.carry_policy(host.config_files, taken)
    yield starters.carry(
        taken, {each.name for each in starters.services if not sources.isdisjoint(each.sources)}
    )


def _ways(
    services: Iterable[Service], source: Release, target: Release, *, keep: bool
) -> tuple[list["_Way"], list[Finding]]:
    """Return the services' ways, and what is to be said of those whose options are not known."""
    ways, findings = [], []
    for service in services:
        try:
            history = load_history(service.name)
            policies = _policies(service, source, target)
            ways.append(_Way(service, history, history.between(source, target), keep, policies))
        except InputError as error:
            findings.append(finding_of(left(f"configuration of {service.name}"), {"": str(error)}))
    return ways, findings


def _policies(service: Service, source: Release, target: Release) -> Policies | None:
    """Return a service's policy on the way; None where it has none that is known."""
    try:
        history = load_rules(service.name)
        return Policies(service, history, history.between(source, target), source, target)
    except InputError:
        return None


class _Done(NamedTuple):
    """What became of files, and what the new ones that every daemon reads set of oslo.policy, by path."""

    carried: Carried
    settings: Mapping[str, Settings]


@dataclass(frozen=True)
class _Way:
    """A service's way from one release to another; hosts with the same files are carried once."""

    service: Service
    history: OptionHistory
    releases: tuple[ReleaseOptions, ...]
    keep: bool
    policies: Policies | None
    _did: dict[tuple[ConfigFile, ...], _Done] = field(default_factory=dict)
    _ended: dict[tuple[tuple[ConfigFile, ...], ...], Ends] = field(default_factory=dict)
    _places: dict[str, "Readers | None"] = field(default_factory=dict)

    def carry(self, files: Iterable[ConfigFile]) -> Carried:
        """Return what becomes of a host's files, those of other services among them."""
        return self._done(self._own(files)).carried

    def carry_policy(self, files: Collection[ConfigFile], taken: Iterable[ConfigFile]) -> Carried:
        """Return what becomes of a host's policy files; of its ``files`` those ``taken`` may be converted."""
        if self.policies is None or not self.policies.concerns(files):
            return Carried((), ())
        key = self._own(files), self._own(taken)
        if key not in self._ended:
            self._ended[key] = self._ends(*key)
        return self.policies.carry(taken, {file.path for file in files}, self._ended[key])

    def _ends(self, files: Iterable[ConfigFile], taken: tuple[ConfigFile, ...]) -> Ends:
        """Return what is set of oslo.policy at both ends; a file that is not converted stays as it is."""
        found = [(file.path, outline.lines) for file, outline in _outlines(files)[0].items()]
        lines = {path: lines for path, lines in found if self._place(path) is not Readers.DAEMON}
        first, last = self.releases[0], self.releases[-1]
        before = (settings_of(each, first) for each in lines.values())
        after = {path: settings_of(each, last) for path, each in lines.items()}
        after.update(self._done(taken).settings)
        return Ends(tuple(chain.from_iterable(before)), tuple(chain.from_iterable(after.values())))

    def _own(self, files: Iterable[ConfigFile]) -> tuple[ConfigFile, ...]:
        """Return the files of the service's options, in the order in which they are read."""
        found = ((self._place(file.path), file) for file in files)
        return tuple(file for _, file in sorted((one for one in found if one[0]), key=_as_read))

    def _place(self, path: str) -> "Readers | None":
        if path not in self._places:
            self._places[path] = place_of(path, self.service)
        return self._places[path]

    def _done(self, own: tuple[ConfigFile, ...]) -> _Done:
        if own not in self._did:
            self._did[own] = self._carry(own)
        return self._did[own]

    def _carry(self, files: Iterable[ConfigFile]) -> _Done:
        outlines, said = _outlines(files)
        found: list[ConvertedFile] = []
        conversions = tuple(self._conversions(outlines))
        lines = (line for _, conversion in conversions for line in conversion.before)
        sections = Sections(self.service.name, lines)
        for file, conversion in conversions:
            masked = {line.number for line in masked_lines(conversion)}
            asked = (remark for remark in conversion.remarks if asks(remark, masked))
            said += (said_of(file, remark) for remark in asked)
            if conversion.changed:
                moved = self._moved(conversion, sections)
                found.append(described(conversion, file, outlines[file], moved))
                said.append(changes(found[-1]))
        settings = {
            file.path: settings_of(conversion.after, self.releases[-1])
            for file, conversion in conversions
            if self._place(file.path) is not Readers.DAEMON
        }
        return _Done(Carried(tuple(found), tuple(said)), settings)

    def _conversions(self, files: Mapping[ConfigFile, Outline]) -> Iterator[tuple[ConfigFile, Conversion]]:
        """Yield what all daemons read, as one configuration; then what single ones read on top of it."""
        together = {file: place_of(file.path, self.service) is not Readers.DAEMON for file in files}
        base = {file.path: files[file].lines for file, every in together.items() if every}
        yield from zip((file for file, every in together.items() if every), self._convert(base), strict=True)
        for file in (file for file, every in together.items() if not every):
            yield file, self._convert({**base, file.path: files[file].lines})[-1]

    def _convert(self, files: Mapping[str, tuple[Line, ...]]) -> tuple[Conversion, ...]:
        return convert_lines(files, self.history, self.releases, keep=self.keep)

    def _moved(self, conversion: Conversion, sections: Sections) -> tuple[str, ...]:
        """Return the options with other names, of those that masked values may refer to by name alone."""
        first = self.releases[0]
        masked = {line.section for line in masked_lines(conversion)}
        groups = {"DEFAULT"}.union(*(sections.groups(section, first) for section in masked))
        names = [name for name in first.options if name.group in groups]
        return tuple(sorted({name.option for name in names if self._has_moved(name)}))

    def _has_moved(self, name: Name) -> bool:
        end = self.history.follow(name, self.releases)
        return end is None or end.names != (name,)


def _as_read(placed: tuple["Readers | None", ConfigFile]) -> tuple[int, str]:
    place, file = placed
    return place or 0, file.path


class Readers(IntEnum):
    """Who reads a file, in the order in which files are read: the last one's word counts.

    So do WSGI programs, which enforce policies and are given no ``--config-file``; where a daemon is given
    the service's file so, it counts for more than the directory (``checks.configuration.read_options``).
    """

    EVERY = 1
    DIRECTORY = 2
    DAEMON = 3


def place_of(path: str, service: Service) -> Readers | None:
    """Return who of a service reads a file, or None where it holds no options of it."""
    if path in service.config_files:
        return Readers.EVERY
    if service.reads(path):
        return Readers.DIRECTORY
    return Readers.DAEMON if any(map(PurePosixPath(path).match, service.daemon_files)) else None


def _outlines(
    files: Iterable[ConfigFile],
) -> tuple[dict[ConfigFile, Outline], list[tuple[Said, str]]]:
    """Return the outlines of files that can be converted, and what is to be said of the others."""
    outlines: dict[ConfigFile, Outline] = {}
    said: dict[tuple[Said, str], None] = {}
    for file in files:
        if why := unknown(file):
            said[why] = None
            continue
        try:
            outlines[file] = outline(file)
        except InputError as error:
            said[refused(file, error)] = None
    return outlines, list(said)
