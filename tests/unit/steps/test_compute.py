"""The scripts of a compute's steps, with programs in the place of ps, virsh and systemctl."""

import os
import subprocess
from pathlib import Path

import pytest

from skipstone.cloud.command import Command
from skipstone.steps.compute import AdoptInstances, RecordInstances

COMMON = {"title": "t", "host": "cmp1", "deadline": 60, "estimate": 1}

# what ps -o pid=,lstart= prints of a list of processes and seconds, in the time zone that it is given
PS = """\
while read -r pid began; do
    printf '%7d %s\\n' "$pid" "$(LC_ALL=C date -d "@$began" '+%a %b %e %T %Y')"
done < "$(dirname "$0")/running\""""


class Compute:
    """A host with instances that libvirt knows; ``environment`` is what a job has beside PATH."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment: dict[str, str] = {}
        self.program("ps", PS)
        self.program("virsh", 'cat "$(dirname "$0")/running"')
        self.program("systemctl", "exit 0")
        self.record = RecordInstances(id="r", **COMMON, directory=str(home / "kept"))
        self.adopt = AdoptInstances(id="a", **COMMON, directory=str(home / "kept"))

    def program(self, name: str, text: str) -> None:
        path = self.home / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def runs(self, *pids: int) -> None:
        (self.home / "running").write_text("".join(f"{pid} {1750000000 + pid}\n" for pid in pids))

    def run(self, command: Command | None) -> "subprocess.CompletedProcess[str]":
        assert command
        path = f"{self.home}:{os.environ['PATH']}"
        return subprocess.run(
            ["sh", "-s"],
            input=command.script,
            env={**self.environment, "PATH": path},
            text=True,
            capture_output=True,
            check=False,
        )


@pytest.fixture
def compute(tmp_path: Path) -> Compute:
    compute = Compute(tmp_path)
    compute.runs(98, 4711, 120)
    assert compute.run(compute.record.apply()).returncode == 0
    return compute


@pytest.fixture(scope="module")
def american(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment of a host whose locale does not sort by bytes."""
    if not Path("/usr/share/i18n/locales/en_US").exists():
        pytest.skip("needs the package locales")
    home = tmp_path_factory.mktemp("locales")
    subprocess.run(["localedef", "-i", "en_US", "-f", "UTF-8", home / "en_US.UTF-8"], check=True)
    return {"LOCPATH": str(home), "LANG": "en_US.UTF-8"}


def test_instances_that_run_on_are_adopted(compute: Compute) -> None:
    done = compute.run(compute.adopt.apply())
    assert (done.returncode, done.stderr) == (0, "")
    assert "all 3 running instances" in done.stdout
    assert compute.run(compute.adopt.verify()).returncode == 0


def test_a_question_over_ssh_may_have_another_locale_than_the_job(
    compute: Compute, american: dict[str, str]
) -> None:
    compute.environment = american
    done = compute.run(compute.adopt.verify())
    assert (done.returncode, done.stderr) == (0, "")


def test_a_question_over_ssh_may_have_another_time_zone_than_the_job(compute: Compute) -> None:
    compute.environment = {"TZ": "JST-9"}
    done = compute.run(compute.adopt.verify())
    assert (done.returncode, done.stderr) == (0, "")


def test_an_instance_that_is_gone_is_told_and_the_next_attempt_goes_on_without_it(compute: Compute) -> None:
    compute.runs(98, 120)
    done = compute.run(compute.adopt.apply())
    assert done.returncode == 1
    assert "4711" in done.stderr
    assert "skipstone resume" in done.stderr
    assert compute.run(compute.adopt.reset()).returncode == 0
    assert compute.run(compute.adopt.apply()).returncode == 0
    assert compute.run(compute.adopt.verify()).returncode == 0


def test_what_is_lost_after_that_fails_again(compute: Compute) -> None:
    compute.runs(98, 120)
    compute.run(compute.adopt.apply())
    compute.run(compute.adopt.reset())
    compute.runs(98)
    assert compute.run(compute.adopt.verify()).returncode == 1
    compute.run(compute.adopt.reset())
    done = compute.run(compute.adopt.apply())
    assert done.returncode == 1
    assert "120" in done.stderr
    assert "4711" not in done.stderr


def test_an_attempt_that_told_nothing_hides_nothing(compute: Compute) -> None:
    compute.runs(98, 120)
    compute.program("systemctl", '[ "$1" != restart ]')
    assert "4711" not in compute.run(compute.adopt.apply()).stderr
    compute.program("systemctl", "exit 0")
    compute.run(compute.adopt.reset())
    assert "4711" in compute.run(compute.adopt.apply()).stderr


def test_another_run_of_the_same_plan_compares_with_what_ran_at_its_own_beginning(compute: Compute) -> None:
    compute.runs(98)
    compute.run(compute.adopt.apply())
    compute.run(compute.record.apply())
    assert compute.run(compute.adopt.apply()).returncode == 0
    compute.runs()
    compute.run(compute.adopt.reset())
    assert compute.run(compute.adopt.apply()).returncode == 1


def test_undone_it_leaves_no_list(compute: Compute) -> None:
    compute.runs(98)
    compute.run(compute.adopt.apply())
    compute.run(compute.record.revert())
    assert list((compute.home / "kept").iterdir()) == []
