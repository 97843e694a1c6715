"""Policy files carried from one release to another: their new lines, and what is to be said of them.

Pure: texts and catalogs in, texts and remarks out. What the target is not to read any more stays as a comment
below its reason; checks stay as they were written.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from skipstone.convert.conversion import MARK, Conversion
from skipstone.convert.inifile import Kind, Line
from skipstone.convert.judgement import remark, title
from skipstone.convert.policy.carriage import Carriage
from skipstone.convert.policy.catalog import ReleaseRules, RuleHistory
from skipstone.convert.policy.document import Document, Entry, read_document, rule_line
from skipstone.convert.policy.effective import Effective
from skipstone.convert.policy.enforcement import Enforcement
from skipstone.convert.policy.recognition import refuse_stranger
from skipstone.convert.policy.verdict import Judge
from skipstone.convert.remark import Matter, Remark


@dataclass(frozen=True)
class PolicyConversion:
    """The files of a service's policy, and the rules that it goes by in each release on the way."""

    service: str
    files: tuple[Conversion, ...]
    stages: tuple[Effective, ...]
    """With what the files say, carried to each release; the last with what the new files say."""


def convert(
    files: Mapping[str, str],
    history: RuleHistory,
    way: Sequence[ReleaseRules],
    enforced: Mapping[str, Enforcement],
    *,
    take: bool = False,
) -> PolicyConversion:
    """Convert the policy files of a service, by name; of a rule that two have, the last in this order counts.

    ``way`` is ``history.between(source, target)``. With ``take``, rules that only repeat the source's
    defaults become comments, so that the target's count. Raises InputError for text that is no policy.
    """
    documents = [read_document(name, text) for name, text in files.items()]
    counting = {entry.name: entry for document in documents for entry in document.entries}
    refuse_stranger(list(files), list(counting), history)
    carriage = Carriage(history, way, counting, enforced[way[0].release].repetitions_ignored)
    judge = Judge(carriage, enforced, take=take)
    conversions = tuple(_Writer(document, judge).converted() for document in documents)
    if judge.missing and documents:
        conversions = (*conversions[:-1], _with_missing(conversions[-1], judge))
    return PolicyConversion(history.service, conversions, judge.stages)


class _Writer:
    """One file while it is written."""

    def __init__(self, document: Document, judge: Judge) -> None:
        self._document, self._judge = document, judge
        self._ending = next((line.ending for line in document.layout if line.ending), "\n")
        self._remarks: list[Remark] = []

    def converted(self) -> Conversion:
        """Return the new file and its remarks, in the order of the old one's lines."""
        entries = {entry.name: entry for entry in self._document.entries}
        after = [
            new
            for line in self._document.layout
            for new in (self._entry(line, entries[line.key]) if line.kind is Kind.OPTION else (line,))
        ]
        name, before = self._document.name, self._document.before
        if name.endswith(".json"):
            self._remarks.insert(0, self._judge.new_name())
        return Conversion(name, before, tuple(after), tuple(self._remarks), None)

    def _entry(self, line: Line, entry: Entry) -> Iterable[Line]:
        verdict = self._judge.verdict(entry)
        self._remarks += [remark(matter, line, text) for matter, text in verdict.remarks]
        if not verdict.names:
            return (self._comment(line, f"{entry.name}: {verdict.remarks[0][1]}"), *line.commented())
        lines = [_renamed(line, entry, name) for name in verdict.names]
        return [*(_closed(each, self._ending) for each in lines[:-1]), lines[-1]]

    def _comment(self, line: Line, text: str) -> Line:
        return Line(line.number, Kind.TEXT, f"{MARK}{text}{self._ending}", "")


def _renamed(line: Line, entry: Entry, name: str) -> Line:
    """Return the line with another name of its rule, in the quotes that the old one has."""
    if name == line.key:
        return line
    text = re.sub(rf"""(["']?){re.escape(line.key)}(\1\s*:)""", rf"\g<1>{name}\g<2>", line.text, count=1)
    if text == line.text:  # the old one is written with escapes
        text = rule_line(name, entry.value, line.ending).text
    return Line(line.number, Kind.OPTION, text, "", name)


def _closed(line: Line, ending: str) -> Line:
    return line if line.ending else Line(line.number, line.kind, line.text + ending, "", line.key)


def _with_missing(conversion: Conversion, judge: Judge) -> Conversion:
    """Return the file with the rules at its end that others refer to and the target has no longer."""
    release = title(judge.last.release)
    lines, remarks = list(conversion.after), list(conversion.remarks)
    ending = next((line.ending for line in lines if line.ending), "\n")
    lines[-1:] = [_closed(line, ending) for line in lines[-1:]]
    for name, check in judge.missing.items():
        new = rule_line(name, check, ending)
        text = f"rules refer to it, and {release} has it no longer; this is what it was"
        lines += [Line(0, Kind.TEXT, f"{MARK}{name}: {text}{ending}", ""), new]
        remarks.append(remark(Matter.RULE_DEFINED, new, text))
    return Conversion(conversion.name, conversion.before, tuple(lines), tuple(remarks), conversion.secrets)
