"""Configuration of one release made that of another, on the host: converted, put in place, brought back.

A plan holds no secret, so it has no file. It says which lines of the original stay, which become comments and
which get another name, and what we write between them; ``scripts/conversion.py`` does that to the original,
which must still be the one that was discovered. It lies in the plan's directory on the host, with the files.
"""

import json
from collections.abc import Iterable, Iterator
from enum import StrEnum
from importlib import resources
from itertools import groupby
from typing import Any, ClassVar, Literal

from pydantic import Field

from skipstone.cloud.command import Command
from skipstone.cloud.model import Fact
from skipstone.steps.scripts.conversion import changed
from skipstone.steps.shell import RELOAD_UNITS, words
from skipstone.steps.step import Step, is_empty

_PROGRAM = resources.files("skipstone.steps.scripts").joinpath("conversion.py").read_text()

UNITS = "/etc/systemd/system/"
"""Where the operator's units are, and what is set on top of others'."""

_NAMED = 8
"""Hosts that are named where many have the same change."""


class Do(StrEnum):
    """What is done with lines of the original, or that lines are written which it has not."""

    KEEP = "keep"
    COMMENT = "comment"
    CHANGE = "change"
    WRITE = "write"
    REPLACE = "replace"
    REMARKS = "remarks"


class Grammar(StrEnum):
    """How a file is read, so that it is known which of its lines are comments.

    ``braces`` is a policy with its rules in braces; it becomes one with a line for each.
    """

    OPTIONS = "options"
    PROGRAMS = "programs"
    POLICY = "policy"
    BRACES = "braces"


class Part(Fact):
    """A part of a converted file; all of them, in their order, are the file.

    ``first`` and ``last`` count the original's lines from 1. ``old`` and ``new`` are the key of a line that
    is changed, ``words`` its references (``$my_ip``), ``moved`` says that it stood in another section.
    ``text`` is what is written; of the original's lines, what they hold without secrets, to be read only, as
    ``why`` is: the reason. Lines that are replaced hold no secret: ``old`` is what they were, ``text`` what
    they become. ``remarks`` are comments, taken without the blanks around them.
    """

    do: Do
    first: int = Field(0, exclude_if=is_empty)
    last: int = Field(0, exclude_if=is_empty)
    old: str = Field("", exclude_if=is_empty)
    new: str = Field("", exclude_if=is_empty)
    words: dict[str, str] = Field(default_factory=dict, exclude_if=is_empty)
    moved: bool = Field(False, exclude_if=is_empty)
    text: str = Field("", exclude_if=is_empty)
    why: str = Field("", exclude_if=is_empty)

    def instruction(self) -> dict[str, Any]:
        """Return what the host needs to know of it."""
        return self.model_dump(mode="json", exclude=_READ_ONLY.get(self.do, {"why", "text"}))

    def before(self) -> str:
        """Return what its lines hold, without secrets."""
        match self.do:
            case Do.WRITE:
                return ""
            case Do.REPLACE:
                return self.old
            case _:
                return self.text

    def after(self) -> str:
        """Return what they become."""
        match self.do:
            case Do.COMMENT:
                return "".join(f"# {line}\n" for line in self.text.splitlines())
            case Do.CHANGE:
                return changed(self.text, self.old, self.new, self.words)
            case _:
                return self.text


_KEPT = (Do.KEEP, Do.REMARKS)
_READ_ONLY = {Do.WRITE: {"why"}, Do.REPLACE: {"why", "old"}}
"""What of a part is only to be read; of the others the text too."""


class ConvertedFile(Fact):
    """What becomes of one file; ``sha256`` is the original's.

    ``masked`` are the first and last lines of values that hold a secret, so that no plan has seen them, and
    ``moved`` names of options that such a value must not refer to, since they have other names now.
    ``becomes`` is the path of the new file where the target looks for another one, which must not be there
    yet; the original is then not touched.
    """

    path: str
    sha256: str
    parts: tuple[Part, ...]
    masked: tuple[tuple[int, int], ...] = ()
    moved: tuple[str, ...] = ()
    grammar: Grammar = Field(Grammar.OPTIONS, exclude_if=Grammar.OPTIONS.__eq__)
    becomes: str = Field("", exclude_if=is_empty)

    @property
    def place(self) -> str:
        """Where the new file is put."""
        return self.becomes or self.path

    def instructions(self) -> str:
        """Return what the host needs to know, a part a line."""
        facts = self.model_dump(mode="json", exclude={"parts"})
        parts = ",\n".join(json.dumps(part.instruction(), ensure_ascii=False) for part in self.parts)
        return f'{json.dumps(facts, ensure_ascii=False)[:-1]}, "parts": [\n{parts}\n]}}'

    def named(self) -> str:
        """Return the file as a person calls it, with the one that it becomes."""
        return f"{self.path} (as {self.becomes})" if self.becomes else self.path

    def difference(self) -> Iterator[str]:
        """Yield what changes, as a person reads it: old lines behind a minus, new ones behind a plus."""
        last = 0
        for kept, parts in groupby(self.parts, lambda part: part.do in _KEPT):
            hunk = tuple(parts)
            if kept:
                last = hunk[-1].last
                continue
            yield f"@@ {_place(hunk, last)}"
            yield from (f"-{line}" for part in hunk for line in part.before().splitlines())
            yield from (f"+{line}" for part in hunk for line in part.after().splitlines())


