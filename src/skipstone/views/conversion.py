"""A converted file for people: remarks on its lines, and both versions side by side; no secrets."""

from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from skipstone.cloud.masking import MASK, Secrets
from skipstone.convert.conversion import Conversion
from skipstone.convert.inifile import Line
from skipstone.convert.option import Name
from skipstone.convert.remark import Weight

_STYLES = {Weight.CHANGED: "green", Weight.DECIDE: "yellow", Weight.INFO: "dim"}
_AROUND = 2
"""Unchanged lines that are shown around those that changed."""


def document(conversion: Conversion) -> dict[str, Any]:
    """Return what programs get: no line of the file is in it."""
    return {
        "file": conversion.name,
        "changed": conversion.changed,
        "remarks": [
            {**remark.model_dump(mode="json"), "weight": remark.matter.weight.value}
            for remark in conversion.remarks
        ],
    }


def remarks_table(conversion: Conversion) -> Table:
    """Return the remarks, one row each, in the order of the file."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("line", justify="right")
    for title in ("option", "what"):
        table.add_column(title, overflow="fold")
    for remark in conversion.remarks:
        option = f"[{remark.section}] {remark.option}".rstrip()
        matter = Text(f"{remark.matter.value}: ", style=_STYLES[remark.matter.weight])
        table.add_row(str(remark.line or "-"), Text(option), matter + Text(remark.text))
    return table


def side_by_side(conversion: Conversion) -> RenderableType:
    """Return the lines that changed, the old ones on the left, with those around them."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, expand=True)
    table.add_column("", justify="right", style="dim")
    table.add_column("before", ratio=1, overflow="fold")
    table.add_column("after", ratio=1, overflow="fold")
    before = list(_shown(conversion.before, conversion.secrets))
    after = list(_shown(conversion.after, conversion.secrets))
    for hunk in SequenceMatcher(None, before, after).get_grouped_opcodes(_AROUND):
        for row in _rows(hunk, before, after):
            table.add_row(*row)
        table.add_section()
    return table


def _shown(lines: Iterable[Line], secrets: frozenset[Name]) -> Iterator[str]:
    masking = Secrets()
    for line in lines:
        text = line.text
        if Name(line.section, line.key) in secrets:
            text = f"{text[: len(text) - len(text.lstrip('# '))]}{line.key} = {MASK}"
        yield masking.without_secrets(text).rstrip("\r\n")


def _rows(
    hunk: Sequence[tuple[str, int, int, int, int]], before: Sequence[str], after: Sequence[str]
) -> Iterator[tuple[str, Text, Text]]:
    for tag, start, end, new_start, new_end in hunk:
        old, new = before[start:end], after[new_start:new_end]
        styles = ("", "") if tag == "equal" else ("red", "green")
        for index in range(max(len(old), len(new))):
            left = old[index] if index < len(old) else ""
            right = new[index] if index < len(new) else ""
            number = str(start + index + 1) if index < len(old) else ""
            yield number, Text(left, style=styles[0]), Text(right, style=styles[1])
