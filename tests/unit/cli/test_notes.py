"""``skipstone notes`` as an operator runs it."""

import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from skipstone.cli.main import cli, main

CLOUD = Path(__file__).parents[2] / "plans" / "zed-small" / "cloud.yaml"
WAY = ("--from", "zed", "--to", "2025.1")


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["notes", *words], standalone_mode=False, catch_exceptions=False)


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["notes", *words])
    assert caught.value.code == 2
    return capsys.readouterr().err


def test_the_text_has_releases_files_groups_and_what_was_left_out() -> None:
    text = run(*WAY, "--cloud", str(CLOUD)).output
    assert "nova 27.0.0 (Antelope), stable-compute-uuid-08663a0955616728.yaml" in text
    assert "Policy and roles" in text
    assert "→ set in cmp1:/etc/neutron/neutron.conf [DEFAULT] api_workers" in text
    assert "about drivers that this cloud does not have (--all shows them)" in text
    assert "remove-linuxbridge-driver" not in text
    assert "remove-linuxbridge-driver" in run(*WAY, "--cloud", str(CLOUD), "--all").output


def test_one_service_and_one_kind() -> None:
    found = json.loads(run(*WAY, "--service", "compute", "--kind", "security", "--json").output)
    assert {(each["note"]["service"], each["note"]["kind"]) for each in found["entries"]} == {
        ("nova", "security")
    }


def test_the_cloud_says_where_the_way_begins() -> None:
    found = json.loads(run("--to", "2023.1", "--cloud", str(CLOUD), "--json").output)
    assert (found["source"], found["releases"]) == ("Zed", ["2023.1 Antelope"])


class Page(HTMLParser):
    """Notes what a page loads and whether its tags are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self.loads += [tag] if tag in {"script", "link", "img", "iframe"} else []
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing(tmp_path: Path) -> None:
    path = tmp_path / "notes.html"
    assert run("--from", "rocky", "--to", "2026.2", "--cloud", str(CLOUD), "-o", str(path)).exit_code == 0
    page = Page()
    page.feed(path.read_text("utf-8"))
    assert page.loads == []
    assert page.open == []
    assert "<code>&lt;cputune&gt;&lt;shares&gt;</code>" in path.read_text("utf-8")
    assert path.stat().st_mode & 0o777 == 0o600


def test_markdown_keeps_code_and_links(tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    run(*WAY, "-o", str(path))
    text = path.read_text("utf-8")
    assert "### Configuration" in text
    assert "`[DEFAULT] api_workers`" in text
    assert "(https://bugs.launchpad.net/glance/+bug/2059809)" in text


def test_every_entry_of_the_json_is_in_every_other_form() -> None:
    found = json.loads(run(*WAY, "--service", "neutron", "--json").output)["entries"]
    for form in ("text", "markdown", "html"):
        text = run(*WAY, "--service", "neutron", "--format", form).output.replace("\\_", "_")
        assert all(each["note"]["file"] in text for each in found)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--from", "zedd", "--to", "2025.1"), "did you mean Zed"),
        (("--from", "2025.1", "--to", "zed"), "Zed is not newer than 2025.1 Epoxy"),
        (("--from", "zed", "--to", "zed"), "not newer"),
        (("--from", "mitaka", "--to", "ocata"), "no release notes of this route are known"),
        ((*WAY, "--service", "nove"), "did you mean nova"),
        ((*WAY, "--kind", "upgrade,gossip"), "'gossip' is not a valid Kind"),
        ((*WAY, "--cloud", "nowhere.yaml"), "nowhere.yaml"),
        ((*WAY, "--json", "--format", "html"), "two formats"),
        (("--to", "2025.1"), "not known which release to start from"),
        ((*WAY, "-o", "/nowhere/at/all.md"), "cannot be written"),
    ],
)
def test_bad_input_is_refused(words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert told in refused(capsys, *words)


def test_a_broken_cloud_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cloud.yaml"
    path.write_text("- no: cloud\n")
    assert "this is not the file of a discovered cloud" in refused(capsys, *WAY, "--cloud", str(path))
    path.write_text(CLOUD.read_text().replace("release: zed", "release: yoga", 1))
    assert "this file was edited" in refused(capsys, *WAY, "--cloud", str(path))


def test_help_imports_nothing_of_it() -> None:
    code = (
        "import sys; from skipstone.cli.main import cli; cli.main(['--help'], standalone_mode=False);"
        "assert not [name for name in sys.modules if name.startswith('skipstone.notes')]"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
