"""Texts that are alike but for what is a host's own."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skipstone.cloud.likeness import filled, likeness_of, renamed, retold

FILE = "[DEFAULT]\nmy_ip = {a}\nhost = {h}\n[vnc]\nserver_listen = 0.0.0.0\nproxy = http://{a}:6080/{b}\n"


def text(address: str, host: str, other: str = "10.0.0.11") -> str:
    return FILE.format(a=address, h=host, b=other)


def test_files_that_differ_in_address_and_name_are_alike() -> None:
    first, second = likeness_of(text("10.0.0.21", "cmp1"), "cmp1"), likeness_of(text("10.0.0.22", "b2"), "b2")
    assert first.form == second.form
    assert (first.own, second.own) == (("cmp1", "10.0.0.21", "10.0.0.11"), ("b2", "10.0.0.22", "10.0.0.11"))
    assert filled(first.form, first.own) == text("10.0.0.21", "cmp1")
    assert retold(text("10.0.0.21", "cmp1"), renamed(first.own, second.own)) == text("10.0.0.22", "b2")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("my_ip = 10.0.0.1\nlisten = 10.0.0.1\n", "my_ip = 10.0.0.2\nlisten = 10.0.0.3\n"),
        ("my_ip = 10.0.0.1\n", "my_ip = 127.0.0.1\n"),
        ("my_ip = 10.0.0.1\n", "my_ip = 0.0.0.0\n"),
        ("version = 1.2.3.4.5\n", "version = 1.2.3.4.6\n"),
    ],
    ids=["one address and two", "this host", "any host", "no address"],
)
def test_what_means_something_else_is_not_alike(one: str, other: str) -> None:
    assert likeness_of(one, "h1").form != likeness_of(other, "h2").form


def test_a_name_in_another_word_is_not_the_hosts() -> None:
    assert likeness_of("a = cmp1, xcmp1, cmp1-b, cmp10, cmp1.org, cmp1.5\n", "cmp1").form == (
        "a = \x000\x00, xcmp1, cmp1-b, cmp10, \x000\x00.org, cmp1.5\n"
    )


def test_a_host_that_is_called_as_a_section_is_no_other_section() -> None:
    one, other = "[nova]\nauth = nova\n", "[cinder]\nauth = cinder\n"
    assert likeness_of(one, "nova").form != likeness_of(other, "cinder").form


NAMES = st.from_regex(r"\A[a-z][a-z0-9-]{0,5}[a-z0-9]\Z")
ADDRESSES = st.from_regex(r"\A10\.[0-9]{1,2}\.0\.[0-9]{1,2}\Z")
LINES = st.lists(
    st.from_regex(r"\A[a-z]{1,4} ?= ?[a-z0-9.:/@-]{0,6}(HERE|THIS|OTHER|)[a-z0-9.:/@,-]{0,6}\Z"), max_size=6
)


def with_names(lines: list[str], host: str, address: str, other: str) -> str:
    names = {"HERE": address, "THIS": host, "OTHER": other}
    return "\n".join(re.sub("HERE|THIS|OTHER", lambda found: names[found[0]], line) for line in lines)


WHO = st.tuples(NAMES, ADDRESSES)


@given(LINES, WHO, WHO, ADDRESSES)
def test_of_texts_that_are_alike_each_is_told_from_the_other(
    lines: list[str], one: tuple[str, str], two: tuple[str, str], other: str
) -> None:
    first, second = with_names(lines, *one, other), with_names(lines, *two, other)
    alike, again = likeness_of(first, one[0]), likeness_of(second, two[0])
    assert filled(alike.form, alike.own) == first
    if alike.form == again.form:
        assert retold(first, renamed(alike.own, again.own)) == second
