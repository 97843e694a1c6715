"""``api-paste.ini``: what paste loads and a release does not have any more, and all that refers to it.

Paste loads what it meets on the way from the application's name, and stops on the first that is not there. So
what cannot be loaded is taken out, with the lines that lead to it, and nothing else.
"""

from collections.abc import Iterator

from skipstone.convert.conversion import MARK, Conversion
from skipstone.convert.forms import lines_of
from skipstone.convert.inifile import Kind, Line
from skipstone.convert.judgement import remark, title
from skipstone.convert.programs import Hop, load_programs
from skipstone.convert.remark import Matter, Remark

_LOADERS = {"use", "pipeline"}
_FACTORY = "_factory"


def may_load(line: Line) -> bool:
    """Whether a line names what paste loads."""
    return line.kind is Kind.OPTION and (line.key in _LOADERS or line.key.endswith(_FACTORY))


def convert_paste(name: str, text: str, hop: Hop) -> Conversion:
    """Convert a paste file."""
    before = lines_of(text)
    dead = _Dead(before, hop) if hop.moves else None
    after = tuple(new for line in before for new in _without(line, dead))
    remarks = tuple(dead.remarks if dead else ())
    return Conversion(name, before, after, remarks, frozenset({"hmac_keys"}))


def _without(line: Line, dead: "_Dead | None") -> Iterator[Line]:
    if dead is None or line.number not in dead.reasons:
        yield line
        return
    ending = line.ending or "\n"
    yield Line(line.number, Kind.TEXT, f"{MARK}{line.key}: {dead.reasons[line.number]}{ending}", line.section)
    yield from line.commented()


class _Dead:
    """The lines that cannot be loaded, each with the reason, by number."""

    def __init__(self, lines: tuple[Line, ...], hop: Hop) -> None:
        self.reasons: dict[int, str] = {}
        self._options = [line for line in lines if line.kind is Kind.OPTION]
        self._sections: dict[str, str] = {}
        for line in self._options:
            word = line.value.removeprefix("call:").strip()
            factory = load_programs().factories.get(word)
            if factory and hop.lacks(factory.since):
                self._take_out(line, f"{word} is gone since {title(factory.since)}")
        self._causes = frozenset(self.reasons)
        while self._spread():
            pass

    @property
    def remarks(self) -> list[Remark]:
        """A remark for each line."""
        by_number = {line.number: line for line in self._options}
        return [
            remark(
                Matter.FACTORY_GONE if number in self._causes else Matter.PASTE_CUT,
                by_number[number],
                f"{reason}; the line is taken out",
            )
            for number, reason in sorted(self.reasons.items())
        ]

    def _take_out(self, line: Line, reason: str) -> None:
        self.reasons[line.number] = reason
        if may_load(line):
            self._sections.setdefault(line.section.partition(":")[2].strip(), line.section)

    def _spread(self) -> bool:
        """Take out what refers to a section that cannot be loaded; return whether there was any."""
        known = len(self.reasons)
        for line in self._options:
            if line.number in self.reasons:
                continue
            gone = [word for word in line.value.split() if word in self._sections]
            if self._is_of_dead_section(line):
                self._take_out(line, f"[{line.section}] has nothing left to load")
            elif gone and line.section not in self._sections.values():
                self._take_out(line, f"it leads to [{self._sections[gone[0]]}], which cannot be loaded")
        return len(self.reasons) > known

    def _is_of_dead_section(self, line: Line) -> bool:
        """Whether a line is of a section that is dead, or of a composite all of whose ways are."""
        if line.section in self._sections.values():
            return True
        ways = [
            each
            for each in self._options
            if each.section == line.section and each.key != "use" and not each.key.endswith(_FACTORY)
        ]
        dead = ways and all(each.number in self.reasons for each in ways)
        return bool(dead) and line.key not in [each.key for each in ways]
