from datetime import UTC, datetime
from pathlib import Path

import pytest

from skipstone.errors import ExitCode, InputError
from skipstone.impact.verification import (
    Look,
    Subject,
    Thing,
    Trial,
    Weight,
    compare,
    load_look,
    save_look,
    weigh,
)

WHEN = datetime(2026, 11, 21, tzinfo=UTC)


def thing(subject: Subject, id_: str, **facts: str) -> Thing:
    return Thing(subject=subject, id=id_, name=id_, facts=facts)


def look(*things: Thing, **unasked: str) -> Look:
    return Look(
        cloud="c",
        taken_at=WHEN,
        things=things,
        unasked={Subject(subject): why for subject, why in unasked.items()},
    )


VM = thing(
    Subject.INSTANCE, "vm1", status="ACTIVE", host="cmp1", **{"boot-id": "aaa", "ping 10.0.0.1": "answers"}
)


def test_the_same_cloud_has_no_difference() -> None:
    found = compare(look(VM), look(VM))
    assert (found.differences, found.exit_code) == ((), ExitCode.DONE)
    assert found.counts == {Subject.INSTANCE: 1}


@pytest.mark.parametrize(
    ("subject", "fact", "before", "after", "weight"),
    [
        (Subject.API, "version", "2.93", "2.100", Weight.EXPECTED),
        (Subject.API, "version", "2.100", "2.93", Weight.LOSS),
        (Subject.API, "version", "2.93", "", Weight.LOSS),
        (Subject.API, "answers", "yes", "HTTP 500", Weight.LOSS),
        (Subject.INSTANCE, "host", "cmp1", "cmp2", Weight.EXPLAINABLE),
        (Subject.PORT, "host", "cmp1", "cmp2", Weight.EXPLAINABLE),
        (Subject.ALLOCATION, "providers", "cmp1", "cmp2", Weight.EXPLAINABLE),
        (Subject.ALLOCATION, "resources", "VCPU=1", "VCPU=2", Weight.LOSS),
        (Subject.INSTANCE, "status", "ACTIVE", "ERROR", Weight.LOSS),
        (Subject.INSTANCE, "status", "ERROR", "ACTIVE", Weight.EXPLAINABLE),
        (Subject.INSTANCE, "status", "SHUTOFF", "ERROR", Weight.LOSS),
        (Subject.VOLUME, "status", "in-use", "available", Weight.EXPLAINABLE),
        (Subject.STACK, "status", "CREATE_COMPLETE", "UPDATE_FAILED", Weight.LOSS),
        (Subject.INSTANCE, "boot-id", "aaa", "bbb", Weight.LOSS),
        (Subject.INSTANCE, "ping 10.0.0.1", "answers", None, Weight.LOSS),
        (Subject.INSTANCE, "ping 10.0.0.1", None, "answers", Weight.EXPLAINABLE),
        (Subject.QUOTA, "instances", "10", "20", Weight.LOSS),
        (Subject.QUOTA, "new_limit", None, "20", Weight.EXPLAINABLE),
    ],
)
def test_differences_are_weighed(
    subject: Subject, fact: str, before: str | None, after: str | None, weight: Weight
) -> None:
    assert weigh(subject, fact, before, after) is weight


def test_what_is_gone_is_a_loss_and_what_is_new_is_not() -> None:
    found = compare(look(VM), look(thing(Subject.INSTANCE, "vm2")))
    assert [(one.weight, one.name) for one in found.differences] == [
        (Weight.LOSS, "vm1"),
        (Weight.EXPLAINABLE, "vm2"),
    ]
    assert found.exit_code == ExitCode.NEEDS_OPERATOR
    assert compare(look(), look(VM)).exit_code == ExitCode.WARNINGS


def test_what_cannot_be_asked_any_more_is_one_loss_and_not_many() -> None:
    found = compare(look(VM), look(instance="HTTP 503"))
    assert [(one.weight, one.subject, one.id, one.after) for one in found.differences] == [
        (Weight.LOSS, Subject.INSTANCE, "", "HTTP 503")
    ]


def test_what_could_never_be_asked_is_no_difference() -> None:
    assert not compare(look(stack="no endpoint"), look(stack="no endpoint")).differences
    assert not compare(look(stack="HTTP 503"), look(thing(Subject.STACK, "s"))).differences


def test_a_newer_api_alone_is_done() -> None:
    old, new = (thing(Subject.API, "nova", answers="yes", version=number) for number in ("2.93", "2.100"))
    found = compare(look(old), look(new))
    assert found.differences[0].weight is Weight.EXPECTED
    assert found.exit_code == ExitCode.DONE


def test_a_failed_trial_needs_an_operator() -> None:
    trials = [Trial(name="new instance", ok=False, seconds=1)]
    assert compare(look(VM), look(VM), trials).exit_code == ExitCode.NEEDS_OPERATOR


def test_a_look_survives_its_file(tmp_path: Path) -> None:
    seen = look(VM, stack="HTTP 503")
    save_look(seen, tmp_path / "before.json")
    assert load_look(tmp_path / "before.json") == seen


@pytest.mark.parametrize("text", ["", "not json", '{"format": 2}'])
def test_a_file_that_is_no_look_is_bad_input(tmp_path: Path, text: str) -> None:
    path = tmp_path / "before.json"
    path.write_text(text)
    with pytest.raises(InputError, match="not an earlier look"):
        load_look(path)
    with pytest.raises(InputError, match="cannot be written"):
        save_look(look(), tmp_path / "missing" / "x.json")
