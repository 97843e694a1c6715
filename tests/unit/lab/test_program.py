import pytest

from skipstone.errors import LabError
from skipstone.lab.program import run, succeeds, tail


def test_output_is_returned_and_input_is_given() -> None:
    assert run("cat", stdin="text") == "text"


def test_a_failure_tells_the_command_and_its_last_words() -> None:
    with pytest.raises(LabError, match="exit code 3") as caught:
        run("sh", "-c", "echo why >&2; exit 3", where="somewhere")
    assert caught.value.where == "somewhere"
    assert caught.value.evidence.endswith("why")


def test_a_missing_program_has_a_remedy() -> None:
    with pytest.raises(LabError, match="not installed") as caught:
        run("no-such-program-at-all")
    assert "prepare-machine" in caught.value.remedy


def test_a_deadline_is_kept() -> None:
    with pytest.raises(LabError, match="longer than"):
        run("sleep", "5", timeout=0.1)


def test_a_question_has_an_answer() -> None:
    assert succeeds("true")
    assert not succeeds("false")


def test_only_the_end_of_an_output_is_kept() -> None:
    assert tail("a\nb\nc\n", lines=2) == "b\nc"
