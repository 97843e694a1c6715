"""``skipstone config convert`` as an operator runs it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from skipstone.cli.main import cli, main

NOVA = """\
[DEFAULT]
transport_url = rabbit://nova:hunter2hunter2@ctl:5672/
use_eventlog = 30
[database]
sql_connection = mysql://nova:hunter2hunter2@ctl/nova
[keystone_authtoken]
password = hunter2hunter2
"""


@pytest.fixture
def nova(tmp_path: Path) -> Path:
    path = tmp_path / "nova.conf"
    path.write_text(NOVA)
    return path


def run(path: Path, *more: str) -> Result:
    words = ["config", "convert", str(path), "--service", "nova", "--from", "zed", "--to", "2025.1", *more]
    return CliRunner().invoke(cli, words, standalone_mode=False)


def refused(path: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    words = ["config", "convert", str(path), "--service", "nova", "--from", "zed", "--to", "2025.1", *more]
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    return capsys.readouterr().err


def test_without_a_place_to_write_it_shows_what_would_change_and_no_secret(nova: Path) -> None:
    done = run(nova)
    assert done.return_value == 1
    assert "option-removed" in done.output
    assert "connection = ***" in done.output
    assert "hunter2" not in done.output
    assert nova.read_text() == NOVA
    assert list(nova.parent.iterdir()) == [nova]


def test_the_new_file_has_what_the_old_had(nova: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.conf"
    done = run(nova, "-o", str(new))
    assert f"written: {new}" in done.output
    assert "password = hunter2hunter2" in new.read_text()
    assert "# use_eventlog = 30" in new.read_text()
    assert new.stat().st_mode & 0o777 == 0o600
    assert nova.read_text() == NOVA


def test_stdout_has_the_new_file_alone(nova: Path) -> None:
    done = run(nova, "-o", "-")
    assert done.output.startswith("[DEFAULT]\ntransport_url")
    assert "option-removed" not in done.output


def test_in_place_keeps_a_copy(nova: Path) -> None:
    done = run(nova, "--in-place")
    (backup,) = nova.parent.glob("nova.conf.skipstone-*")
    assert backup.read_text() == NOVA
    assert nova.read_text() != NOVA
    assert backup.name in done.output.replace("\n", "")
    run(nova, "--in-place")
    assert len(list(nova.parent.iterdir())) == 2, "nothing changed, so nothing was written"


def test_json_names_every_remark_and_no_value(nova: Path) -> None:
    done = run(nova, "--json")
    (row,) = json.loads(done.output)
    assert row["changed"]
    assert row["written"] is None
    removed = next(each for each in row["remarks"] if each["matter"] == "option-removed")
    assert (removed["line"], removed["section"], removed["option"]) == (3, "DEFAULT", "use_eventlog")
    assert removed["weight"] == "decide"
    assert "hunter2" not in done.output


def test_a_directory_is_converted_into_a_directory(tmp_path: Path) -> None:
    source, target = tmp_path / "nova.conf.d", tmp_path / "new"
    source.mkdir()
    target.mkdir()
    (source / "a.conf").write_text("[DEFAULT]\nmy_ip = 1\n")
    (source / "b.conf").write_text(NOVA)
    run(source, "-o", str(target))
    assert sorted(path.name for path in target.iterdir()) == ["a.conf", "b.conf"]
    assert (target / "a.conf").read_text() == "[DEFAULT]\nmy_ip = 1\n"


def test_a_file_of_another_service_is_recognised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.conf"
    path.write_text("[DEFAULT]\nenabled_backends = a\ndefault_volume_type = b\n[a]\nvolume_driver = c\n")
    said = refused(path, capsys)
    assert "a file of cinder, not of nova" in said
    assert "--service cinder" in said


def test_a_policy_is_sent_to_its_own_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("# all defaults\n")
    assert f"skipstone config policy {path}" in refused(path, capsys)


@pytest.mark.parametrize(
    ("more", "what"),
    [
        (["-o", "-", "--json"], "cannot both"),
        (["-o", "x", "--in-place"], "two ways"),
        (["-o", "."], "a directory"),
    ],
)
def test_contradictions_are_refused(
    nova: Path, capsys: pytest.CaptureFixture[str], more: list[str], what: str
) -> None:
    assert what in refused(nova, capsys, *more)
    assert nova.read_text() == NOVA


def test_a_broken_file_is_left_alone(nova: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nova.write_text("[DEFAULT]\nhunter2hunter2\n")
    said = refused(nova, capsys, "--in-place")
    assert "nova.conf:2" in said
    assert "hunter2" not in said
    assert nova.read_text() == "[DEFAULT]\nhunter2hunter2\n"
    assert list(nova.parent.iterdir()) == [nova]


def test_the_page_has_remarks_and_both_versions_and_no_secret(nova: Path, tmp_path: Path) -> None:
    nova.write_text(NOVA + "# the password was hunter2hunter2\n<b> = &\n")
    page = tmp_path / "nova.html"
    run(nova, "--html", str(page))
    text = page.read_text()
    assert page.stat().st_mode & 0o777 == 0o600
    assert "option-removed" in text
    assert "# use_eventlog = 30" in text
    assert "&lt;b&gt; = &amp;" in text or "<b>" not in text
    assert "hunter2" not in text
    assert "http://" not in text
    assert "https://" not in text
    assert "<script" not in text
    assert nova.read_text().startswith(NOVA)


def test_a_page_never_goes_over_a_configuration(nova: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no name of a page" in refused(nova, capsys, "--html", str(nova))
    assert nova.read_text() == NOVA


def test_the_distributions_new_file_is_found_and_said(nova: Path, tmp_path: Path) -> None:
    shipped = tmp_path / "nova.conf.dpkg-dist"
    shipped.write_text(
        "[DEFAULT]\n# New help. (string value)\n#transport_url = rabbit://\n[keystone_authtoken]\n"
    )
    new = tmp_path / "new.conf"
    done = run(nova, "-o", str(new))
    assert "carried into the distribution's new file" in done.output
    assert shipped.name in done.output.replace("\n", "")
    assert (
        "# New help. (string value)\n#transport_url = rabbit://\ntransport_url = rabbit://nova:"
        in new.read_text()
    )
    assert json.loads(run(nova, "--json").output)[0]["merged"] == str(shipped)
    assert json.loads(run(nova, "--json", "--no-merge").output)[0]["merged"] is None


def test_the_old_file_tells_who_changed_what(nova: Path, tmp_path: Path) -> None:
    old, new, out = tmp_path / "old", tmp_path / "shipped", tmp_path / "out"
    old.write_text("[DEFAULT]\nmy_ip = 1\n")
    new.write_text("[DEFAULT]\nmy_ip = 2\n")
    nova.write_text("[DEFAULT]\nmy_ip = 1\nhost = a\n")
    run(nova, "--theirs", str(new), "--base", str(old), "-o", str(out))
    assert out.read_text() == "[DEFAULT]\nmy_ip = 2\n\nhost = a\n"


def test_a_file_and_its_directory_are_one_configuration(tmp_path: Path) -> None:
    source, target = tmp_path / "nova", tmp_path / "new"
    (source / "nova.conf.d").mkdir(parents=True)
    target.mkdir()
    (source / "nova.conf").write_text("[DEFAULT]\nmy_ip = 1\n[oslo_messaging_rabbit]\n")
    (source / "nova.conf.d" / "10.conf").write_text("[DEFAULT]\nmy_ip = 2\n[oslo_messaging_rabbit]\n")
    done = run(source / "nova.conf", "-o", str(target), "--json")
    assert sorted(str(path.relative_to(target)) for path in target.rglob("*.conf")) == [
        "nova.conf",
        "nova.conf.d/10.conf",
    ]
    first, second = json.loads(done.output)
    (twice,) = (each for each in first["remarks"] if each["matter"] == "option-outdone")
    assert twice["line"] == 2
    assert "line 2 of" in twice["text"]
    told = [
        each["option"]
        for each in (*first["remarks"], *second["remarks"])
        if each["matter"] == "default-changed"
    ]
    assert len(told) == len(set(told)), "a default is told once for all files"


def test_several_files_need_a_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.conf", "b.conf"):
        (tmp_path / name).write_text("[DEFAULT]\n")
    said = refused(tmp_path / "a.conf", capsys, str(tmp_path / "b.conf"), "-o", str(tmp_path / "c.conf"))
    assert "into a directory" in said


def test_ten_megabytes_are_refused_and_left_alone(nova: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nova.write_bytes(b"# log\n" * (10 * 2**20 // 6))
    size = nova.stat().st_size
    assert "larger than any configuration" in refused(nova, capsys, "--in-place")
    assert nova.stat().st_size == size
    assert list(nova.parent.iterdir()) == [nova]
