"""Converted files as one HTML page: remarks, and both versions side by side; no network, no secrets."""

from collections.abc import Sequence
from pathlib import Path

from skipstone.cloud.cloudfile import write_privately
from skipstone.convert.conversion import Conversion
from skipstone.convert.remark import Weight
from skipstone.views.conversion import hunks
from skipstone.views.page import pages

WORDS: dict[Weight, str] = {Weight.DECIDE: "to decide", Weight.CHANGED: "changed", Weight.INFO: "to know"}
"""Weight -> how it is said, what matters most first."""


def write_conversions(
    conversions: Sequence[Conversion], title: str, path: Path, *, effects: str = ""
) -> None:
    """Write the page for the files of one conversion; raise InputError where it cannot be written.

    ``effects`` is the text on who may do what afterwards, of a policy.
    """
    text = render(conversions, title, effects)
    write_privately(path, lambda file: file.write(text))


def render(conversions: Sequence[Conversion], title: str, effects: str = "") -> str:
    """Return the page."""
    remarks = [remark for each in conversions for remark in each.remarks]
    counts = {weight: sum(1 for each in remarks if each.matter.weight is weight) for weight in WORDS}
    template = pages().get_template("conversion.html.j2")
    return template.render(
        conversions=conversions, title=title, counts=counts, words=WORDS, hunks=hunks, effects=effects
    )