def _place(hunk: tuple[Part, ...], last: int) -> str:
    """Return where a change is in the original, and why it is made where no line of ours says so."""
    numbers = [part.first for part in hunk if part.first]
    place = f"line {', '.join(map(str, numbers))}" if numbers else f"after line {last}"
    return ": ".join([place, *dict.fromkeys(part.why for part in hunk if part.why)])


def changes(steps: Iterable[Step]) -> Iterator[str]:
    """Yield what the conversions among some steps change: the same change on many hosts is told once."""
    hosts: dict[tuple[str, ...], list[str]] = {}
    for step in steps:
        for file in step.files if isinstance(step, ConvertConfiguration) else ():
            hosts.setdefault((file.named(), *file.difference()), []).append(step.host)
    for (name, *lines), where in hosts.items():
        more = f" and {len(where) - _NAMED} more" if len(where) > _NAMED else ""
        yield f"{name} on {', '.join(where[:_NAMED])}{more}:"
        yield from lines


class _OfConversion(Step):
    """What the steps of a host's conversion know: the directory with its files."""

    directory: str

    def _run(self, verb: str, then: str = "") -> Command:
        run = f"umask 077\npython3 {self.directory}/conversion.py {verb} {self.directory}"
        return self.on_host(f"{run}\n{then}" if then else run)


class ConvertConfiguration(_OfConversion):
    """Convert a host's files below a directory of ours; those in use are only read.

    A file that is not as it was discovered is refused: the plan has not seen it.
    """

    kind: Literal["convert-configuration"] = "convert-configuration"
    files: tuple[ConvertedFile, ...]

    def apply(self) -> Command:
        """Place the program and what it is to do, then convert."""
        files = ",\n".join(file.instructions() for file in self.files)
        return self.on_host(f"""
install -d -m 700 {self.directory}
umask 077
cat > {self.directory}/conversion.py <<'END-OF-PROGRAM'
{_PROGRAM}END-OF-PROGRAM
cat > {self.directory}/spec.json <<'END-OF-SPEC'
{{"files": [
{files}
]}}
END-OF-SPEC
python3 {self.directory}/conversion.py convert {self.directory}
""")

    def verify(self) -> Command:
        """See that what was read and what was written are still the same."""
        return self._run("check")

    def revert(self) -> Command:
        """Remove the converted files."""
        return self.on_host(f"rm -rf {self.directory}")

    def shows(self) -> str:
        """Return what changes in each file."""
        return "\n".join(line for file in self.files for line in (f"--- {file.named()}", *file.difference()))


class CheckConversion(_OfConversion):
    """See that nobody has changed a file since it was converted: found now, it stops nothing half-way."""

    looks: ClassVar[bool] = True

    kind: Literal["check-conversion"] = "check-conversion"

    def apply(self) -> Command:
        """Compare the files, and what they were converted to, with what was written down."""
        return self._run("check")


class DeployConfiguration(_OfConversion):
    """Put a host's converted files in place, each in one move, with the owner and mode of the one before it.

    Before the packages: their scripts then find the configuration of the release that they are of. Some write
    into it (``pkgos_inifile set``), run its commands, and give it another owner (Debian 12 and 13); so what
    undoes this comes after what undoes the packages, and the old files are back byte by byte. A file that
    nobody has edited would be replaced by the package's own; a converted one is edited, and stays.
    """

    kind: Literal["deploy-configuration"] = "deploy-configuration"
    paths: tuple[str, ...]

    def apply(self) -> Command:
        """Keep what is there, then replace it; what was replaced already stays."""
        return self._run("deploy", self._then())

    def verify(self) -> Command:
        """See that every converted file is in its place."""
        return self._run("deployed")

    def intact(self) -> Command:
        """See that the old files are kept."""
        return self._run("intact")

    def revert(self) -> Command:
        """Put the old files back."""
        return self.on_host(f"""
if [ -e {self.directory}/spec.json ] && [ ! -e {self.directory}/old.json ]; then exit 0; fi
umask 077
python3 {self.directory}/conversion.py restore {self.directory}
{self._then()}""")

    def _then(self) -> str:
        """Return the shell line after which systemd goes by the units that were replaced, if any was."""
        units = any(path.startswith(UNITS) for path in self.paths)
        return f"{RELOAD_UNITS}\n" if units else ""


class CheckPolicies(Step):
    """See that the packages have left the policies that were deployed.

    Debian's scripts move a ``policy.json`` away, and oslo.policy goes on without it, with a line in the log.
    """

    looks: ClassVar[bool] = True

    kind: Literal["check-policies"] = "check-policies"
    directory: str
    paths: tuple[str, ...]

    def apply(self) -> Command:
        """Look for each file."""
        return self.on_host(f"""
gone=
for path in {words(self.paths)}; do
    [ -e "$path" ] || gone="$gone $path"
done
if [ "$gone" ]; then
    echo "gone since deployed:$gone. Services would start without these rules. Put back what is below" >&2
    echo "{self.directory}/new, with the owner and mode of before, and go on" >&2
    exit 1
fi
""")
