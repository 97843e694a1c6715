"""uWSGI files and systemd units: what starts the services, and is gone in later releases."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

from skipstone.catalog.loader import load_catalog
from skipstone.catalog.release import Release
from skipstone.convert.conversion import MARK, Conversion
from skipstone.convert.forms import Form, lines_of
from skipstone.convert.inifile import Kind, Line
from skipstone.convert.judgement import remark, title
from skipstone.convert.remark import Matter, Remark

_FACTS = Path(__file__).with_name("programs.yaml")
_FILE_KEYS = {"wsgi-file", "wsgi_file", "file"}
_APPLICATION_KEYS = {*_FILE_KEYS, "wsgi", "module", "mount"}
_WORD = re.compile(r"[^\s=,;'\"|&]+")


class Script(BaseModel):
    """An executable that is gone since a release; ``module``, there since ``offered``, does the same."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: str
    since: str
    wsgi: bool = False
    stub: bool = False
    module: str = ""
    offered: str = ""
    instead: str = ""

    @property
    def replacement(self) -> str:
        """What to use instead, in words."""
        return f"the module {self.module}" if self.module else self.instead


class Factory(BaseModel):
    """What paste loads, and is gone since a release."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: str
    since: str


class Need(BaseModel):
    """An option of uWSGI that a service's programs came to need."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: str
    since: str
    option: str
    value: str
    programs: tuple[str, ...]


class Programs(BaseModel):
    """All that is known of what starts the services' APIs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scripts: Mapping[str, Script]
    factories: Mapping[str, Factory]
    needs: tuple[Need, ...]


@cache
def load_programs() -> Programs:
    """Return what is known."""
    return Programs.model_validate(yaml.safe_load(_FACTS.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Hop:
    """The two releases between which a file is carried."""

    source: Release
    target: Release

    def lacks(self, since: str) -> bool:
        """Whether what is gone since a release is not in the target."""
        return load_catalog().release(since) <= self.target

    @property
    def moves(self) -> bool:
        """Whether there is anything to convert."""
        return self.source != self.target


def services_of(text: str) -> set[str]:
    """Return the services of which a uWSGI file or a unit starts programs."""
    known = load_programs().scripts
    owners = {name: script.service for name, script in known.items()}
    owners |= {script.module: script.service for script in known.values()}
    started = (name for line in lines_of(text) for name in _started(line))
    return {owners[name] for name in started if name in owners}


def may_start(line: Line) -> bool:
    """Whether a line is one of those that name what a uWSGI file or a unit starts."""
    starts = line.key in _APPLICATION_KEYS or line.key.startswith("Exec") or line.key.endswith("-daemon")
    return line.kind is Kind.OPTION and starts


def keeps_down(line: Line) -> bool:
    """Whether the service is not there where nothing can be found of what a line names.

    uWSGI answers 500 to everything without its application, and systemd starts nothing after a start's
    command has failed, but one behind a minus. What stops or reloads, and uWSGI's daemons, are other things.
    """
    starting = line.key.startswith("ExecStart") and not line.value.lstrip("@:+!|").startswith("-")
    return line.key in _APPLICATION_KEYS or starting


def convert_starter(name: str, text: str, form: Form, hop: Hop) -> Conversion:
    """Convert a uWSGI file or a systemd unit; what nothing does the same for stays and is told."""
    file = _Starter(form, hop)
    before = lines_of(text)
    after = tuple(new for line in before for new in file.line(line))
    if form is Form.UWSGI and hop.moves:
        after = tuple(file.with_needs(after))
    return Conversion(name, before, after, tuple(file.remarks), frozenset())


class _Starter:
    """One file while it is converted."""

    def __init__(self, form: Form, hop: Hop) -> None:
        self._form, self._hop = form, hop
        self.remarks: list[Remark] = []

    def line(self, line: Line) -> Iterator[Line]:
        """Yield what becomes of a line."""
        known = load_programs().scripts
        for name in dict.fromkeys(_started(line)):
            if name in known:
                line = self._script(line, name, known[name])
        yield line

    def _script(self, line: Line, name: str, script: Script) -> Line:
        since = title(script.since)
        new = _replaced(line, name, script)
        if not self._hop.lacks(script.since):
            if script.offered and self._hop.lacks(script.offered) and new:
                text = f"{name} will be gone in {since}; {script.replacement} is there already"
                self.remarks.append(remark(Matter.PROGRAM_LEAVES, line, text))
            return line
        if new and self._hop.moves:
            text = f"{name} is gone since {since}; {script.replacement} does the same"
            self.remarks.append(remark(Matter.PROGRAM_REPLACED, line, text))
            return new
        gone = "does no more than say that it is gone" if script.stub else "is gone"
        text = f"{name} {gone} since {since}; instead: {script.replacement}"
        self.remarks.append(remark(Matter.PROGRAM_GONE, line, text))
        return line

    def with_needs(self, lines: tuple[Line, ...]) -> Iterator[Line]:
        """Yield lines with the options that their programs came to need below what names the program."""
        keys = {line.key.replace("_", "-") for line in lines if line.kind is Kind.OPTION}
        usual = next((line.ending for line in lines if line.ending), "\n")
        for line in lines:
            needs = [need for need in self._needs(line) if need.option not in keys]
            keys |= {need.option for need in needs}
            ending = line.ending or usual
            yield line if line.ending or not needs else replace(line, text=line.text + ending)
            for need in needs:
                yield from self._need(line, need, ending)

    def _needs(self, line: Line) -> Iterator[Need]:
        for need in load_programs().needs:
            if self._hop.lacks(need.since) and _names(line, need.programs):
                yield need

    def _need(self, line: Line, need: Need, ending: str) -> Iterator[Line]:
        why = f"{need.service} needs it since {title(need.since)}"
        added = replace(line, number=0, key=need.option)
        self.remarks.append(
            remark(Matter.PROGRAM_NEEDS, added, f"{need.option} = {need.value} is new: {why}")
        )
        yield replace(added, kind=Kind.TEXT, text=f"{MARK}{need.option}: {why}{ending}", key="")
        yield replace(added, text=f"{need.option} = {need.value}{ending}")


def _started(line: Line) -> Iterator[str]:
    """Yield the names of the programs and modules that a line may start: no directories, no mere names.

    Of a command that is the first word, and what lies in a ``bin``.
    """
    if not may_start(line):
        return
    words = _WORD.findall(line.value)
    if line.key in _APPLICATION_KEYS:
        yield from (Path(word.partition(":")[0]).name for word in words)
    else:
        yield from (
            Path(word.lstrip("-@:+!|")).name
            for index, word in enumerate(words)
            if "/bin/" in word or (index == 0 and "/" not in word)
        )


def _names(line: Line, programs: tuple[str, ...]) -> bool:
    return any(name in programs for name in _started(line))


def _replaced(line: Line, name: str, script: Script) -> Line | None:
    """Return a line that names the module instead of the script, or None where that is not the same."""
    application = f"{script.module}:application"
    path = rf"[^\s=,;'\"]*\b{re.escape(name)}(?![\w.-])"
    if not script.module:
        return None
    if line.key in _FILE_KEYS:
        text = line.text.replace(line.key, "module", 1)
        return replace(line, text=re.sub(path, application, text, count=1), key="module")
    if line.key == "mount":
        return replace(line, text=re.sub(path, application, line.text, count=1))
    text = re.sub(rf"--(?:wsgi-file|file)([\s=]+){path}", rf"--module\g<1>{application}", line.text)
    return replace(line, text=text) if text != line.text else None
