"""The policy files of a cloud's hosts on their way to another release. Pure.

Which files a service reads is oslo.policy's rule (``Enforcer.load_rules``): the one that ``[oslo_policy]
policy_file`` names, found beside the service's configuration, then all of the ``policy_dirs``. The default
came to be ``policy.yaml``; where that is not there, ``policy.json`` was read all the same
(``pick_default_policy_file``).
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import NamedTuple

import yaml

from skipstone.catalog.loader import load_catalog
from skipstone.catalog.release import Release
from skipstone.catalog.service import Service
from skipstone.checks.check import listed
from skipstone.checks.finding import Severity
from skipstone.cloud.masking import MASK
from skipstone.cloud.model import ConfigFile
from skipstone.convert.conversion import Conversion
from skipstone.convert.inifile import render
from skipstone.convert.policy.catalog import ReleaseRules, RuleHistory
from skipstone.convert.policy.conversion import PolicyConversion, convert
from skipstone.convert.policy.document import read_document
from skipstone.convert.policy.effects import effects, grouped, named
from skipstone.convert.policy.enforcement import DIRECTORIES, FILE, Enforcement, Settings, enforcements
from skipstone.convert.remark import Matter
from skipstone.errors import InputError
from skipstone.plan.conversion import spans
from skipstone.plan.rewriting import padded, rewritten, unfolded
from skipstone.plan.telling import Carried, Said, asks, changes, refused, said_of, unknown
from skipstone.steps.conversion import ConvertedFile, Grammar

_YAML, _JSON = "policy.yaml", "policy.json"
_WITHOUT_JSON = "gazpacho"
"""The release whose oslo.policy, 5.1, looks for ``policy.json`` no more."""

_WITHOUT_OWN = "wallaby"
"""The release whose placement has no ``[placement] policy_file`` (``policy.yaml``) beside oslo.policy's."""

_LOGIN = re.compile(rf"://{re.escape(MASK)}@")
_PLAIN = "name files below its own directory, without references; or convert them by hand"
_RENAME = (
    "copy it to policy.yaml, as it is, and set [oslo_policy] policy_file to policy.yaml:"
    " that is read today, too; then discover again"
)
_REMOVING = {"cinder", "glance", "heat", "keystone", "neutron", "nova"}
"""The services whose packages (``postinst`` of SERVICE-common, keystone) remove ``policy.json``."""
_GROUPS, _RULES = 3, 3
"""How many groups of people are told of, and how many rules of each."""


class Ends(NamedTuple):
    """What the configuration sets of oslo.policy as it is, and as it is converted."""

    before: Settings
    after: Settings


@dataclass(frozen=True)
class Policies:
    """A service's rules on the way; hosts with the same files are carried once."""

    service: Service
    history: RuleHistory
    way: tuple[ReleaseRules, ...]
    source: Release
    target: Release
    _carried: dict[tuple[object, ...], Carried] = field(default_factory=dict)
    _mine: dict[str, bool] = field(default_factory=dict)

    def carry(self, files: Iterable[ConfigFile], there: Collection[str], ends: Ends) -> Carried:
        """Return what becomes of a host's policy files.

        ``there`` are the paths of all its files, ``files`` those that may be converted.
        """
        given = {value for end in ends for name, value in end if name == FILE}
        mine = {file.path: file for file in files if self._is_mine(file.path) or file.path in given}
        if not mine and not given:
            return Carried((), ())
        places = tuple(sorted(path for path in there if self._is_mine(path) or path in given))
        key = (tuple(mine.values()), places, ends)
        if key not in self._carried:
            self._carried[key] = _Host(self, mine, places, ends).carried()
        return self._carried[key]

    def concerns(self, files: Iterable[ConfigFile]) -> bool:
        """Whether there may be a policy at all: a file of one, or configuration that names it."""
        return any(FILE.option in (file.text or "") or self._is_mine(file.path) for file in files)

    def _is_mine(self, path: str) -> bool:
        if path not in self._mine:
            named = path.endswith((".json", ".yaml", ".yml")) or "policy" in path
            self._mine[path] = named and self.is_inside(path)
        return self._mine[path]

    def is_inside(self, path: str) -> bool:
        """Whether a path is in the service's directory, which is what discovery reads."""
        return any(path.startswith(f"{directory}/") for directory in self.service.config_dirs)


