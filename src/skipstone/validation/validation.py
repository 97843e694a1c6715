"""Configuration files judged by a release: its own oslo-config-validator, and its own options reading them.

The files are read by the release's Python (``scripts/judge.py``), out of its toolchain. What comes back names
options, never their values.
"""

import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict

from skipstone.catalog.release import Release
from skipstone.cloud.masking import Secrets
from skipstone.convert.inifile import Kind, Line, normal, parse
from skipstone.convert.option import Name
from skipstone.convert.options import ReleaseOptions
from skipstone.convert.remark import Matter, Remark
from skipstone.convert.sections import Sections
from skipstone.errors import InputError, ToolchainError
from skipstone.settings import Settings
from skipstone.toolchain.building import find
from skipstone.toolchain.program import environment, failure
from skipstone.toolchain.virtualenv import VirtualenvToolchain

SCRIPT = Path(__file__).parent / "scripts" / "judge.py"
_NAMESPACES = Path(__file__).with_name("namespaces.yaml")
_SECONDS = 300
_WITHOUT_VALIDATOR = ("queens", "rocky")


class Fault(BaseModel):
    """What a release says of an option; ``what`` is one of the keys of ``_MATTERS``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    section: str
    option: str
    what: str
    kind: str = ""


class Answer(BaseModel):
    """What the release said: of each file, and of all of them together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    validator: tuple[tuple[Fault, ...], ...]
    loading: tuple[Fault, ...]


class _Say(NamedTuple):
    matter: Matter
    text: str


_MATTERS = {
    "unknown": _Say(Matter.OPTION_UNKNOWN, "oslo-config-validator of {title} does not know it"),
    "old": _Say(Matter.OPTION_DEPRECATED, "oslo-config-validator of {title} calls it deprecated"),
    "refused": _Say(Matter.VALUE_REFUSED, "{title} cannot read its value: it has to be {kind}"),
    "reference": _Say(Matter.REFERENCE_LOST, "{title} cannot find what its value refers to"),
}


@cache
def namespaces() -> Mapping[str, tuple[str, ...]]:
    """Return the patterns of each service's namespaces; those of ``every`` are of all."""
    read = yaml.safe_load(_NAMESPACES.read_text(encoding="utf-8"))
    return {service: tuple(patterns) for service, patterns in read.items()}


def validate(
    files: Mapping[str, Path], toolchain: VirtualenvToolchain, service: str, known: ReleaseOptions
) -> Mapping[str, tuple[Remark, ...]]:
    """Return what a release says of files that are read as one configuration, by the names given for them.

    ``known`` are its options. Raises InputError where a file cannot be read, ToolchainError where the release
    does not answer.
    """
    lines = {name: parse(path.read_text(encoding="utf-8"), name) for name, path in files.items()}
    every = [line for each in lines.values() for line in each]
    answer = _asked(files, toolchain, service, _like(every, Sections(service, every), known))
    title = toolchain.release.title
    found: dict[str, list[Remark]] = {
        name: [_remark(fault, lines[name], title) for fault in faults]
        for name, faults in zip(files, answer.validator, strict=True)
    }
    for fault in answer.loading:
        place = next((name for name in reversed([*files]) if _line(fault, lines[name])), next(iter(files)))
        found[place].append(_remark(fault, lines[place], title))
    return {name: tuple(sorted(dict.fromkeys(each), key=_order)) for name, each in found.items()}


def _like(lines: Iterable[Line], sections: Sections, known: ReleaseOptions) -> Mapping[str, tuple[str, ...]]:
    """Return the sections that have others' options, with these; none for those that only a plugin knows."""
    names = dict.fromkeys(line.section for line in lines if line.kind is Kind.SECTION)
    groups = {name: tuple(sections.groups(name, known)) for name in names}
    return {
        name: like
        for name, like in groups.items()
        if name not in known.groups and (like != (name,) or sections.is_plugins(name, known))
    }


def _asked(
    files: Mapping[str, Path],
    toolchain: VirtualenvToolchain,
    service: str,
    like: Mapping[str, tuple[str, ...]],
) -> Answer:
    patterns = namespaces()
    question = {
        "files": [str(path.absolute()) for path in files.values()],
        "patterns": [*patterns[service], *patterns["every"]],
        "like": like,
        "without": [*like],
    }
    program = toolchain.python(service, (str(SCRIPT),))
    what, where = f"{service} of {toolchain.release.title} does not answer", ", ".join(files)
    try:
        done = subprocess.run(
            program.argv,
            input=json.dumps(question),
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
            env=environment(program.environment),
        )
    except subprocess.TimeoutExpired as error:
        raise ToolchainError(f"{what}: it took longer than {_SECONDS} s", where=where) from error
    if done.returncode:
        raise failure(_masked(done.stderr, files.values()), what=what, where=where)
    return Answer.model_validate_json(done.stdout)


def _masked(said: str, files: Iterable[Path]) -> str:
    """Return what a program said without the secrets of the files that it has read."""
    secrets = Secrets()
    for path in files:
        secrets.without_secrets(path.read_text(encoding="utf-8"))
    return secrets.everywhere(secrets.without_secrets(said))


def _remark(fault: Fault, lines: Iterable[Line], title: str) -> Remark:
    say = _MATTERS[fault.what]
    return Remark(
        matter=say.matter,
        line=_line(fault, lines),
        section=fault.section,
        option=fault.option,
        text=say.text.format(title=title, kind=fault.kind),
    )


def _line(fault: Fault, lines: Iterable[Line]) -> int | None:
    """Return the last line that sets an option: the one that counts."""
    name = Name(normal(fault.section), fault.option)
    numbers: Iterator[int] = (line.number for line in lines if Name(line.section, line.key) == name)
    return max(numbers, default=None)


def _order(remark: Remark) -> tuple[bool, int]:
    return remark.line is None, remark.line or 0


def validator_of(release: Release, settings: Settings) -> VirtualenvToolchain:
    """Return a release's toolchain; InputError where it is not built, or older than oslo-config-validator."""
    if str(release) in _WITHOUT_VALIDATOR:
        raise InputError(
            f"{release.title} has no oslo-config-validator", remedy="Stein is the first with one"
        )
    if toolchain := find(release, settings):
        return toolchain
    raise InputError(
        f"the toolchain of {release.title} is not built, and only the release's own code can tell",
        remedy=f"skipstone toolchain build {release}",
    )
