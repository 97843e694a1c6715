"""Another Debian's Python; scripts stand for mmdebstrap and unshare (tests/toolchain uses the real ones)."""

from pathlib import Path

import pytest

from skipstone.archives import Archive
from skipstone.errors import ToolchainError
from skipstone.toolchain import interpreter
from skipstone.toolchain.interpreter import STAND_IN, known_suite_interpreter, suite_interpreter
from skipstone.toolchain.store import Store

MIRROR = Archive(uri="https://mirror.example/debian", suite="bookworm", components=("main",))
# the tree is the argument after the suite
UNPACK = """#!/bin/sh
echo "$@" >>{log}
for word in "$@"; do test "$last" = bullseye && mkdir -p "$word/usr/bin"; last=$word; done
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the scripts in the place of the programs; return where mmdebstrap's arguments are written."""
    path = tmp_path / "log"
    script(tmp_path, "mmdebstrap", UNPACK.format(log=path))
    script(tmp_path, "unshare", "#!/bin/sh\nexit 0\n")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(interpreter, "machine_archives", lambda: (MIRROR,))
    monkeypatch.setattr(interpreter, "machine_suite", lambda: "bookworm")
    monkeypatch.setattr(interpreter, "machine_apt_settings", lambda: "")
    return path


def script(directory: Path, name: str, text: str) -> None:
    path = directory / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def test_it_is_unpacked_once_from_the_machines_own_mirror(tmp_path: Path, log: Path) -> None:
    store = Store(tmp_path / "store")
    assert known_suite_interpreter("3.9", store) is None
    first = suite_interpreter("3.9", store)
    assert suite_interpreter("3.9", store) == first == known_suite_interpreter("3.9", store)
    (line,) = log.read_text().splitlines()
    assert line.endswith("deb https://mirror.example/debian bullseye main")
    assert "--variant=extract" in line


def test_its_usr_stands_in_for_the_machines(tmp_path: Path, log: Path) -> None:
    del log
    store = Store(tmp_path / "store")
    found = suite_interpreter("3.9", store)
    assert found.prefix[0] == "unshare"
    assert found.prefix[-2:] == (STAND_IN, str(store.root / found.base / "usr"))
    assert found.path == Path("/usr/bin/python3.9")
    assert not found.is_machine


@pytest.mark.parametrize("user", [0, 1000])
def test_a_user_without_rights_maps_himself_to_root(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch, user: int
) -> None:
    del log
    monkeypatch.setattr("os.geteuid", lambda: user)
    found = suite_interpreter("3.9", Store(tmp_path / "store"))
    assert ("--map-root-user" in found.prefix) == (user != 0)


def test_a_missing_mmdebstrap_is_told(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del log
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolchainError, match="mmdebstrap is not there") as caught:
        suite_interpreter("3.9", Store(tmp_path / "store"))
    assert "apt-get install mmdebstrap" in caught.value.remedy


def test_a_python_that_does_not_run_here_is_not_kept(tmp_path: Path, log: Path) -> None:
    script(
        tmp_path, "unshare", "#!/bin/sh\necho unshare: unshare failed: Operation not permitted >&2; exit 1\n"
    )
    store = Store(tmp_path / "store")
    with pytest.raises(ToolchainError, match="ordinary user"):
        suite_interpreter("3.9", store)
    assert log.exists()
    assert known_suite_interpreter("3.9", store) is None