class _Host:
    """One host's policy files of a service while they are carried."""

    def __init__(
        self, policies: Policies, files: Mapping[str, ConfigFile], there: Collection[str], ends: Ends
    ) -> None:
        self._policies, self._files, self._there = policies, files, there
        self._before, self._after = dict(ends.before), dict(ends.after)
        self._directories = [value for name, value in ends.before if name == DIRECTORIES] or ["policy.d"]
        self._enforced = self._enforcements()
        self._said: list[tuple[Said, str]] = []
        self._base = PurePosixPath(policies.service.config_dirs[0])

    def _enforcements(self) -> Mapping[str, Enforcement]:
        """Return what is enforced; by releases in between, which nobody runs, with the target's settings."""
        first, *others = (each.release for each in self._policies.way)
        service = self._policies.service.name
        return {**enforcements(service, others, self._after), **enforcements(service, [first], self._before)}

    def carried(self) -> Carried:
        """Return what becomes of the files; of none where one of them is not known."""
        before, after = self._main(self._policies.source), self._main(self._policies.target, alone=True)
        if not self._is_clear(before, after):
            return Carried((), tuple(self._said))
        read = [path for path in (before, *self._inside()) if self._says_something(path)]
        try:
            if not read or not self._are_known(read):
                return Carried((), self._graver(before))
            texts = {path: _text(self._files[path]) for path in read}
            done = convert(texts, self._policies.history, self._policies.way, self._enforced)
            found = tuple(self._files_of(done, {before: after} if before != after else {}))
        except InputError as error:
            file = self._files[next((path for path in read if path in error.where), read[0])]
            self._said = [refused(file, error)]
            return Carried((), self._graver(before))
        return Carried(found, (*self._said, *self._effects(done)))

    def _graver(self, before: str) -> tuple[tuple[Said, str], ...]:
        """Return what was said, as an inhibitor where the target does not read the file, or has none."""
        if before in self._files and (self._goes(before) or self._main(self._policies.target) != before):
            inhibitor = Severity.INHIBITOR
            return tuple((said._replace(severity=inhibitor), evidence) for said, evidence in self._said)
        return tuple(self._said)

    def _main(self, release: Release, *, alone: bool = False) -> str:
        """Return which file a release reads as the policy; ``alone``: where there is none of another name."""
        wanted = self._enforced[release.codename].file
        settings = self._before if release == self._policies.source else self._after
        others = () if FILE in settings or alone else self._others(release, wanted)
        paths = [str(self._base / name) for name in (wanted, *others)]
        return next((path for path in paths if path in self._there), paths[0])

    def _others(self, release: Release, wanted: str) -> Iterator[str]:
        catalog = load_catalog()
        if wanted == _YAML and release < catalog.release(_WITHOUT_JSON):
            yield _JSON
        if self._policies.service.name == "placement" and release < catalog.release(_WITHOUT_OWN):
            yield _YAML

    def _inside(self) -> Iterator[str]:
        """Yield the files of the policy's directories in oslo.policy's order, hidden ones left out."""
        for name in self._directories:
            directory = self._base / name
            found = (path for path in self._there if PurePosixPath(path).parent == directory)
            yield from sorted(path for path in found if not PurePosixPath(path).name.startswith("."))

    def _says_something(self, path: str) -> bool:
        """Whether a file may be converted, and has more than comments."""
        return path in self._files and self._files[path].text != ""

    def _are_known(self, paths: Iterable[str]) -> bool:
        unseen = [why for path in paths if (why := unknown(self._files[path]))]
        self._said += unseen
        return not unseen

    def _is_clear(self, before: str, after: str) -> bool:
        """Whether it is certain what is read, and what is written; say so where it is not."""
        values = (before, *(str(self._base / name) for name in self._directories))
        unclear = [
            value for value in values if not self._policies.is_inside(value) or "$" in value or MASK in value
        ]
        service, target = self._policies.service.name, self._policies.target.title
        if unclear:
            self._say(Severity.WARNING, f"it is not known which policy {service} reads", _PLAIN)
        elif after in self._there and before != after:
            new, read = PurePosixPath(after).name, before in self._files
            self._say(
                Severity.INHIBITOR if read else Severity.WARNING,
                f"{service} does not read {after} yet, and will in {target}"
                + (f", instead of {PurePosixPath(before).name}" if read else ""),
                f"remove {new}, or set [oslo_policy] policy_file to the one that shall count",
            )
            return False
        elif self._goes(after):
            text = f"{service}'s new packages remove {after}, which is its policy by name"
            self._say(Severity.INHIBITOR, text, _RENAME)
        return not unclear

    def _goes(self, path: str) -> bool:
        """Whether the new packages' scripts take a file away, edited or not."""
        removed = self._policies.service.name in _REMOVING and path == str(self._base / _JSON)
        return removed and path in self._there

    def _say(self, severity: Severity, title: str, remedy: str) -> None:
        said = Said(Matter.POLICY_FILE.value, severity, title, remedy)
        self._said.append((said, "[oslo_policy] policy_file is " + self._before.get(FILE, "not set")))

    def _files_of(self, done: PolicyConversion, becomes: Mapping[str, str]) -> Iterator[ConvertedFile]:
        for conversion in done.files:
            file = self._files[conversion.name]
            remarks = (remark for remark in conversion.remarks if remark.matter is not Matter.POLICY_FILE)
            self._said += [said_of(file, remark) for remark in remarks if asks(remark, ())]
            if found := _converted(conversion, file, becomes.get(file.path, "")):
                self._said.append(changes(found))
                self._tell_of_name(found)
                yield found

    def _tell_of_name(self, file: ConvertedFile) -> None:
        if file.becomes:
            target = self._policies.target.title
            text = f"{target} reads {file.becomes}, and {file.path} no more"
            remedy = "remove the old file when the upgrade is done, where its package has not"
            self._say(Severity.INFO, text, remedy)
        elif file.grammar is Grammar.BRACES and file.path.endswith(".json"):
            text = f"{file.path} is YAML from now on, under its old name"
            self._say(Severity.INFO, text, "give it another name when the upgrade is done")

    def _effects(self, done: PolicyConversion) -> Iterator[tuple[Said, str]]:
        """Yield who loses or gains what, in short, where the operator has rules of his own."""
        if not any(stage.overrides for stage in done.stages):
            return
        found = effects(done.service, done.stages)
        groups = [
            f"{turn.value}: {named(whom)}: {listed([each.name for each in those], _RULES)}"
            for turn, whom, those in grouped(found.changed)
        ]
        if groups:
            title = (
                f"{done.service}: {len(found.changed)} of {found.asked} operations are for others than before"
            )
            remedy = "`skipstone config policy` shows all; a rule in the file outlives every default"
            said = Said("policy-effects", Severity.WARNING, title, remedy)
            yield said, "; ".join(groups[:_GROUPS]) + ("; ..." if groups[_GROUPS:] else "")


