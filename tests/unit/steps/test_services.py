"""Units stopped and blocked, on this machine's shell and files of ours."""

import os
import subprocess
from pathlib import Path

import pytest

from skipstone.steps.services import StopServices


@pytest.fixture
def step() -> StopServices:
    return StopServices(
        id="s", title="t", host="h", deadline=5, estimate=1, stop=("nova-api",), block=("nova-new",)
    )


HEALTHY = """\
#!/bin/sh
case "$1" in
    start) shift; echo "$@" >> {place}/started ;;
    is-active) shift; for unit; do echo active; done ;;
esac
"""


def run(place: Path, script: str) -> int:
    """Run a script on a host where no unit is active."""
    (place / "systemctl").write_text('#!/bin/sh\ncase "$*" in *is-active*) exit 3 ;; esac\n')
    (place / "systemctl").chmod(0o755)
    return sh(place, script)


def sh(place: Path, script: str) -> int:
    """Run a script with the place's ``systemctl`` and files."""
    environment = {**os.environ, "PATH": f"{place}:{os.environ['PATH']}"}
    script = script.replace("/etc/", f"{place}/etc/")
    return subprocess.run(["sh", "-s"], input=script, env=environment, text=True, check=False).returncode


def test_they_are_blocked_again_where_power_was_lost_before_it_was_on_the_disk(
    tmp_path: Path, step: StopServices
) -> None:
    """The name of a file may come to the disk before what is in it."""
    assert run(tmp_path, step.is_done().script) != 0
    assert run(tmp_path, step.apply().script) == 0
    assert run(tmp_path, step.is_done().script) == 0
    for dropped in (tmp_path / "etc").rglob("*.conf"):
        text = dropped.read_text()
        dropped.write_text("")
        assert run(tmp_path, step.is_done().script) != 0, dropped
        dropped.write_text(text)


def test_those_that_users_wait_for_come_back_before_the_others(tmp_path: Path) -> None:
    """The broker before all of them; nothing waits for what is left to the rest."""
    stop = ("nova-api", "nova-conductor", "rabbitmq-server")
    step = StopServices(
        id="s", title="t", host="h", deadline=5, estimate=1, stop=stop, block=("new",), first=("nova-api",)
    )
    assert run(tmp_path, step.apply().script) == 0
    rest = step.revert_rest()
    assert rest
    for script, started in (
        (step.revert().script, ["rabbitmq-server", "nova-api"]),
        (rest.script, ["nova-api nova-conductor rabbitmq-server"]),
    ):
        (tmp_path / "systemctl").write_text(HEALTHY.format(place=tmp_path))
        (tmp_path / "started").write_text("")
        assert sh(tmp_path, script) == 0
        assert (tmp_path / "started").read_text().splitlines() == started
        assert not list((tmp_path / "etc").rglob("*.conf")), "also what starts later is not blocked any more"
