"""A guest behind a real link that goes down: the probes against ``ping``, which knows nothing of them."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from skipstone.impact.measurement import measure
from skipstone.impact.process import start_probes, stop_probes
from skipstone.impact.spec import InstanceTarget
from tests.unit.impact.fake_cloud import FakeCloud
from tests.unit.impact.test_prober import spec_of

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip"), reason="needs root and iproute2"),
]

OUTSIDE, GUEST = "198.18.203.1", "198.18.203.2"
DOWN = 3.0


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, timeout=20)


@pytest.fixture
def link() -> Iterator[str]:
    """A network namespace that is reached over one link; gives the link's name on this side."""
    space, near, far = (f"{name}{os.getpid()}" for name in ("skns", "skn", "skf"))
    ip("netns", "add", space)
    try:
        ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", space)
        ip("addr", "add", f"{OUTSIDE}/30", "dev", near)
        ip("link", "set", near, "up")
        ip("-n", space, "addr", "add", f"{GUEST}/30", "dev", far)
        ip("-n", space, "link", "set", far, "up")
        yield near
    finally:
        ip("netns", "delete", space)


def ping_log(log: Path) -> tuple[float, int]:
    """Return the longest time between two replies, and how many replies are missing between them."""
    found = re.findall(r"^\[([0-9.]+)\] .* icmp_seq=(\d+) ttl", log.read_text(), re.MULTILINE)
    replies = [(float(when), int(number)) for when, number in found]
    gaps = [(after[0] - before[0], after[1] - before[1] - 1) for before, after in pairwise(replies)]
    return max(gaps)


def test_a_link_that_goes_down_is_measured_as_ping_measures_it(
    cloud: FakeCloud, link: str, tmp_path: Path
) -> None:
    targets = (InstanceTarget(id="g", name="guest", address=GUEST),)
    spec = spec_of(cloud, tmp_path, apis=(), instances=targets, ping_interval=0.2, timeout=2.0)
    command = ["ping", "-n", "-D", "-i", "0.2", "-W", "1", GUEST]
    with (tmp_path / "ping.log").open("w") as log, subprocess.Popen(command, stdout=log) as ping:
        try:
            start_probes(spec, tmp_path / "probes")
            time.sleep(1.5)
            ip("link", "set", link, "down")
            time.sleep(DOWN)
            ip("link", "set", link, "up")
            time.sleep(3)
            stop_probes(tmp_path / "probes")
        finally:
            ping.terminate()
    longest, missing = ping_log(tmp_path / "ping.log")
    (guest,) = measure(tmp_path / "probes").instances
    assert guest.ping
    sys.stdout.write(
        f"ping: {longest:.2f} s, {missing} missing; probes: {guest.ping.longest:.2f} s, {guest.ping.bad}\n"
    )
    assert longest > DOWN
    assert len(guest.ping.outages) == 1
    assert guest.ping.longest == pytest.approx(longest, abs=0.5)
    assert guest.ping.bad == pytest.approx(missing, abs=3)
