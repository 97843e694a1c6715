import json
from pathlib import Path

import pytest

from skipstone.cli.main import main


def verb(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["lab", *words])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SKIPSTONE_LAB_DIR", str(tmp_path / "lab"))
    return tmp_path / "lab"


def test_status_without_a_lab(capsys: pytest.CaptureFixture[str], place: Path) -> None:
    code, out, _ = verb(capsys, "status", "--json")
    assert code == 0
    assert json.loads(out)["phase"] is None
    code, out, _ = verb(capsys, "status")
    assert f"no lab is up in {place}" in out


def test_down_without_a_lab_is_harmless(capsys: pytest.CaptureFixture[str], place: Path) -> None:
    assert verb(capsys, "down")[0] == 0
    assert not place.exists()


@pytest.mark.parametrize("words", [("exec", "ctl1", "--", "true"), ("ssh", "ctl1"), ("snapshot", "mine")])
def test_verbs_that_need_a_lab_say_so(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    code, _, err = verb(capsys, *words)
    assert code == 4
    assert "no lab is up" in err
    assert "skipstone lab up" in err


@pytest.mark.parametrize(
    "words",
    [
        ("up", "--release", "zebra"),
        ("up", "--topology", "huge"),
        ("up", "--without", "nova"),
        ("snapshot", "Not A Name"),
    ],
)
def test_bad_words_are_refused_before_anything_is_touched(
    capsys: pytest.CaptureFixture[str], place: Path, words: tuple[str, ...]
) -> None:
    code, _, err = verb(capsys, *words)
    assert code == 2
    assert "remedy" in err
    assert not place.exists()
