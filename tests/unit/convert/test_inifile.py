"""Lines: round trip to the byte, the grammar of oslo.config, and refusals with line numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skipstone.convert.inifile import Kind, parse, render
from skipstone.errors import InputError

NASTY = """\
# head\r
[DEFAULT]
; two
key=value with = and : in it
spaced  :  "quoted"
many = one,
    two

\tthree
"""


def lines_of(text: str) -> list[tuple[Kind, str, str]]:
    return [(line.kind, line.section, line.key) for line in parse(text, "x.conf")]


def test_keys_values_and_continuations() -> None:
    text = (
        '[DEFAULT]\nkey=value with = and : in it\nspaced  :  "quoted"  \nmany = one,\n    two\n\n[x]\na=\'\n'
    )
    options = {line.key: line.value for line in parse(text, "x") if line.kind is Kind.OPTION}
    assert options == {"key": "value with = and : in it", "spaced": "quoted", "many": "one,\ntwo", "a": ""}


def test_sections_are_found_as_oslo_finds_them() -> None:
    assert lines_of("[Neutron]\na = 1\n[DEFAULT]\nb = 2") == [
        (Kind.SECTION, "neutron", ""),
        (Kind.OPTION, "neutron", "a"),
        (Kind.SECTION, "DEFAULT", ""),
        (Kind.OPTION, "DEFAULT", "b"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a = 1\n", 1, "before the first"),
        ("[DEFAULT]\n\nhunter2\n", 3, "neither = nor :"),
        ("[DEFAULT\n", 1, "[NAME]"),
        ("[]\n", 1, "[NAME]"),
        ("[a] # b\n", 1, "[NAME]"),
        ("[DEFAULT]\n = 1\n", 2, "begins with a blank"),
        ("[DEFAULT]\n= 1\n", 2, "no name"),
        ("[DEFAULT]\na = 1\n# c\n  2\n", 4, "begins with a blank"),
        (NASTY, 9, "begins with a blank"),
    ],
)
def test_what_oslo_refuses_is_refused_with_its_line(text: str, line: int, what: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text, "nova.conf")
    assert caught.value.where == f"nova.conf:{line}"
    assert f"line {line}: " in caught.value.evidence
    assert what in caught.value.evidence
    assert "hunter2" not in str(caught.value) + caught.value.evidence


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        parse("[DEFAULT]\none\na = 1\ntwo\n", "x")
    assert [line.split(":")[0] for line in caught.value.evidence.splitlines()] == ["line 2", "line 4"]


KEYS = st.from_regex(r"[a-z][a-z_0-9]{0,8}", fullmatch=True)
VALUES = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=12)
ENDINGS = st.sampled_from(["\n", "\r\n"])
LINES = st.one_of(
    st.builds("{0}{1}{2}{3}".format, KEYS, st.sampled_from(["=", " = ", ":", " :\t"]), VALUES, ENDINGS),
    st.builds("# {0}{1}".format, VALUES, ENDINGS),
    ENDINGS,
    st.builds("[{0}]{1}".format, KEYS, ENDINGS),
)


@given(st.lists(LINES), st.booleans())
def test_round_trip_to_the_byte(lines: list[str], cut: bool) -> None:
    text = "".join(["[DEFAULT]\n", *lines])
    text = text.rstrip("\r\n") if cut else text
    assert render(parse(text, "x")) == text


def test_references_are_replaced_and_escapes_are_not() -> None:
    line = parse("[a]\nold = $old ${old} ${b.old}x $$old \\$old $older\n", "x")[1]
    new = line.with_references(lambda word: {"old": "new", "b.old": "c.new"}.get(word, word))
    assert new.text == "old = $new ${new} ${c.new}x $$old \\$old $older\n"
