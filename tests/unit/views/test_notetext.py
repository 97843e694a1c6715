"""reStructuredText of release notes, in pieces of upstream's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skipstone.views.notetext import Block, Shape, Span, Style, blocks, spans


def test_paragraphs_items_and_code() -> None:
    text = (
        "One\nparagraph::\n\n  $ nova-manage db sync\n  done\n\nThen:\n* first\n  goes on\n* second\n\n  more"
    )
    assert list(blocks(text)) == [
        Block(Shape.PARAGRAPH, "One paragraph::"),
        Block(Shape.CODE, "  $ nova-manage db sync\n  done"),
        Block(Shape.PARAGRAPH, "Then:"),
        Block(Shape.ITEM, "first goes on"),
        Block(Shape.ITEM, "second"),
        Block(Shape.PARAGRAPH, "more"),
    ]


def test_a_directive_is_code() -> None:
    assert list(blocks(".. code-block:: ini\n\n   [DEFAULT]\n   debug = 1")) == [
        Block(Shape.CODE, "   [DEFAULT]\n   debug = 1")
    ]


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("``[vnc] keymap``", Span(Style.CODE, "[vnc] keymap")),
        (
            "`bug 1 <https://bugs.launchpad.net/1>`_",
            Span(Style.LINK, "bug 1", "https://bugs.launchpad.net/1"),
        ),
        (
            "`bug 1 <https://bugs.launchpad.net/1>`__",
            Span(Style.LINK, "bug 1", "https://bugs.launchpad.net/1"),
        ),
        (":oslo.config:option:`compute.x`", Span(Style.CODE, "compute.x")),
        (":ref:`the guide <guide>`", Span(Style.CODE, "the guide")),
        ("**Security**", Span(Style.STRONG, "Security")),
        ("`sqlalchemy-migrate`__", Span(Style.CODE, "sqlalchemy-migrate")),
    ],
)
def test_spans(text: str, span: Span) -> None:
    assert list(spans(f"a {text}, b")) == [Span(Style.PLAIN, "a "), span, Span(Style.PLAIN, ", b")]


@given(st.text(alphabet="ab `*_:<>-.\n#"))
def test_no_word_is_lost(text: str) -> None:
    letters = [char for block in blocks(text) for span in spans(block.text) for char in span.text + span.url]
    lost = [char for char in text if char in "ab" and char not in letters]
    assert not lost
