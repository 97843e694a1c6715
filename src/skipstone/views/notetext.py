"""The reStructuredText of release notes as blocks and spans: as much of it as they use.

What is not known stays as it is written: nothing of a note gets lost.
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple


class Shape(StrEnum):
    """What a block is."""

    PARAGRAPH = "paragraph"
    ITEM = "item"
    CODE = "code"


class Style(StrEnum):
    """What a span is."""

    PLAIN = "plain"
    CODE = "code"
    STRONG = "strong"
    LINK = "link"


class Span(NamedTuple):
    """A piece of a line; ``url`` is where a link leads."""

    style: Style
    text: str
    url: str = ""


class Block(NamedTuple):
    """A paragraph, an item of a list, each on one line, or code with its lines."""

    shape: Shape
    text: str


_ITEM = re.compile(r"^\s*(?:[*-]|\d+\.|#\.)\s+")
_DIRECTIVE = re.compile(r"^\s*\.\.\s+(?:code-block|code|sourcecode|parsed-literal)::")
_SPAN = re.compile(
    r"``(?P<code>.+?)``"
    r"|:[\w:.-]+:`(?P<role>[^`]+)`"
    r"|`(?P<title>[^`<]+?)\s*<(?P<url>[^`>]+)>`_{0,3}"
    r"|`(?P<word>[^`]+)`_{0,2}"
    r"|\*\*(?P<strong>[^*]+)\*\*"
)
_TARGET = re.compile(r"\s*<[^>]+>$")


def blocks(text: str) -> Iterator[Block]:
    """Yield the blocks of a note."""
    literal = False
    for chunk in re.split(r"\n[ \t]*\n", text.strip("\n")):
        lines = chunk.splitlines()
        if _DIRECTIVE.match(chunk):
            literal, lines = True, lines[1:]
        indented = all(line.startswith("  ") for line in lines)
        if literal and indented and lines:
            yield Block(Shape.CODE, "\n".join(lines))
            continue
        literal = bool(lines and lines[-1].rstrip().endswith("::")) or (literal and not lines)
        yield from _prose(lines)


def _prose(lines: list[str]) -> Iterator[Block]:
    shape, words = Shape.PARAGRAPH, ""
    for line in lines:
        if found := _ITEM.match(line):
            yield from [Block(shape, words)] if words else []
            shape, words = Shape.ITEM, line[found.end() :].strip()
        else:
            words = f"{words} {line.strip()}".strip()
    yield from [Block(shape, words)] if words else []


def spans(text: str) -> Iterator[Span]:
    """Yield the spans of a block's line."""
    end = 0
    for found in _SPAN.finditer(text):
        if found.start() > end:
            yield Span(Style.PLAIN, text[end : found.start()])
        end = found.end()
        yield _span(found)
    if end < len(text):
        yield Span(Style.PLAIN, text[end:])


def _span(found: re.Match[str]) -> Span:
    if found["url"]:
        return Span(Style.LINK, found["title"].strip(), found["url"])
    if found["strong"]:
        return Span(Style.STRONG, found["strong"])
    return Span(Style.CODE, found["code"] or _TARGET.sub("", found["role"] or found["word"]))
