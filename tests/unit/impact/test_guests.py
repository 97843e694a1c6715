"""Canaries in a namespace, as in an instance: the probes against ``ping``, which knows nothing of them."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from skipstone.cli.canary import canary
from skipstone.impact.canaries import read_word
from skipstone.impact.guest import canary as script
from skipstone.impact.measurement import Impact, measure
from skipstone.impact.process import start_probes, stop_probes
from skipstone.impact.spec import InstanceTarget
from tests.unit.impact.fake_cloud import FakeCloud
from tests.unit.impact.test_prober import spec_of

PORT = 8471
OUTSIDE, GUEST, INSIDE, PEER = "198.18.204.1", "198.18.204.2", "198.18.205.1", "198.18.205.2"
DOWN = 4.0

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("ip", "ping"))),
    reason="needs root, iproute2 and iputils-ping",
)


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, timeout=20)


@pytest.fixture
def guest() -> Iterator[tuple[str, str]]:
    """A guest's namespace, reached from here, with a link to a peer's; gives it and the link's name in it."""
    mine, other, near, far, left, right = (
        f"{name}{os.getpid()}" for name in ("skg", "skp", "ska", "skb", "skc", "skd")
    )
    ip("netns", "add", mine)
    ip("netns", "add", other)
    try:
        ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", mine)
        ip("-n", mine, "link", "add", left, "type", "veth", "peer", "name", right, "netns", other)
        ip("addr", "add", f"{OUTSIDE}/30", "dev", near)
        ip("link", "set", near, "up")
        for space, link, address in ((mine, far, GUEST), (mine, left, INSIDE), (other, right, PEER)):
            ip("-n", space, "addr", "add", f"{address}/30", "dev", link)
            ip("-n", space, "link", "set", link, "up")
            ip("-n", space, "link", "set", "lo", "up")
        yield mine, left
    finally:
        for space in (mine, other):
            # whoever is left in it would keep it, and its address
            said = subprocess.run(["ip", "netns", "pids", space], capture_output=True, text=True, check=False)
            for pid in said.stdout.split():
                os.kill(int(pid), signal.SIGKILL)
            ip("netns", "delete", space)


@contextmanager
def running(*command: str, log: Path) -> Iterator[None]:
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(10)


def python_canary(space: str, base: Path) -> list[str]:
    options = ["--port", str(PORT), "--write", str(base)]
    return ["ip", "netns", "exec", space, sys.executable, script.__file__, *options]


def ping_log(log: Path) -> float:
    """Return the longest time between two replies."""
    times = [float(when) for when in re.findall(r"^\[([0-9.]+)\] .* ttl", log.read_text(), re.MULTILINE)]
    return max(after - before for before, after in pairwise(times))


@pytest.mark.real
@needs_root
def test_an_outage_between_instances_is_what_ping_saw_there(
    cloud: FakeCloud, guest: tuple[str, str], tmp_path: Path
) -> None:
    """The probes tell the canary of a peer that only it can reach; then that link goes down."""
    base = tmp_path / "guest"
    base.mkdir()
    with running(*python_canary(guest[0], base), log=tmp_path / "canary.log"):
        impact = _measured(cloud, guest, tmp_path)
    seen = ping_log(tmp_path / "ping.log")
    (pair,) = impact.pairs
    sys.stdout.write(f"ping: {seen:.2f} s; canary: {[one.seconds for one in pair.outages]}\n")
    assert pair.name == "web1 → web2"
    assert seen > DOWN
    assert len(pair.outages) == 1
    assert pair.outages[0].ended
    # the canary asks once a second, and waits a second
    assert seen - 0.5 < pair.longest < seen + 2.5
    (disk,) = impact.disks
    assert disk.asked > 5
    assert not disk.outages
    # outside it was there all the time
    (instance,) = impact.instances
    assert instance.ping
    assert not instance.ping.outages


def _measured(cloud: FakeCloud, guest: tuple[str, str], base: Path) -> Impact:
    """Probe the canary while its link to the peer goes down, and ping meanwhile."""
    space, link = guest
    targets = (
        InstanceTarget(id="g", name="web1", address=GUEST),
        InstanceTarget(id="p", name="web2", address=PEER),
    )
    spec = spec_of(cloud, base, apis=(), instances=targets, boot_interval=0.3, boot_port=PORT)
    pinging = ["ip", "netns", "exec", space, "ping", "-n", "-D", "-i", "0.2", "-W", "1", PEER]
    _until_it_answers(space)
    _name_peer(space)
    with ExitStack() as stack:
        start_probes(spec, base / "probes")
        stack.callback(stop_probes, base / "probes")
        time.sleep(3)
        stack.enter_context(running(*pinging, log=base / "ping.log"))
        time.sleep(2)
        ip("-n", space, "link", "set", link, "down")
        time.sleep(DOWN)
        ip("-n", space, "link", "set", link, "up")
        time.sleep(6)
    return measure(base / "probes")


def _until_it_answers(space: str) -> None:
    for _ in range(100):
        if "boot=" in _get(space, "/"):
            return
        time.sleep(0.1)
    pytest.fail("the canary does not answer")


def _get(space: str, path: str) -> str:
    url = f"http://{GUEST}:{PORT}{path}"
    fetch = f"import urllib.request as r; print(r.urlopen('{url}', timeout=3).read().decode())"
    command = ["ip", "netns", "exec", space, sys.executable, "-c", fetch]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _name_peer(space: str) -> None:
    """Name the peer, and an address that is not of the guest's networks."""
    _get(space, f"/cgi-bin/peers?{PEER},8.8.8.8")
    time.sleep(2.5)
    word = read_word(_get(space, "/").encode(), 1e9)
    assert word.peers
    assert [peer.name for peer in word.peers] == [PEER]


def test_a_write_that_fails_is_said(tmp_path: Path) -> None:
    track = script.Track()
    track.well(10.0)
    track.ill()
    assert track.text("/srv") == "/srv:lost@10.00"
    track.well(17.5)
    assert track.text("/srv") == "/srv:ok@17.50~10.00-17.50"
    track.late(30.0)
    assert track.text("/srv") == "/srv:lost@17.50~10.00-17.50"
    (word,) = read_word(f"write={track.text(str(tmp_path))}".encode(), 31).writes
    assert (word.lost, word.last, word.past) == (True, 17.5, (10.0, 17.5))


def test_user_data_is_a_script_that_carries_the_canary(tmp_path: Path) -> None:
    said = CliRunner().invoke(
        canary, ["--user-data", "--peer", "10.0.0.5", "--write", "/srv", "--port", "8080"]
    )
    assert said.exit_code == 0
    (tmp_path / "data").write_text(said.output)
    subprocess.run(["sh", "-n", tmp_path / "data"], check=True)
    assert said.output.startswith("#!/bin/sh\n")
    assert "skipstone-canary --port 8080 --peer 10.0.0.5 --write /srv\n" in said.output
    assert Path(script.__file__).read_text() in said.output
    assert len(said.output) < 16_384  # what EC2 takes, and 64 KiB in base64 in Nova


@pytest.mark.parametrize(
    "options",
    [
        ["--peer", "10.0.0.5"],
        ["--port", "8080"],
        ["--user-data", "--peer", "x; reboot"],
        ["--user-data", "--write", "/a b"],
    ],
)
def test_what_could_not_be_said_in_the_unit_is_refused(options: list[str]) -> None:
    assert CliRunner().invoke(canary, options).exit_code == 2


def test_the_script_alone_is_printed() -> None:
    said = CliRunner().invoke(canary, [])
    assert said.output == Path(script.__file__).read_text()
    compile(said.output, "canary.py", "exec")
