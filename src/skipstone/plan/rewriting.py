"""The conversion of what starts services, and of policies, as a plan can hold it.

Not keys of lines change here, but words in values, whole lines and names of rules. So what a line becomes is
written into the plan, and lines with a secret can only stay or become comments.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from skipstone.cloud.masking import MASK, physical_lines
from skipstone.cloud.model import ConfigFile
from skipstone.convert.conversion import MARK, Conversion
from skipstone.convert.inifile import Kind, Line
from skipstone.convert.remark import Weight
from skipstone.errors import InputError
from skipstone.plan.conversion import bare, joined, plain, shown, spans
from skipstone.steps.conversion import ConvertedFile, Do, Grammar, Part

_OTHER_ENDINGS = re.compile("\r(?!\n)|[\x85\u2028\u2029]")


def padded(file: ConfigFile) -> str:
    """Return a file's text with an empty comment for every line that was left out: lines count as ever.

    Raise InputError where lines may end where only some programs see an end.
    """
    kept, gaps = iter(physical_lines(file.text or "")), dict(spans(file))
    texts, number = list[str](), 1
    for line in (*kept, ""):
        if number in gaps:
            texts += ["#\n"] * (gaps[number] + 1 - number)
            number = gaps[number] + 1
        texts.append(line)
        number += 1
    text = "".join(texts)
    if _OTHER_ENDINGS.search(text):
        raise InputError("its lines end with characters that not every program takes for an end")
    return text


def rewritten(
    conversion: Conversion, layout: Iterable[Line], file: ConfigFile, grammar: Grammar, becomes: str = ""
) -> ConvertedFile:
    """Return what the host is told of a file whose lines, before, are the ``layout``.

    Raise InputError where that would need a line that holds a secret.
    """
    parts = tuple(joined(_parts(conversion, layout)))
    return _known(ConvertedFile(
        path=file.path, sha256=file.sha256, parts=parts, grammar=grammar, becomes=becomes
    ))  # fmt: skip


def unfolded(conversion: Conversion, file: ConfigFile, becomes: str = "") -> ConvertedFile:
    """Return what the host is told of a policy in braces, which gets a line for each rule."""
    parts = tuple(_runs(conversion, dict(spans(file))))
    return _known(ConvertedFile(
        path=file.path, sha256=file.sha256, parts=parts, grammar=Grammar.BRACES, becomes=becomes
    ))  # fmt: skip


def _known(file: ConvertedFile) -> ConvertedFile:
    hidden = [part.first for part in file.parts if part.do in {Do.REPLACE, Do.WRITE} and MASK in part.text]
    if hidden:
        where = f"line {hidden[0]}" if hidden[0] else "a rule"
        raise InputError("what changes has a secret in it, which no plan holds", evidence=where)
    return file


def _parts(conversion: Conversion, layout: Iterable[Line]) -> Iterator[Part]:
    before = {line.number: line for line in layout}
    reasons = _reasons(conversion)
    for number, group in groupby(conversion.after, lambda line: line.number):
        new = tuple(group)
        if number in before:
            yield from _of_line(before[number], new, "; ".join(reasons.get(number, ())), conversion)
        else:
            yield from (Part(do=Do.WRITE, text=plain(line.text)) for line in new)


def _of_line(old: Line, new: tuple[Line, ...], why: str, conversion: Conversion) -> Iterator[Part]:
    """Yield what becomes of one line with those that continue it."""
    first, last = old.number, old.number + len(physical_lines(old.text)) - 1
    if [bare(line) for line in new] == [bare(old)]:
        yield Part(do=Do.KEEP, first=first, last=last)
        return
    ours = [line for line in new if line.kind is Kind.TEXT and line.text.startswith(MARK)]
    yield from (Part(do=Do.WRITE, text=plain(line.text)) for line in ours)
    rest = [line.text for line in new if line not in ours]
    if rest == [line.text for line in old.commented()]:
        text = shown(old, conversion.secrets or frozenset())
        yield Part(do=Do.COMMENT, first=first, last=last, text=text)
    else:
        text = plain("".join(rest))
        yield Part(do=Do.REPLACE, first=first, last=last, old=plain(old.text), text=text, why=why)


def _reasons(conversion: Conversion) -> Mapping[int, list[str]]:
    found: dict[int, list[str]] = {}
    for remark in conversion.remarks:
        if remark.matter.weight is Weight.CHANGED and remark.line:
            found.setdefault(remark.line, []).append(remark.text)
    return found


def _runs(conversion: Conversion, gaps: Mapping[int, int]) -> Iterator[Part]:
    """Yield the new lines in the place of the old ones, and the comments between these as they are."""
    old = {line.number: line.text for line in conversion.before}
    rules = [line for line in conversion.after if line.text != "#\n"]
    left_out = {number for first, last in gaps.items() for number in range(first, last + 1)}
    for gap, run in groupby(old, lambda number: number in left_out):
        first, *_, last = (numbers := [*run]) * 2
        if gap:
            yield Part(do=Do.REMARKS, first=first, last=last)
            continue
        text = plain("".join(old[number] for number in numbers))
        yield Part(do=Do.REPLACE, first=first, last=last, old=text)
        here = (line for line in rules if first <= line.number <= last)
        yield from (Part(do=Do.WRITE, text=plain(line.text)) for line in here)
    yield from (Part(do=Do.WRITE, text=plain(line.text)) for line in rules if not line.number)
