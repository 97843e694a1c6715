import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from skipstone.cli.main import cli, main


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SKIPSTONE_CACHE_DIR", str(tmp_path))
    return tmp_path


def test_the_list_says_where_each_release_gets_its_python() -> None:
    done = CliRunner().invoke(cli, ["toolchain", "list", "--json"])
    rows = {row["codename"]: row for row in json.loads(done.output)}
    assert rows["zed"]["python"] == "3.11"
    assert rows["zed"]["services"]["nova"].startswith("26.")
    assert rows["zed"]["directory"] is None
    assert rows["victoria"]["python"] == "3.9"
    assert "newton" not in rows


def test_a_toolchain_that_is_not_built_is_not_built_by_exec(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["toolchain", "exec", "zed", "nova-manage", "--version"])
    assert caught.value.code == 2
    assert "skipstone toolchain build zed" in capsys.readouterr().err


def test_a_directory_of_wheels_that_is_not_there_is_told(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["toolchain", "build", "zed", "--wheels", str(cache / "none")])
    assert caught.value.code == 2
    assert "skipstone toolchain download" in capsys.readouterr().err
    assert not (cache / "toolchains").exists()
