"""A host loses its power: what counts as done is on its disk then, and what was begun is done again."""

import subprocess
from pathlib import Path, PurePosixPath

import pytest

from skipstone.run.job import Job, JobState, parse_news
from skipstone.steps import versions
from skipstone.steps.scripts.places import KEPT, Places
from skipstone.steps.shell import block
from tests.faults.power import Disk, disk
from tests.unit.steps.test_places import read, write

BLOCKED = "etc/systemd/system/nova-api.service.d/90-skipstone-blocked.conf"


def sh(script: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["sh", "-s"], input=script, text=True, capture_output=True, check=False, timeout=60)


def job_on(disk: Disk) -> Job:
    jobs = PurePosixPath(disk.place) / "jobs"
    return Job("run", "step", 1, deadline=30, jobs=jobs, own_unit=False, lasting=True)


def test_what_a_job_has_done_is_on_the_disk_before_it_counts_as_over(tmp_path: Path) -> None:
    with disk(tmp_path) as host:
        job, script = job_on(host), block(("nova-api",)).replace("/etc", f"{host.place}/etc")
        script = script.replace("systemctl daemon-reload", "true")
        assert parse_news(sh(job.submission(script, wait=30)).stdout).state is JobState.EXITED
        host.lose_power()
        assert parse_news(sh(job.watch(offset=0, wait=1)).stdout).state is JobState.EXITED
        assert (host.place / BLOCKED).read_text().startswith("[Unit]\nConditionPathExists=")


@pytest.mark.parametrize("kind", ["ext4", "btrfs"])
def test_a_job_that_has_left_something_on_the_disk_is_not_begun_again(tmp_path: Path, kind: str) -> None:
    """As a database's server does, the script waits for the disk itself: for its own file alone on btrfs."""
    with disk(tmp_path, kind) as host:
        job, written = job_on(host), host.place / "written"
        script = f"echo x >> {written}; sync {written}; touch {tmp_path}/begun; sleep 20"
        submitted = subprocess.Popen(
            ["sh", "-c", job.submission(script, wait=60)], stdout=subprocess.DEVNULL, start_new_session=True
        )
        while not (tmp_path / "begun").exists():
            assert submitted.poll() is None
        host.kill_users()
        submitted.wait()
        host.lose_power()
        assert written.read_text() == "x\n"
        assert parse_news(sh(job.submission(script, wait=1)).stdout).state is JobState.LOST
        assert written.read_text() == "x\n"


def test_a_system_that_has_changed_places_with_its_copy_is_whole(tmp_path: Path) -> None:
    with disk(tmp_path) as host:
        places, root = Places(host.place, ["usr", "etc"]), host.place
        write(root, {"usr/bin/true": "old", "etc/passwd": "old", "etc/living": "old"})
        places.keep("p")
        write(root, {"usr/bin/true": "new", "etc/passwd": "new", "etc/living": "new"})
        subprocess.run(["sync", "-f", root], check=True)
        places.stage(str(root / KEPT / "p"))
        Places(root, ["etc/living"]).follow("")
        places.exchange("")
        host.lose_power()
        assert read(root) == {"usr/bin/true": "old", "etc/passwd": "old", "etc/living": "new"}


def test_no_file_below_etc_is_empty_while_it_comes_back(tmp_path: Path) -> None:
    with disk(tmp_path) as host:
        etc, before = host.place / "etc", tmp_path / "before"
        before.mkdir()
        write(etc, {"passwd": "old", "new.d/link": "was a link to a file", "gone": "comes again"})
        (etc / "link").symlink_to("passwd")
        (etc / "passwd").chmod(0o640)
        subprocess.run(["tar", "-C", host.place, "-czf", before / "etc.tar.gz", "etc"], check=True)
        write(etc, {"passwd": "new", "came": "new"})
        (etc / "gone").unlink()
        (etc / "link").unlink()
        (etc / "new.d/link").unlink()
        (etc / "new.d").rmdir()
        (etc / "new.d").symlink_to(".")
        subprocess.run(["sync", "-f", etc], check=True)
        lines = f"set -eu\nmount --bind {etc} /etc\n{versions.bring_etc(str(before))}"
        done = subprocess.run(["unshare", "--mount", "sh", "-s"], input=lines, text=True, check=False)
        assert done.returncode == 0
        host.lose_power()
        assert read(etc) == {
            "passwd": "old", "link": "old", "gone": "comes again", "came": "new",
            "new.d/link": "was a link to a file",
        }  # fmt: skip
        assert (etc / "passwd").stat().st_mode & 0o777 == 0o640
        assert (etc / "link").is_symlink()
        assert not (etc / "new.d").is_symlink()
        assert {path.name for path in etc.iterdir()} == {"passwd", "link", "gone", "came", "new.d"}
