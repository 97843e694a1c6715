"""Repeats are the steps that they stand for, whoever looks at them and however."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skipstone.plan.plan import Stage
from skipstone.plan.repeating import Model, Outline, Repeat, Steps, is_plain, outlines_of, text_of
from tests.unit.run.toy import Toy, toy

NAMES = st.from_regex(r"[a-z][a-z0-9.-]{0,6}", fullmatch=True)


def step_on(host: str, group: str = "") -> Toy:
    step = toy(f"look.{host}", f"before.{host}", "first", host=host, group=group, script=f'see "{host}"\t')
    return step.model_copy(update={"title": f"Look at {host}", "hold": (host, f"{host}.example.org")})


@given(st.lists(NAMES.filter(is_plain), min_size=1, max_size=5, unique=True), st.booleans())
def test_they_are_what_they_stand_for(names: list[str], grouped: bool) -> None:
    # what is a word of no step: names that are, make no models (tests/plans/test_cohorts.py)
    first = step_on("Q7Z", "Q7Z" if grouped else "")
    steps = tuple(step_on(name, name if grouped else "") for name in names)
    model = Model(first, text_of(first))
    repeats = [Repeat(model, name) for name in names]
    assert [one.text for one in repeats] == [*map(text_of, steps)]
    assert outlines_of(Steps(repeats)) == tuple(map(Outline.of, steps))
    assert [one.id for one in repeats] == [step.id for step in steps]
    assert Steps(repeats)[-1] == steps[-1]
    assert Steps(repeats)[1:] == steps[1:]
    assert Steps([first, *repeats]) == (first, *steps)
    assert [*Steps(repeats)] == [*steps]
    before = [toy("first"), *(toy(f"before.{name}", host=name) for name in names)]
    one = Stage(name="s", title="S", steps=Steps([*before, *repeats]), at_once=1)
    two = Stage(name="s", title="S", steps=(*before, *steps), at_once=1)
    assert one == two
    assert (one.seconds, one.estimate) == (two.seconds, two.estimate)
    assert one.model_dump(mode="json") == two.model_dump(mode="json")


@pytest.mark.parametrize("name", ["5", "1e5", "e", "a b", 'a"', "\u00e9", "", "\\n"])
def test_names_that_may_stand_in_numbers_or_not_as_they_are_in_json_are_not_plain(name: str) -> None:
    assert not is_plain(name)
