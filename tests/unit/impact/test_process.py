"""The prober as a process of its own: started, found, killed, started again, stopped."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from skipstone.errors import InputError, SkipstoneError
from skipstone.impact.__main__ import main
from skipstone.impact.measurement import measure
from skipstone.impact.process import LOG, SPEC, running, start_probes, stop_probes
from tests.unit.impact.fake_cloud import FakeCloud, clouds_file
from tests.unit.impact.test_prober import spec_of


def wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_prober_is_one_process_that_survives_and_cleans_up(cloud: FakeCloud, tmp_path: Path) -> None:
    spec, directory = spec_of(cloud, tmp_path), tmp_path / "probes"
    handle = start_probes(spec, directory)
    try:
        assert running(directory) == handle.pid
        assert os.getsid(handle.pid) == handle.pid != os.getsid(0)
        assert start_probes(spec, directory) == handle
        assert main(["--spec", str(directory / SPEC), "--out", str(directory)]) == InputError.exit_code
        wait_until(lambda: cloud.left)
        assert "secret" not in (directory / SPEC).read_text()
        assert json.loads((directory / SPEC).read_text())["cloud"] == "fake"
    finally:
        stop_probes(directory)
    assert running(directory) is None
    assert cloud.left == 0
    assert (directory / LOG).read_text() == ""
    impact = measure(directory)
    assert impact.cpu_seconds > 0
    assert impact.memory > 1_000_000
    stop_probes(directory)


def test_a_killed_prober_goes_on_and_its_blind_time_is_known(cloud: FakeCloud, tmp_path: Path) -> None:
    spec, directory = spec_of(cloud, tmp_path), tmp_path / "probes"
    first = start_probes(spec, directory)
    wait_until(lambda: cloud.left)
    time.sleep(1.2)
    os.kill(first.pid, signal.SIGKILL)
    killed = time.monotonic()
    wait_until(lambda: running(directory) is None)
    # keystone is out: a first start would refuse, a later one must not
    cloud.broken["identity"] = 503
    time.sleep(3)
    second = start_probes(spec, directory)
    away = time.monotonic() - killed
    assert second.pid != first.pid
    del cloud.broken["identity"]
    time.sleep(1)
    os.kill(second.pid, signal.SIGKILL)
    wait_until(lambda: running(directory) is None)
    stop_probes(directory)
    assert cloud.left == 0
    impact = measure(directory)
    assert len(impact.blind) == 1
    assert impact.blind[0].seconds == pytest.approx(away, abs=1.5)
    assert impact.left_behind == ()
    assert len(impact.instances) == 1


def test_a_start_that_fails_says_why(cloud: FakeCloud, tmp_path: Path) -> None:
    spec = spec_of(cloud, tmp_path)
    clouds_file(cloud, tmp_path, password="wrong")
    with pytest.raises(SkipstoneError) as caught:
        start_probes(spec, tmp_path / "probes")
    assert "keystone gives no token" in caught.value.evidence


def test_nothing_to_measure_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing was recorded"):
        measure(tmp_path)
    (tmp_path / "samples.db").write_text("this is no database, but long enough to be looked at" * 50)
    with pytest.raises(InputError, match="not a recording"):
        measure(tmp_path)
