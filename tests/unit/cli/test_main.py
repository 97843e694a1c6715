import pytest

from skipstone.cli import main as entry
from skipstone.errors import ExitCode


def test_a_fault_of_skipstone_needs_an_operator_and_shows_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fall(**_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(entry.cli, "main", fall)
    with pytest.raises(SystemExit) as ended:
        entry.main(["route"])
    said = capsys.readouterr().err
    assert ended.value.code == ExitCode.NEEDS_OPERATOR
    assert "ZeroDivisionError: division by zero" in said
    assert "test_main.py" in said
    assert "Traceback" not in said
    with pytest.raises(ZeroDivisionError):
        entry.main(["--debug", "route"])
