"""The release notes of a route as Markdown, and as one HTML page that needs no network."""

import re
from collections.abc import Iterator

from markupsafe import Markup

from skipstone.notes.selection import Entry, Selection
from skipstone.views.notes import marks, source_of, summary
from skipstone.views.notetext import Block, Shape, Span, Style, blocks, spans
from skipstone.views.page import pages

_SPECIAL = re.compile(r"([\\`*_<>\[\]])")


def markdown(selection: Selection) -> str:
    """Return the notes as Markdown."""
    return "\n".join(_markdown_lines(selection)) + "\n"


def page(selection: Selection) -> str:
    """Return the notes as a page."""
    template = pages().get_template("notes.html.j2")
    return template.render(
        selection=selection, summary=list(summary(selection)), source_of=source_of, marks=marks, body=body
    )


def body(text: str) -> Markup:
    """Return the text of a note as HTML."""
    return Markup("\n").join(_html(block) for block in blocks(text))


def _html(block: Block) -> Markup:
    if block.shape is Shape.CODE:
        return Markup("<pre>{}</pre>").format(block.text)
    inside = Markup("").join(map(_html_span, spans(block.text)))
    if block.shape is Shape.ITEM:
        return Markup('<p class="item">• {}</p>').format(inside)
    return Markup("<p>{}</p>").format(inside)


def _html_span(span: Span) -> Markup:
    if span.style is Style.LINK and span.url.startswith(("https://", "http://")):
        return Markup('<a href="{}">{}</a>').format(span.url, span.text)
    if span.style is Style.CODE:
        return Markup("<code>{}</code>").format(span.text)
    if span.style is Style.STRONG:
        return Markup("<strong>{}</strong>").format(span.text)
    return Markup("{}").format(span.text)


def _markdown_lines(selection: Selection) -> Iterator[str]:
    yield f"# Release notes: {selection.source} to {selection.target}\n"
    yield from (f"* {_escaped(line)}" for line in summary(selection))
    for service, groups in selection.by_service.items():
        yield from [f"\n## {service}"] if groups else []
        for action, entries in groups.items():
            yield f"\n### {action.heading}"
            for entry in entries:
                yield from _markdown_entry(entry)


def _markdown_entry(entry: Entry) -> Iterator[str]:
    yield f"\n**{entry.note.kind}** · {_escaped(source_of(entry))}\n"
    yield from (f"> {_escaped(mark)}\n" for mark in marks(entry))
    for block in blocks(entry.note.text):
        if block.shape is Shape.CODE:
            yield f"```\n{block.text}\n```\n"
        else:
            text = "".join(map(_markdown_span, spans(block.text)))
            yield f"* {text}" if block.shape is Shape.ITEM else f"{text}\n"


def _markdown_span(span: Span) -> str:
    if span.style is Style.LINK:
        return f"[{_escaped(span.text)}]({span.url})"
    if span.style is Style.CODE:
        fence = "``" if "`" in span.text else "`"
        return f"{fence}{span.text}{fence}"
    return f"**{_escaped(span.text)}**" if span.style is Style.STRONG else _escaped(span.text)


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
