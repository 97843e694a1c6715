"""The release notes of a route: for the terminal, and as the document that programs get."""

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from skipstone.notes.action import Action
from skipstone.notes.note import Kind
from skipstone.notes.selection import Entry, Selection
from skipstone.views.notetext import Shape, Style, blocks, spans

_KINDS = {
    Kind.CRITICAL: "bold red",
    Kind.SECURITY: "red",
    Kind.UPGRADE: "yellow",
    Kind.DEPRECATIONS: "magenta",
}
_SPANS = {Style.PLAIN: "", Style.CODE: "cyan", Style.STRONG: "bold", Style.LINK: "underline"}
_PLACES = 3
"""Places of a setting that are shown; a cloud of many hosts has one on each."""


def document(selection: Selection) -> dict[str, Any]:
    """Return what programs get: all entries in their order, and those that were left out with the reason."""
    return selection.model_dump(mode="json") | {"summary": list(summary(selection))}


def summary(selection: Selection) -> Iterator[str]:
    """Yield what was found, what was left out and why, and what is not known."""
    names = sum(bool(entry.settings) for entry in selection.entries)
    cloud = (
        f" for the cloud {selection.cloud}, {names} of them on options that it sets"
        if selection.cloud
        else ""
    )
    yield f"{len(selection.entries)} notes{cloud}"
    reasons = [entry.reason for entry in selection.left_out if entry.reason]
    for reason in dict.fromkeys(reasons):
        yield f"left out: {reasons.count(reason)} {reason.value} (--all shows them)"
    yield from selection.gaps.values()
    if selection.unread:
        which = "; ".join(f"{service}: {why}" for service, why in selection.unread.items())
        yield f"nothing is left out for its drivers, as configuration is not known: {which}"


def source_of(entry: Entry) -> str:
    """Return the release and the file of a note, with the versions of older releases that have it too."""
    note = entry.note
    older = ", ".join(note.versions.values())
    where = f"{note.service} {note.version} ({note.release.capitalize()}), {note.file}"
    return where + (f" (also in {older})" if older else "")


def marks(entry: Entry) -> Iterator[str]:
    """Yield what the cloud has to do with a note, and whether it still stands."""
    more = len(entry.settings) - _PLACES
    if entry.settings:
        rest = f" and {more} more" if more > 0 else ""
        yield f"set in {', '.join(entry.settings[:_PLACES])}{rest}"
    if entry.servers:
        yield f"here: {', '.join(entry.servers)}"
    if entry.note.gone:
        yield f"upstream took this note back in {entry.note.gone.capitalize()}"
    if entry.reason:
        absent = f": {', '.join(entry.absent)}" if entry.absent else ""
        yield f"left out otherwise, {entry.reason.value}{absent}"


def show(selection: Selection) -> Iterator[RenderableType]:
    """Yield what is printed, from top to bottom."""
    releases = ", ".join(selection.releases)
    yield Text.assemble(
        (f"{selection.source} → {selection.target}", "bold"), f": release notes of {releases}"
    )
    for service, groups in selection.by_service.items():
        if groups:
            yield Text(f"\n{service}", style="bold cyan")
        for action, entries in groups.items():
            yield Padding(_heading(action, len(entries)), (1, 0, 0, 2))
            yield from (Padding(_entry(entry), (0, 0, 1, 4)) for entry in entries)
    yield Text("\n".join(summary(selection)))


def _heading(action: Action, count: int) -> Text:
    return Text.assemble((action.heading, "bold"), (f"  {count}", "dim"))


def _entry(entry: Entry) -> RenderableType:
    head = Text.assemble(
        (entry.note.kind.value, _KINDS.get(entry.note.kind, "dim")), (f"  {source_of(entry)}", "dim")
    )
    notes = [Text(f"→ {mark}", style="green") for mark in marks(entry)]
    return Group(head, *notes, *_body(entry.note.text))


def _body(text: str) -> Iterator[RenderableType]:
    for block in blocks(text):
        if block.shape is Shape.CODE:
            yield Text(block.text, style="cyan")
            continue
        words = [
            (f"{span.text} <{span.url}>" if span.url else span.text, _SPANS[span.style])
            for span in spans(block.text)
        ]
        line = Text.assemble(*words)
        yield Padding(Text.assemble("• ", line), (0, 0, 0, 2)) if block.shape is Shape.ITEM else line