def _converted(conversion: Conversion, file: ConfigFile, becomes: str) -> ConvertedFile | None:
    """Return what the host is told, or None where the file can stay as it is."""
    layout = read_document(file.path, render(conversion.before)).layout
    if conversion.after == layout and not becomes:
        return None
    if render(layout) == render(conversion.before):
        return rewritten(conversion, layout, file, Grammar.POLICY, becomes)
    return unfolded(conversion, file, becomes)


def _text(file: ConfigFile) -> str:
    """Return a policy's text; raise InputError where discovery has left out, or masked, what may matter."""
    text = padded(file)
    if MASK in _LOGIN.sub("", text):
        raise InputError("a part of it is not known, since it is a secret elsewhere", where=file.path)
    gaps = {number for first, last in spans(file) for number in range(first, last + 1)}
    for node in _scalars(_composed(text)):
        start, end = node.start_mark, node.end_mark
        last = end.line + 1 if end.column or node.style in {"|", ">"} else end.line
        if not gaps.isdisjoint(range(start.line + 1, last + 1)):
            raise InputError(
                "what may be a comment stands within a check",
                where=file.path,
                evidence=f"line {start.line + 1}: write the check into one line",
            )
    return text


def _composed(text: str) -> yaml.Node | None:
    """Return the root of YAML; None for what is none, in which no text goes over several lines."""
    try:
        root: yaml.Node | None = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError:
        return None
    return root


def _scalars(node: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _scalars(item)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _scalars(key)
            yield from _scalars(value)
