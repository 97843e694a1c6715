"""``skipstone check`` as an operator runs it."""

import json
from pathlib import Path

import pytest

from skipstone.cli.main import main
from skipstone.cloud.cloudfile import save_cloud
from skipstone.cloud.model import Cloud

from .good_cloud import cloud_with, each_with, good_cloud, host_with


def check(tmp_path: Path, cloud: Cloud, *arguments: str) -> int:
    path = tmp_path / "cloud.yaml"
    save_cloud(cloud, path)
    with pytest.raises(SystemExit) as ended:
        main(["check", str(path), *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_good_cloud_is_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path, good_cloud()) == 0
    assert "nothing found" in capsys.readouterr().out


def test_warnings_are_1_and_say_what_the_plan_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(tmp_path, good_cloud(), "--to", "Epoxy") == 1
    out = capsys.readouterr().out
    assert "zed → epoxy" in out
    assert "the plan does it: databases.broker" in out
    assert "4 warning, 1 info, in 8 places" in out


def test_an_inhibitor_is_2_and_shows_where_the_evidence_and_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    locked = host_with("cmp1", apt_lock_holder="apt-get [weird] (process 12)")(good_cloud())
    assert check(tmp_path, locked, "--to", "2025.1") == 2
    out = capsys.readouterr().out
    assert "cmp1: apt-get [weird] (process 12)" in out
    assert "stop unattended-upgrades" in out
    assert out.index("apt-locked") < out.index("broker-upgrade")


def test_what_could_not_be_asked_is_2(tmp_path: Path) -> None:
    assert check(tmp_path, each_with("brokers", version="")(good_cloud()), "--to", "2025.1") == 2


def test_json_has_all_findings_with_all_fields(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path, good_cloud(), "--to", "2025.1", "--json") == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["cloud"], answer["source"], answer["target"]) == ("small", "zed", "epoxy")
    assert answer["summary"] == {"inhibitor": 0, "unknown": 0, "warning": 5, "info": 3}
    role = next(found for found in answer["findings"] if found["id"] == "broker-upgrade")
    assert role["severity"] == "warning"
    assert role["handled_by"] == "databases.broker"
    assert {"title", "where", "evidence", "remedy"} <= role.keys()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--to", "2025.3"], "no release is called"),
        (["--from", "zed"], "No such option"),
    ],
)
def test_bad_input_is_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert check(tmp_path, good_cloud(), *arguments) == 2
    assert said in capsys.readouterr().err


def test_without_a_known_release_the_target_must_be_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(tmp_path, cloud_with(release="icehouse")(good_cloud())) == 2
    assert "name the target with --to" in capsys.readouterr().err
