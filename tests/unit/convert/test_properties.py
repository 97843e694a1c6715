"""What must hold for every service, every two releases and every file: not samples, properties.

What a release reads from a file is told by a reader of the tests' own, in a few lines after oslo.config.
"""

from collections.abc import Mapping
from functools import cache
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skipstone.convert.conversion import convert
from skipstone.convert.inifile import Kind, parse
from skipstone.convert.option import Name
from skipstone.convert.options import (
    Fate,
    OptionHistory,
    ReleaseOptions,
    follow,
    known_services,
    load_history,
)
from skipstone.convert.remark import Matter

histories = cache(load_history)
Way = tuple[OptionHistory, tuple[ReleaseOptions, ...]]


@st.composite
def ways(draw: st.DrawFn) -> Way:
    history = histories(draw(st.sampled_from(known_services())))
    places = range(len(history.releases))
    start, end = sorted(draw(st.tuples(st.sampled_from(places), st.sampled_from(places))))
    return history, tuple(history.at(release) for release in history.releases[start : end + 1])


def names_of(options: ReleaseOptions) -> list[Name]:
    return sorted({*options.options, *options.replacements})


@settings(max_examples=150, deadline=None)
@given(ways())
def test_every_option_that_the_target_reads_under_an_older_name_is_followed(way: Way) -> None:
    """The ends' own catalogs are the witness: the target lists the older name as an alias."""
    _, (first, *between, last) = (way[0], (*way[1], way[1][-1]))
    for name in first.options:
        end = follow(name, (first, *between, last))
        assert end
        if name in last.options:
            assert name in end.names or end.fate is Fate.RENAMED
        elif name in last.replacements:
            assert set(end.names) <= set(last.options)
            assert set(end.names) & set(last.replacements[name]), f"{name} is not followed to {last.release}"


@pytest.mark.parametrize("service", known_services())
def test_every_rename_between_any_two_releases_from_victoria_on_is_followed(service: str) -> None:
    """All pairs, not samples: an older name that the later end lists as an alias leads to its option."""
    history = histories(service)
    releases = history.releases[history.releases.index("victoria") :]
    for start, end in combinations(range(len(releases)), 2):
        way = tuple(history.at(release) for release in releases[start : end + 1])
        first, last = way[0], way[-1]
        for name in (first.options.keys() - last.options.keys()) & last.replacements.keys():
            found = follow(name, way)
            assert found
            assert found.fate is Fate.RENAMED
            assert set(found.names) & set(last.replacements[name]), f"{name}: {first.release}, {last.release}"


@settings(max_examples=80, deadline=None)
@given(ways(), st.data())
def test_following_in_two_goes_is_following_in_one(way: Way, data: st.DataObject) -> None:
    history, releases = way
    middle = data.draw(st.integers(0, len(releases) - 1))
    for name in names_of(releases[0]):
        whole, half = follow(name, releases), follow(name, releases[: middle + 1])
        assert whole
        assert half
        rest = [follow(each, releases[middle:]) for each in half.names]
        if whole.fate is not Fate.KEPT and half.names:
            assert tuple(dict.fromkeys(new for end in rest if end for new in end.names)) == whole.names, (
                history
            )


@settings(max_examples=80, deadline=None)
@given(ways())
def test_nothing_ends_where_the_target_has_no_option(way: Way) -> None:
    _, releases = way
    for name in names_of(releases[0]):
        end = follow(name, releases)
        assert end
        assert set(end.names) <= set(releases[-1].options)
        assert bool(end.names) == (end.fate is not Fate.REMOVED)


@st.composite
def files(draw: st.DrawFn, options: ReleaseOptions) -> str:
    """Draw a file of a release's options, half of them under older names, with what people put between."""
    older = sorted(options.replacements)
    pool = st.sampled_from(names_of(options))
    name = st.one_of(pool, st.sampled_from(older)) if older else pool
    between = st.sampled_from(["", "\n", "# password = x\n", ";\n"])
    lines = []
    for number, each in enumerate(draw(st.lists(name, max_size=12))):
        lines.append(f"{draw(between)}[{each.group}]\n{draw(between)}{each.option} = v{number}\n")
    return "".join(lines)


def read(text: str, options: ReleaseOptions) -> Mapping[Name, str]:
    """Return what a release reads: today's name before the aliases in their order, of one name the last."""
    values = {
        Name(line.section, line.key): line.value for line in parse(text, "x") if line.kind is Kind.OPTION
    }
    found = {}
    for name, option in options.options.items():
        set_as = next((each for each in (name, *option.aliases) if each in values), None)
        if set_as and not option.many:
            found[name] = values[set_as]
    return found


@settings(max_examples=150, deadline=None)
@given(ways(), st.data(), st.booleans())
def test_a_converted_file_says_the_same_and_stays(way: Way, data: st.DataObject, keep: bool) -> None:
    history, releases = way
    text = data.draw(files(releases[0]))
    (done,) = convert({"x.conf": text}, history, releases, keep=keep)
    (again,) = convert({"x.conf": done.text}, history, releases, keep=keep)
    assert again.text == done.text
    (same,) = convert({"x.conf": done.text}, history, releases[-1:], keep=keep)
    assert same.text == done.text
    if len(releases) == 1:
        assert done.text == text
    before, after = read(text, releases[0]), read(done.text, releases[-1])
    for name, value in before.items():
        end = follow(name, releases)
        assert end
        for new in end.names:
            sources = [old for old in before if (found := follow(old, releases)) and new in found.names]
            if len(sources) == 1:
                assert after[new] == value, f"{name} as {new}"


@settings(max_examples=60, deadline=None)
@given(ways(), st.data())
def test_every_changed_line_has_a_reason(way: Way, data: st.DataObject) -> None:
    history, releases = way
    text = data.draw(files(releases[0]))
    (done,) = convert({"x.conf": text}, history, releases)
    reasons = {each.line for each in done.remarks if each.matter is not Matter.DEFAULT_CHANGED}
    kept = {line.number: line.text for line in done.after}
    for line in done.before:
        assert kept.get(line.number) == line.text or line.number in reasons
