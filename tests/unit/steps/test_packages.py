"""Package sources rewritten for the target, by the very lines that a host runs."""

import os
import subprocess
from pathlib import Path

from skipstone.plan.planfile import commands_of
from skipstone.steps.packages import DownloadPackages, FromSuite
from tests.unit.steps.samples import SAMPLES


def rewritten(
    place: Path, *, old: str = "bookworm", new: str = "trixie", **files: str
) -> "subprocess.CompletedProcess[str]":
    """Rewrite sources that lie below ``place``; an apt-get that does nothing stands in PATH."""
    etc, programs = place / "etc/apt", place / "bin"
    (etc / "sources.list.d").mkdir(parents=True)
    programs.mkdir()
    (programs / "apt-get").write_text("#!/bin/sh\n")
    (programs / "apt-get").chmod(0o755)
    for name, text in files.items():
        (etc / "sources.list.d" / name.replace("__", ".")).write_text(text)
    step = DownloadPackages(
        id="d",
        title="t",
        host="h",
        deadline=60,
        estimate=1,
        directory=str(place / "work"),
        old_suite=old,
        new_suite=new,
    )
    script = step.apply().script.replace("/etc/apt", str(etc)).replace("-o _apt ", "")
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    return subprocess.run(
        ["sh", "-s"], input=script, env=environment, text=True, capture_output=True, check=False
    )


def part(place: Path, name: str) -> str:
    return (place / "work/parts" / name).read_text()


def test_every_suite_of_a_line_becomes_the_targets(tmp_path: Path) -> None:
    suites = "bookworm bookworm-updates bookworm-backports"
    text = f"Types: deb\nURIs: https://deb.example/bookworm\nSuites: {suites}\n"
    done = rewritten(tmp_path, debian__sources=text)
    assert done.returncode == 0, done.stderr
    assert "Suites: trixie trixie-updates trixie-backports\n" in part(tmp_path, "debian.sources")
    assert "URIs: https://deb.example/bookworm\n" in part(tmp_path, "debian.sources")


def test_suites_on_lines_of_their_own_do_too(tmp_path: Path) -> None:
    text = "Types: deb\nSuites:\n bookworm\n bookworm-security\nComponents: main\n"
    done = rewritten(tmp_path, debian__sources=text)
    assert done.returncode == 0, done.stderr
    assert "Suites:\n trixie\n trixie-security\nComponents: main\n" in part(tmp_path, "debian.sources")


def test_the_archive_beside_debian_alone(tmp_path: Path) -> None:
    text = "Types: deb\nSuites: bookworm-zed-backports bookworm-zed-backports-nochange\n"
    done = rewritten(
        tmp_path, old="bookworm-zed-backports", new="bookworm-antelope-backports", osbpo__sources=text,
        debian__list="deb https://deb.example bookworm main\n",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "bookworm-antelope-backports bookworm-antelope-backports-nochange" in part(
        tmp_path, "osbpo.sources"
    )
    assert part(tmp_path, "debian.list") == "deb https://deb.example bookworm main\n"


def test_what_only_looks_like_the_suite_stays(tmp_path: Path) -> None:
    text = (
        "deb https://deb.example sid/bookworm\ndeb https://deb.example bookworm/updates x-bookworm bookworm\n"
    )
    done = rewritten(tmp_path, odd__list=text)
    assert done.returncode == 0, done.stderr
    wanted = (
        "deb https://deb.example sid/bookworm\ndeb https://deb.example trixie/updates x-bookworm trixie\n"
    )
    assert part(tmp_path, "odd.list") == wanted


def test_a_source_that_would_stay_behind_is_refused(tmp_path: Path) -> None:
    text = "deb https://deb.example bookworm main\n  deb https://other.example bookworm main\n"
    done = rewritten(tmp_path, two__list=text)
    assert done.returncode == 1
    assert "these package sources still name bookworm" in done.stderr
    assert "https://other.example" in done.stderr


def test_whatever_is_installed_from_lists_of_ours_comes_from_archives_of_ours() -> None:
    steps = [step for step in SAMPLES if isinstance(step, FromSuite)]
    scripts = [command["script"] for step in steps for command in commands_of(step).values()]
    lines = [line for script in scripts for line in script.splitlines() if "apt-get" in line]
    with_lists = [line for line in lines if "Dir::State::Lists=" in line]
    assert len(with_lists) > len(steps)
    for line in with_lists:
        assert "Dir::Cache::Archives=/var/lib/skipstone/p/apt/archives " in line
    assert not [line for line in lines if " clean" in line], "apt's own cache is the host's"


def test_what_an_earlier_attempt_has_fetched_stays_and_nothing_else_of_it(tmp_path: Path) -> None:
    for name in ("archives/a.deb", "kept/b.deb", "parts/of-then.list", "before/held", "installed"):
        (tmp_path / "work" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "work" / name).write_text("")
    done = rewritten(tmp_path, debian__list="deb https://deb.example bookworm main\n")
    assert done.returncode == 0, done.stderr
    files = {str(path.relative_to(tmp_path / "work")) for path in (tmp_path / "work").rglob("*.*")}
    assert files == {"archives/a.deb", "kept/b.deb", "parts/debian.list", "sources.list"}
    assert {path.name for path in (tmp_path / "work").iterdir()} == {
        *("archives", "kept", "parts", "lists", "sources.list", "downloaded")
    }
