"""A file's conversion as a plan can hold it: what becomes of which lines, without what they say.

The conversion is that of the file as it was discovered, without comments and secrets. It never looks at
either, so what becomes of the lines is the same for the file itself.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from skipstone.cloud.masking import MASK, physical_lines
from skipstone.cloud.model import ConfigFile
from skipstone.convert.conversion import MARK, Conversion
from skipstone.convert.inifile import Kind, Line, parse
from skipstone.convert.remark import Matter
from skipstone.steps.conversion import ConvertedFile, Do, Part
from skipstone.steps.scripts.conversion import REFERENCE

_REASONS = (Matter.OPTION_RENAMED, Matter.OPTION_MOVED, Matter.REFERENCE_FOLLOWED)


class Outline(NamedTuple):
    """A file's lines, counted as in the original; one empty comment is all that were left out in a place.

    ``gaps`` are the places: the first line that was left out, and the last.
    """

    lines: tuple[Line, ...]
    gaps: Mapping[int, int]

    def last(self, line: Line) -> int:
        """Return the original's last line that a line stands for."""
        return self.gaps.get(line.number, line.number + len(physical_lines(line.text)) - 1)


def outline(file: ConfigFile) -> Outline:
    """Return a file's outline; raise InputError where it is no configuration.

    Nova's file has 10,000 lines of comments in 40 places, on every compute.
    """
    gaps, kept = dict(spans(file)), physical_lines(file.text or "")
    texts, numbers, number = list[str](), list[int](), 1
    for line in (*kept, ""):
        if number in gaps:
            texts.append("#\n")
            numbers.append(number)
            number = gaps[number] + 1
        texts.append(line)
        numbers.append(number)
        number += 1
    return Outline(parse("".join(texts), file.path, numbers), gaps)


def spans(file: ConfigFile) -> Iterator[tuple[int, int]]:
    """Yield where lines were left out: the first of them, and the last."""
    for span in filter(None, (file.left_out or "").split(",")):
        first, _, last = span.partition("-")
        yield int(first), int(last or first)


def masked_lines(conversion: Conversion) -> tuple[Line, ...]:
    """Return the options of which the value, or a part of it, is not known."""
    return tuple(line for line in conversion.before if line.kind is Kind.OPTION and MASK in line.text)


def described(
    conversion: Conversion, file: ConfigFile, outlined: Outline, moved: Iterable[str]
) -> ConvertedFile:
    """Return what the host is told; ``moved`` as in ``ConvertedFile``."""
    masked = masked_lines(conversion)
    return ConvertedFile(
        path=file.path,
        sha256=file.sha256,
        parts=tuple(joined(_parts(conversion, outlined))),
        masked=tuple((line.number, outlined.last(line)) for line in masked),
        moved=tuple(moved) if masked else (),
    )


def _parts(conversion: Conversion, outlined: Outline) -> Iterator[Part]:
    before = {line.number: line for line in conversion.before}
    reasons = _reasons(conversion)
    commented = 0
    for line in conversion.after:
        old = before.get(line.number)
        if old is None or (line.text.startswith(MARK) and old.kind is Kind.OPTION):
            yield Part(do=Do.WRITE, text=plain(line.text))
        elif line.section == old.section and bare(line) == bare(old):
            yield Part(do=Do.KEEP, first=old.number, last=outlined.last(old))
        elif line.kind is Kind.TEXT:
            # as many comments follow as the option has lines
            if commented != old.number:
                yield Part(
                    do=Do.COMMENT,
                    first=old.number,
                    last=outlined.last(old),
                    text=shown(old, conversion.secrets or frozenset()),
                )
            commented = old.number
        else:
            yield _change(
                old,
                outlined.last(old),
                line,
                shown(old, conversion.secrets or frozenset()),
                reasons[old.number],
            )


def _change(old: Line, last: int, new: Line, shown: str, reasons: Iterable[str]) -> Part:
    pairs = zip(REFERENCE.finditer(old.text), REFERENCE.finditer(new.text), strict=True)
    return Part(
        do=Do.CHANGE,
        first=old.number,
        last=last,
        old=old.key,
        new=new.key,
        words={before[0]: after[0] for before, after in pairs if before[0] != after[0]},
        moved=new.section != old.section,
        text=shown,
        why="; ".join(dict.fromkeys(reasons)),
    )


def _reasons(conversion: Conversion) -> Mapping[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for remark in conversion.remarks:
        if remark.matter in _REASONS and remark.line:
            found[remark.line].append(remark.text)
    return found


def joined(parts: Iterable[Part]) -> Iterator[Part]:
    """Yield the parts, lines that are kept one after the other as one."""
    first = last = 0
    for part in parts:
        if part.do is Do.KEEP and first and part.first == last + 1:
            last = part.last
            continue
        if first:
            yield Part(do=Do.KEEP, first=first, last=last)
            first = 0
        if part.do is Do.KEEP:
            first, last = part.first, part.last
        else:
            yield part
    if first:
        yield Part(do=Do.KEEP, first=first, last=last)


def bare(line: Line) -> str:
    """Return a line without the ending that it may have got because something follows."""
    return line.text.rstrip("\r\n")


def plain(text: str) -> str:
    """Return a text of ours with endings that the host makes its file's own."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def shown(line: Line, secrets: frozenset[str]) -> str:
    """Return what may be shown of a line; of some options only a release tells that they are secret."""
    if line.key in secrets:
        return f"{line.key} = {MASK}\n"
    return "".join(f"{text.rstrip()}\n" for text in physical_lines(line.text))
