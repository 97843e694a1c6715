"""The verbs, from their words to what they print, on a cloud that is made up."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from skipstone.cli.main import cli
from skipstone.drain.gear import DrainRefused, DrainStopped
from skipstone.drain.places import open_places
from skipstone.errors import RunLocked
from tests.unit.drain.conftest import QUICK
from tests.unit.drain.fake_cloud import DrainCloud
from tests.unit.drain.fake_hosts import FakeHosts
from tests.unit.impact.fake_cloud import clouds_file, served


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DrainCloud]:
    with served(DrainCloud()) as found:
        assert isinstance(found, DrainCloud)

        @asynccontextmanager
        async def opened(_: object) -> AsyncIterator[FakeHosts]:
            yield FakeHosts(found)

        inventory = {
            "name": "fake",
            "cloud": "fake",
            "clouds_file": str(clouds_file(found, tmp_path)),
            "hosts": {name: {"groups": ["compute"]} for name in found.hosts},
        }
        (tmp_path / "inventory.yaml").write_text(yaml.safe_dump(inventory))
        monkeypatch.setattr("skipstone.cloud.transport.open_transport", opened)
        monkeypatch.setattr("skipstone.drain.pace.Patience", lambda: QUICK)
        monkeypatch.setenv("SKIPSTONE_STATE_DIR", str(tmp_path / "state"))
        monkeypatch.setenv("SKIPSTONE_INVENTORY", str(tmp_path / "inventory.yaml"))
        yield found


def call(*words: str) -> Result:
    return CliRunner().invoke(cli, words, standalone_mode=False, catch_exceptions=True)


def test_a_host_is_drained_looked_at_and_returned(cloud: DrainCloud, tmp_path: Path) -> None:
    id_ = cloud.add("vm")
    cloud.add("off", status="SHUTOFF")
    done = call("drain", "cmp1", "--plan", "p", "--json")
    told = json.loads(done.stdout)
    assert {one["name"]: one["phase"] for one in told["instances"]} == {"vm": "moved", "off": "stays"}
    assert told["record"] == str(tmp_path / "state/drains/p/cmp1.jsonl")
    assert "for p" in cloud.hosts["cmp1"].reason
    assert call("drain", "cmp1", "--plan", "p", "--check").return_value == 0
    assert isinstance(call("return", "cmp1", "--plan", "p", "--check").exception, DrainStopped)
    back = call("return", "cmp1", "--plan", "p")
    assert "cmp1: 1 moved" in back.stdout
    assert cloud.truth(id_) == {"cmp1": "running"}
    assert call("return", "cmp1", "--plan", "p", "--check").return_value == 0
    assert isinstance(call("drain", "cmp1", "--plan", "p", "--check").exception, DrainStopped)


def test_a_drain_by_hand_does_not_work_against_the_one_of_a_run(cloud: DrainCloud, tmp_path: Path) -> None:
    id_ = cloud.add("vm")
    with open_places(tmp_path / "state/drains/migrations/fake") as of_run:
        of_run.claim("cmp1")
        for verb in ("drain", "return"):
            error = call(verb, "cmp1").exception
            assert isinstance(error, RunLocked)
            assert "another process drains cmp1" in str(error)
        assert isinstance(call("drain", "cmp1", "--check").exception, DrainStopped), "a look waits for nobody"
        assert cloud.truth(id_) == {"cmp1": "running"}
    assert call("drain", "cmp1").return_value == 0


def test_a_run_that_is_to_pause_stops_the_drain_that_is_its_step(
    cloud: DrainCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = cloud.add("vm")
    monkeypatch.setenv("SKIPSTONE_JOB", str(tmp_path))
    (tmp_path / "pause").touch()
    asked = call("drain", "cmp1", "--plan", "p")
    assert asked.return_value == 75
    assert "1 of 1 instances are not moved" in asked.stderr
    assert cloud.truth(id_) == {"cmp1": "running"}
    (tmp_path / "pause").unlink()
    assert call("drain", "cmp1", "--plan", "p").return_value == 0
    (tmp_path / "pause").touch()
    assert call("return", "cmp1", "--plan", "p").return_value == 75
    (tmp_path / "pause").unlink()
    assert call("return", "cmp1", "--plan", "p").return_value == 0
    assert cloud.truth(id_) == {"cmp1": "running"}


def test_what_is_left_is_a_warning(cloud: DrainCloud) -> None:
    cloud.add("fixed", metadata={"skipstone:drain": "never"})
    assert isinstance(call("drain", "cmp1").exception, DrainRefused)
    assert call("drain", "cmp1", "--on-stuck", "leave").return_value == 1


def test_lines_are_plain_where_nobody_sits(cloud: DrainCloud) -> None:
    id_ = cloud.add("vm")
    lines = call("drain", "cmp1").stderr.splitlines()
    assert lines[0].startswith(f"vm ({id_})  waits")
    assert lines[-1].startswith(f"vm ({id_})  moved  live → cmp")
    assert not any("\x1b" in line for line in lines)
