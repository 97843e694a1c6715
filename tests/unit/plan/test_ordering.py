"""Chains of steps that do not depend on each other."""

from skipstone.plan.ordering import at_most
from tests.unit.run.toy import toy


def test_each_step_waits_for_the_one_that_frees_its_place() -> None:
    ordered = at_most([toy("a"), toy("b"), toy("c", "x"), toy("d")], 2)
    assert [(step.id, step.needs) for step in ordered] == [
        ("a", ()),
        ("b", ()),
        ("c", ("x", "a")),
        ("d", ("b",)),
    ]
