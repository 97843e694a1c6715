"""``skipstone config policy`` as an operator runs it."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from skipstone.cli.main import cli, main

POLICY = """\
{
    "admin_api": "is_admin:True",
    "os_compute_api:os-services": "rule:admin_api or role:operator",
    "os_compute_api:os-server-password:clear": "role:operator",
    "os_compute_api:servers:strat": "role:operator"
}
"""


@pytest.fixture
def nova(tmp_path: Path) -> Path:
    path = tmp_path / "policy.json"
    path.write_text(POLICY)
    return path


def words(path: Path, *more: str) -> list[str]:
    return ["config", "policy", str(path), "--service", "nova", "--from", "zed", "--to", "2025.1", *more]


def run(path: Path, *more: str) -> Result:
    return CliRunner().invoke(cli, words(path, *more), standalone_mode=False, catch_exceptions=False)


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main(list(argv))
    assert caught.value.code == 2
    return capsys.readouterr().err


def test_without_a_place_to_write_it_shows_what_would_change(nova: Path) -> None:
    done = run(nova)
    assert done.return_value == 1
    assert "rule-renamed" in done.output
    assert "os_compute_api:servers:start?" in done.output
    assert '"os_compute_api:os-server-password:clear": "role:operator"' in done.output
    assert "loses: " in done.output
    assert nova.read_text() == POLICY
    assert list(nova.parent.iterdir()) == [nova]


def test_the_new_file_is_yaml(nova: Path, tmp_path: Path) -> None:
    new = tmp_path / "policy.yaml"
    done = run(nova, "-o", str(new))
    assert f"written: {new}" in done.output
    assert (
        yaml.safe_load(new.read_text())["os_compute_api:os-services:list"]
        == "rule:admin_api or role:operator"
    )
    assert "os_compute_api:os-services" not in yaml.safe_load(new.read_text())
    assert nova.read_text() == POLICY
    assert run(nova, "-o", "-").stdout == new.read_text()


def test_in_place_json_makes_room_for_yaml(nova: Path, tmp_path: Path) -> None:
    run(nova, "--in-place")
    new = tmp_path / "policy.yaml"
    (backup,) = (path for path in tmp_path.iterdir() if path != new)
    assert backup.name.startswith(".policy.json.skipstone-")
    assert backup.read_text() == POLICY
    text = new.read_text()
    assert run(new, "--in-place").return_value == 1  # the unknown rule
    assert new.read_text() == text
    assert len(list(tmp_path.iterdir())) == 2


def test_json_has_the_files_and_the_effects(nova: Path) -> None:
    said = json.loads(run(nova, "--json").stdout)
    assert {"rule-renamed", "rule-unknown", "policy-file"} <= {
        each["matter"] for each in said["files"][0]["remarks"]
    }
    assert said["enforced"]["zed"] == {"new_defaults": False, "scope": False}
    assert said["enforced"]["antelope"] == {"new_defaults": True, "scope": True}
    stop = next(each for each in said["effects"] if each["rule"] == "os_compute_api:servers:stop")
    assert stop["operations"] == ["POST /servers/{server_id}/action (os-stop)"]
    assert {"persona": "project reader", "objects": "own project's"} in stop["loses"]


def test_what_the_service_sets_counts(nova: Path, tmp_path: Path) -> None:
    conf = tmp_path / "nova.conf"
    conf.write_text("[oslo_policy]\nenforce_new_defaults = False\nenforce_scope = no\n")
    said = json.loads(run(nova, "--config", str(conf), "--json").stdout)
    assert "os_compute_api:servers:stop" not in {each["rule"] for each in said["effects"]}


def test_a_directory_is_read_as_oslo_policy_reads_it(tmp_path: Path) -> None:
    directory, new = tmp_path / "policy.d", tmp_path / "new"
    directory.mkdir()
    new.mkdir()
    (directory / "10").write_text("os_compute_api:servers:stop: role:x\n")
    (directory / "20.json").write_text('{"os_compute_api:servers:stop": "role:y"}')
    (directory / ".hidden").write_text("os_compute_api:servers:stop: role:z\n")
    done = run(directory, "-o", str(new))
    assert "rule-shadowed" in done.output
    assert {path.name: yaml.safe_load(path.read_text()) for path in new.iterdir()} == {
        "10": None,
        "20.yaml": {"os_compute_api:servers:stop": "role:y"},
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"a": "role:x",', "no JSON and no YAML"),
        (b'{"a": "role:x", "a": "role:y"}', "a is in line 1 too"),
        (b'{"a": "role:x and"}', "cannot read the check"),
        (b'{"caf\xe9": "role:x"}', "not UTF-8"),
        (b'{"get_port": "role:x", "update_port": "role:x", "get_network": "role:x"}', "policy of neutron"),
    ],
)
def test_bad_files_are_refused_and_left(
    nova: Path, text: bytes, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    nova.write_bytes(text)
    assert said in refused(capsys, *words(nova, "--in-place"))
    assert nova.read_bytes() == text
    assert list(nova.parent.iterdir()) == [nova]


def test_contradictions_are_refused_before_anything_is_written(
    nova: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new, other = tmp_path / "new.yaml", tmp_path / "other.yaml"
    other.write_text("")
    assert "two ways" in refused(capsys, *words(nova, "--in-place", "-o", str(new)))
    assert "cannot both" in refused(capsys, *words(nova, "-o", "-", "--json"))
    assert "into a directory" in refused(capsys, *words(nova, str(other), "-o", str(new)))
    assert "older" in refused(
        capsys, "config", "policy", str(nova), "--service", "nova", "--from", "2025.1", "--to", "zed"
    )
    (tmp_path / "policy.yaml").write_text("mine")
    assert "already" in refused(capsys, *words(nova, "--in-place"))
    assert (tmp_path / "policy.yaml").read_text() == "mine"
    assert nova.read_text() == POLICY


def test_the_page_has_the_files_and_who_loses_what(nova: Path, tmp_path: Path) -> None:
    page = tmp_path / "policy.html"
    run(nova, "--html", str(page))
    text = page.read_text()
    assert page.stat().st_mode & 0o077 == 0
    assert "Before and after" in text
    assert "Who may do what, Zed to 2025.1 Epoxy" in text
    assert "http://" not in text
