"""``$name`` and ``${group.name}`` in values: they follow the options that they name."""

from skipstone.convert.inifile import Line, normal
from skipstone.convert.judgement import Judge, remark, title
from skipstone.convert.option import Name
from skipstone.convert.options import ReleaseOptions
from skipstone.convert.remark import Matter, Remark


class References:
    """The references of a file's lines, and the remarks on those that were changed or lead nowhere."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self.remarks: list[Remark] = []

    def follow(self, line: Line, section: str) -> Line:
        """Return a line with its references as the last release needs them; ``section`` is where it was."""
        return line.with_references(lambda word: self._word(word, line, section))

    def _word(self, word: str, line: Line, section: str) -> str:
        judge = self._judge
        source = self._found(word, section, judge.first)
        end = judge.history.follow(source, judge.way) if source else None
        if source is None or end is None:
            return word
        if not end.names:
            self._lost(line, f"the value refers to {source}, which is gone since {title(end.release)}")
            return word
        (target, *_) = end.names
        for new in (word, target.option, f"{target.group}.{target.option}"):
            if self._found(new, line.section, judge.last) == target:
                break
        else:
            self._lost(line, f"the value refers to {source}, now {target}, which cannot be written here")
            return word
        if new != word:
            text = f"the value refers to {source}, which is {target} since {title(end.release)}"
            self.remarks.append(remark(Matter.REFERENCE_FOLLOWED, line, text))
        return new

    def _lost(self, line: Line, text: str) -> None:
        self.remarks.append(remark(Matter.REFERENCE_LOST, line, text))

    def _found(self, word: str, section: str, known: ReleaseOptions) -> Name | None:
        """Return the option that oslo.config finds for a reference: of the same group, or of DEFAULT.

        It finds them under today's names only.
        """
        group, dot, option = word.partition(".")
        if dot:
            names = [Name(normal(group), option)]
        else:
            groups = [*self._judge.sections.groups(section, known), "DEFAULT"]
            names = [Name(each, word) for each in groups]
        return next((name for name in names if name in known.options), None)
