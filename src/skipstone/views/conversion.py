"""A converted file for people: remarks on its lines, and both versions side by side; no secrets."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from skipstone.cloud.masking import MASK, Secrets
from skipstone.convert.conversion import Conversion
from skipstone.convert.inifile import Kind, Line
from skipstone.convert.remark import Remark, Weight

_STYLES = {Weight.CHANGED: "green", Weight.DECIDE: "yellow", Weight.INFO: "dim"}
_AROUND = 2
"""Unchanged lines that are shown around those that changed."""


def document(conversion: Conversion) -> dict[str, Any]:
    """Return what programs get: no line of the file is in it."""
    return {
        "file": conversion.name,
        "changed": conversion.changed,
        "remarks": [remark_document(remark) for remark in conversion.remarks],
    }


def remark_document(remark: Remark) -> dict[str, Any]:
    """Return what programs get of a remark."""
    return {**remark.model_dump(mode="json"), "weight": remark.matter.weight.value}


def remarks_table(remarks: Iterable[Remark]) -> Table:
    """Return the remarks, one row each, in the order of the file."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("line", justify="right")
    for title in ("option", "what"):
        table.add_column(title, overflow="fold")
    for remark in remarks:
        option = f"[{remark.section}] {remark.option}".removeprefix("[] ").rstrip()
        matter = Text(f"{remark.matter.value}: ", style=_STYLES[remark.matter.weight])
        table.add_row(str(remark.line or "-"), Text(option), matter + Text(remark.text))
    return table


def side_by_side(conversion: Conversion) -> RenderableType:
    """Return the lines that changed, the old ones on the left, with those around them."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, expand=True)
    table.add_column("", justify="right", style="dim")
    table.add_column("before", ratio=1, overflow="fold")
    table.add_column("after", ratio=1, overflow="fold")
    for hunk in hunks(conversion):
        for row in hunk:
            styles = ("red", "green") if row.changed else ("", "")
            table.add_row(
                str(row.number or ""), Text(row.before, style=styles[0]), Text(row.after, style=styles[1])
            )
        table.add_section()
    return table


@dataclass(frozen=True)
class Row:
    """What stands side by side, without secrets; ``number`` is that of the old file's line, or None."""

    number: int | None
    before: str
    after: str
    changed: bool


def hunks(conversion: Conversion) -> Iterator[tuple[Row, ...]]:
    """Yield the runs of lines that changed, with the lines around them."""
    before, after = _Shown(conversion).both()
    for hunk in SequenceMatcher(None, before, after).get_grouped_opcodes(_AROUND):
        yield tuple(_rows(hunk, conversion, before, after))


class _Shown:
    """Both versions as they are shown: what is secret in one place is masked in every other too."""

    def __init__(self, conversion: Conversion) -> None:
        self._conversion = conversion
        self._secrets = conversion.secrets or frozenset()
        self._told = _settings_of(self._secrets)
        secret = [line for line in conversion.before if line.key in self._secrets]
        self._commented = {_bare(comment) for line in secret for comment in line.commented()}
        self._masking = Secrets()
        for line in (*conversion.before, *conversion.after):
            self._masking.without_secrets(line.text)
        for line in secret:
            self._masking.without_secrets(f"password = {line.value}")

    def both(self) -> tuple[list[str], list[str]]:
        """Return the old lines and the new."""
        return [*map(self._text, self._conversion.before)], [*map(self._text, self._conversion.after)]

    def _text(self, line: Line) -> str:
        text = line.text
        if self._conversion.secrets is None:
            return self._masking.policy(text).rstrip("\r\n")
        if line.key in self._secrets:
            return f"{line.key} = {MASK}"
        if _bare(line) in self._commented:
            return f"# {MASK}"
        if line.kind is Kind.TEXT and self._told:
            text = self._told.sub(rf"\g<head>{MASK}", text)
        return self._masking.everywhere(self._masking.without_secrets(text)).rstrip("\r\n")


def _bare(line: Line) -> str:
    return line.text.rstrip("\r\n")


def _settings_of(options: Iterable[str]) -> re.Pattern[str] | None:
    """Return what finds values of these options in a comment: ``#password = x``, ``was password: x``."""
    words = "|".join(map(re.escape, sorted(options)))
    return re.compile(rf"(?P<head>\b(?:{words})\s*[=:]\s*)\S.*") if words else None


def _rows(
    hunk: Sequence[tuple[str, int, int, int, int]],
    conversion: Conversion,
    before: Sequence[str],
    after: Sequence[str],
) -> Iterator[Row]:
    for tag, start, end, new_start, new_end in hunk:
        old, new = conversion.before[start:end], after[new_start:new_end]
        for index in range(max(len(old), len(new))):
            here = index < len(old)
            yield Row(
                number=old[index].number if here else None,
                before=before[start + index] if here else "",
                after=new[index] if index < len(new) else "",
                changed=tag != "equal",
            )
