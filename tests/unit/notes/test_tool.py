"""How ``tools/release_notes.py`` tells which release brought a note, on packages that are made here."""

import io
import json
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

TOOLS = Path(__file__).parents[3] / "tools"
UID = "0123456789abcdef"

Notes = Mapping[str, str]


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(TOOLS))
    import release_notes  # noqa: PLC0415 - found only now

    yield release_notes
    sys.modules.pop("release_notes", None)
    sys.modules.pop("sources", None)


def package(directory: Path, name: str, notes: Notes) -> Path:
    path = directory / f"{name}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for file, text in {"../../PKG-INFO": "no note", **notes}.items():
            info = tarfile.TarInfo(f"{name}/releasenotes/notes/{file}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return path


def rows(
    tool: ModuleType, tmp_path: Path, *packages: tuple[str, Notes, Notes], base: bool = True
) -> list[Any]:
    ends = [
        tool.Ends(
            release,
            ("1", "2"),
            tool.read(package(tmp_path, f"{release}-first", first)),
            tool.read(package(tmp_path, f"{release}-newest", newest)),
        )
        for release, first, newest in packages
    ]
    made = list(tool.lines(ends, packages[0][0] if base else None))
    assert made == list(tool.lines(ends, packages[0][0] if base else None))
    return [json.loads(line) for line in made[1:]]


def upgrade(text: str) -> str:
    return f"---\nupgrade:\n  - |\n    {text}\n"


OLD, NEW = {"old.yaml": upgrade("old")}, {"new.yaml": upgrade("new")}


def test_a_note_belongs_to_the_first_release_that_has_it(tool: ModuleType, tmp_path: Path) -> None:
    found = rows(tool, tmp_path, ("a", OLD, OLD), ("b", OLD | NEW, OLD | NEW), ("c", OLD | NEW, OLD | NEW))
    assert found == [{"file": "new.yaml", "since": "b", "upgrade": ["new"]}]


def test_the_first_release_ever_has_all_of_its_notes(tool: ModuleType, tmp_path: Path) -> None:
    found = rows(tool, tmp_path, ("a", OLD, OLD), ("b", OLD | NEW, OLD | NEW), base=False)
    assert [(row["file"], row["since"]) for row in found] == [("new.yaml", "b"), ("old.yaml", "a")]


def test_backports_are_told(tool: ModuleType, tmp_path: Path) -> None:
    found = rows(tool, tmp_path, ("a", OLD, OLD | NEW), ("b", OLD, OLD | NEW), ("c", OLD | NEW, OLD | NEW))
    assert found == [{"file": "new.yaml", "since": "c", "backports": ["a", "b"], "upgrade": ["new"]}]


def test_a_note_of_point_releases_alone_has_no_release_that_began_with_it(
    tool: ModuleType, tmp_path: Path
) -> None:
    found = rows(tool, tmp_path, ("a", OLD, OLD), ("b", OLD, OLD | NEW), ("c", OLD, OLD))
    assert found == [{"file": "new.yaml", "backports": ["b"], "upgrade": ["new"]}]


def test_the_newest_words_count_and_a_renamed_file_is_the_same_note(tool: ModuleType, tmp_path: Path) -> None:
    first = {f"wrong-{UID}.yaml": upgrade("wrogn")}
    later = {f"right-{UID}.yaml": upgrade("right")}
    found = rows(tool, tmp_path, ("a", {}, {}), ("b", first, first), ("c", later, later))
    assert found == [{"file": f"right-{UID}.yaml", "since": "b", "upgrade": ["right"]}]


def test_names_without_an_identity_are_compared_whole(tool: ModuleType, tmp_path: Path) -> None:
    alike = {"deprecate-something-one.yaml": upgrade("1"), "deprecate-something-two.yaml": upgrade("2")}
    assert len(rows(tool, tmp_path, ("a", {}, {}), ("b", alike, alike))) == 2


def test_what_upstream_took_back_keeps_its_release(tool: ModuleType, tmp_path: Path) -> None:
    found = rows(tool, tmp_path, ("a", {}, {}), ("b", NEW, NEW), ("c", {}, {}))
    assert found == [{"file": "new.yaml", "since": "b", "gone": "c", "upgrade": ["new"]}]


def test_what_a_release_itself_took_back_is_none_of_its_notes(tool: ModuleType, tmp_path: Path) -> None:
    assert rows(tool, tmp_path, ("a", {}, {}), ("b", NEW, {}), ("c", {}, {})) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("upgrade:\n  - one\n  - two\n", ["one", "two"]),
        ("upgrade: |\n  only text\n", ["only text"]),
        ("upgrade:\n  - Fixed: a colon that nobody quoted\n", ["Fixed: a colon that nobody quoted"]),
        ("upgrade:\n  - |\n    first  \n\n    - item\n", ["first\n\n- item"]),
        ("upgrade:\n  - 5.0\n", ["5.0"]),
        ("upgrade: []\nfeatures:\n  - x\n", None),
        ("# nothing\n", None),
    ],
)
def test_sections_are_read_as_upstream_wrote_them(
    tool: ModuleType, tmp_path: Path, text: str, said: list[str] | None
) -> None:
    found = rows(tool, tmp_path, ("a", {}, {}), ("b", {"n.yaml": text}, {"n.yaml": text}))
    assert [row.get("upgrade") for row in found] == ([said] if said or "features" in text else [])


def test_the_lock_pins_both_ends_of_every_release(tool: ModuleType) -> None:
    pins = tool.read_lock(tool.LOCK)
    assert len(pins) == len(tool.LOCK.read_text("utf-8").splitlines()) - 1
    assert len({(pin.project, pin.version) for pin in pins}) == len(pins)
    assert {"nova==29.0.1", "nova==29.4.0"} <= {f"{pin.project}=={pin.version}" for pin in pins}
