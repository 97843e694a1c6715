"""``skipstone report`` and ``skipstone verify`` as an operator calls them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from skipstone.cli.main import cli
from skipstone.errors import ExitCode, InputError, SkipstoneError
from tests.unit.impact.fake_cloud import FakeCloud, clouds_file, served
from tests.unit.views.sample_run import build_run


def call(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments], standalone_mode=False)
    if result.exception:
        raise result.exception
    return result


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_run(tmp_path / "state" / "runs")
    monkeypatch.setenv("SKIPSTONE_STATE_DIR", str(tmp_path / "state"))


@pytest.mark.usefixtures("run")
def test_the_summary_is_printed_and_both_files_are_written(tmp_path: Path) -> None:
    page, data = tmp_path / "report.html", tmp_path / "report.json"
    said = call("report", "-o", page, "--json", data).output
    assert "zed → 2025.1" in said
    assert str(page) in said
    assert page.read_text().startswith("<!doctype html>")
    assert json.loads(data.read_text())["summary"]["instances_rebooted"] == 0


@pytest.mark.usefixtures("run")
def test_json_alone_can_be_piped() -> None:
    said = call("report", "lab-zed", "--json").output
    assert json.loads(said)["run"]["state"] == "done"


def test_no_run_is_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKIPSTONE_STATE_DIR", str(tmp_path))
    with pytest.raises(InputError, match="there is no run"):
        call("report")


@pytest.fixture
def inventory(tmp_path: Path) -> Iterator[tuple[FakeCloud, Path]]:
    with served(FakeCloud()) as cloud:
        clouds_file(cloud, tmp_path)
        path = tmp_path / "inventory.yaml"
        path.write_text(
            "name: fake\ncloud: fake\nclouds_file: clouds.yaml\nhosts:\n  ctl1: {groups: [control]}\n"
        )
        yield cloud, path


def image(name: str) -> dict[str, str]:
    return {"id": name, "name": name, "status": "active", "checksum": "c"}


def test_a_cloud_is_compared_with_what_it_was(inventory: tuple[FakeCloud, Path], tmp_path: Path) -> None:
    cloud, path = inventory
    cloud.images = {name: image(name) for name in "ab"}
    before = tmp_path / "before.json"
    call("verify", "-i", path, "--save", before)
    same = call("verify", "-i", path, "--against", before)
    assert same.return_value == ExitCode.DONE
    assert "nothing is lost" in same.output
    cloud.images = {name: image(name) for name in "ac"}
    other = call("verify", "-i", path, "--against", before, "--json")
    assert other.return_value == ExitCode.NEEDS_OPERATOR
    found = json.loads(other.output)["differences"]
    assert [(one["name"], one["weight"]) for one in found] == [("b", "loss"), ("c", "explainable")]


def test_a_cloud_without_keystone_is_an_error(inventory: tuple[FakeCloud, Path], tmp_path: Path) -> None:
    cloud, path = inventory
    cloud.broken["identity"] = 503
    with pytest.raises(SkipstoneError, match="keystone gives no token"):
        call("verify", "-i", path, "--save", tmp_path / "before.json")
    assert not (tmp_path / "before.json").exists()
