"""``skipstone discover`` as an operator meets it: a real sshd, a cloud whose APIs are down, bad input."""

import json
from pathlib import Path

import pytest

from skipstone.cli.main import main
from skipstone.cloud.cloudfile import load_cloud
from skipstone.errors import ExitCode
from tests.unit.cloud.sshd import Sshd


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["discover", *arguments])
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err
    return int(ended.value.code or 0), said.out, said.err


def write_inventory(place: Path, sshd: Sshd, closed_port: int) -> None:
    (place / "clouds.yaml").write_text(
        f"clouds: {{c: {{auth: {{auth_url: 'http://127.0.0.1:{closed_port}/v3', username: u,"
        " password: hunter2, project_name: p, user_domain_name: d, project_domain_name: d}}}\n"
    )
    (place / "inventory.yaml").write_text(
        f"name: lab\nssh_config: {sshd.config}\ncloud: c\nclouds_file: clouds.yaml\n"
        f"defaults: {{user: root, key_file: {sshd.key}}}\nhosts:\n"
        f"  up: {{address: 127.0.0.1, port: {sshd.port}, groups: [control]}}\n"
        f"  down: {{address: 127.0.0.1, port: {closed_port}, groups: [compute]}}\n"
    )


@pytest.mark.real
def test_what_cannot_be_asked_is_listed_and_the_rest_is_written(
    place: Path, sshd: Sshd, closed_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    write_inventory(place, sshd, closed_port)
    code, out, _ = run(capsys, "-i", "inventory.yaml", "-o", "found.yaml")
    assert code == ExitCode.WARNINGS
    cloud = load_cloud(place / "found.yaml")
    up, down = cloud.hosts
    assert up.reachable
    assert up.os
    assert up.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert up.clock_offset is not None
    assert abs(up.clock_offset) < 2
    assert not down.reachable
    said = {(problem.asked.value, problem.where) for problem in cloud.problems}
    assert {("ssh", "down"), ("api", "keystone"), ("database", "lab"), ("broker", "lab")} <= said
    assert "nothing listens on its SSH port" in out
    assert "hunter2" not in out + (place / "found.yaml").read_text()


@pytest.mark.real
def test_json_is_the_cloud_of_the_file(
    place: Path, sshd: Sshd, closed_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    write_inventory(place, sshd, closed_port)
    code, out, _ = run(capsys, "-i", "inventory.yaml", "--json")
    assert code == ExitCode.WARNINGS
    assert json.loads(out) == json.loads(load_cloud(place / "cloud.yaml").model_dump_json())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: lab\nhosts: {a: {groups: [controll]}}\n", "inventory.yaml:2: hosts.a.groups.0"),
        ("name: lab\nhosts: [\n", "this is not valid YAML"),
        ("hosts: {a: {groups: [control]}}\n", "inventory.yaml:1: name: this key is missing"),
        ("name: lab\nhosts: {a: {}}\ngroups: {control: [b]}\n", "there is no host 'b'"),
        ("name: lab\ncloud: other\nhosts: {a: {groups: [control]}}\n", "no usable credentials"),
    ],
)
def test_bad_input_is_said_before_anything_is_asked(
    place: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    (place / "inventory.yaml").write_text(text)
    code, _, err = run(capsys, "-i", "inventory.yaml")
    assert code == ExitCode.REFUSED
    assert said in err
    assert "remedy:" in err
    assert not (place / "cloud.yaml").exists()
