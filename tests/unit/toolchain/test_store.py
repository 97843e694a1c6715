import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from skipstone.errors import ToolchainError
from skipstone.toolchain.store import GROWING, Store, name_of

GROW_AND_BE_KILLED = """
import os, signal, sys
from pathlib import Path
from skipstone.toolchain.store import Store
with Store(Path(sys.argv[1])).growing("zed") as path:
    (path / "half").write_text("done")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def growing(root: Path) -> list[Path]:
    return list(root.glob(f"{GROWING}*"))


def test_another_content_has_another_name() -> None:
    assert name_of("zed", "1", "lock") != name_of("zed", "2", "lock")
    assert name_of("zed", "1", "lock") == name_of("zed", "1", "lock")
    # parts are not simply put together
    assert name_of("zed", "ab", "c") != name_of("zed", "a", "bc")


def test_nothing_is_found_before_it_is_whole(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with store.growing("zed") as path:
        (path / "file").write_text("x")
        assert store.find("zed") is None
        assert store.finished() == ()
    found = store.find("zed")
    assert found
    assert (found / "file").read_text() == "x"
    assert store.finished() == (found,)
    assert growing(store.root) == []


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def fail(path: Path) -> None:
        (path / "file").write_text("x")
        raise ToolchainError("no index")

    with pytest.raises(ToolchainError, match="no index"), store.growing("zed") as path:
        fail(path)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_build_leaves_is_not_taken_for_finished_and_goes_with_the_next(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", GROW_AND_BE_KILLED, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    store = Store(tmp_path)
    (left,) = growing(tmp_path)
    assert store.find("zed") is None
    with store.growing("zed"):
        assert not left.exists()
    assert store.find("zed")


def test_two_builds_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    store = Store(tmp_path)
    both = threading.Barrier(2, timeout=30)

    def one(text: str) -> None:
        with store.growing("zed") as path:
            both.wait()  # neither sweeps the other's away
            (path / "file").write_text(text)
            both.wait()

    threads = [threading.Thread(target=one, args=(text,)) for text in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = store.find("zed")
    assert found
    assert (found / "file").read_text() in {"a", "b"}
    assert growing(tmp_path) == []


def test_a_place_that_is_no_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ToolchainError) as caught, Store(tmp_path / "file").growing("zed"):
        pass
    assert "SKIPSTONE_CACHE_DIR" in caught.value.remedy


def test_a_full_disk_in_the_middle_is_told(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match="cannot be written") as caught, Store(tmp_path).growing("zed"):
        raise OSError(28, os.strerror(28), "/cache/file")
    assert caught.value.where == "/cache/file"
    assert growing(tmp_path) == []
