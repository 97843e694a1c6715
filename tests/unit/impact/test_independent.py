"""The probes against logs that know nothing of them: ``ping``'s of a link, a server's own of its stops."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from skipstone.impact.measurement import measure
from skipstone.impact.process import start_probes, stop_probes
from skipstone.impact.spec import InstanceTarget, ProbeSpec
from tests.unit.impact.fake_cloud import FakeCloud
from tests.unit.impact.test_prober import spec_of

pytestmark = pytest.mark.real

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("ip", "ping"))),
    reason="needs root, iproute2 and iputils-ping",
)

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


@needs_root
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


SERVER = """
import http.server, signal, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"boot=0f3c7a1e-of-the-server tick=1 up=%.2f" % time.monotonic()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        print("served", time.time(), flush=True)

    def log_message(self, *words):
        pass

class Server(http.server.ThreadingHTTPServer):
    allow_reuse_address = True

server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
server.serve_forever()
"""


def stopped_twice(spec: ProbeSpec, base: Path) -> list[float]:
    """Probe a server that is killed and started again, twice; return when it served, by its own log."""
    command = [sys.executable, "-c", SERVER, str(spec.boot_port)]
    with (base / "server.log").open("a") as out:
        server = subprocess.Popen(command, stdout=out)
        try:
            until_it_serves(spec.boot_port)
            start_probes(spec, base / "probes")
            for down in (1.5, 3.0):
                time.sleep(2)
                server.kill()
                server.wait()
                time.sleep(down)
                server = subprocess.Popen(command, stdout=out)
            time.sleep(3)
            stop_probes(base / "probes")
        finally:
            server.kill()
            server.wait()
    return [float(line.split()[1]) for line in (base / "server.log").read_text().splitlines()]


def test_a_server_that_is_stopped_is_out_for_as_long_as_its_own_log_says(
    cloud: FakeCloud, tmp_path: Path
) -> None:
    port, target = free_port(), InstanceTarget(id="s", name="server", address="127.0.0.1")
    spec = spec_of(
        cloud, tmp_path, apis=(), instances=(target,), boot_interval=0.1, boot_port=port, tcp_port=port
    )
    times = stopped_twice(spec, tmp_path)
    (found,) = measure(tmp_path / "probes").instances
    assert found.boot
    assert found.tcp
    silences = sorted((after - before for before, after in pairwise(times)), reverse=True)[:2]
    outages = sorted((one.seconds for one in found.boot.outages), reverse=True)
    sys.stdout.write(f"server: {silences}; probes: {outages}; TCP: {found.tcp.longest:.2f}\n")
    assert outages == pytest.approx(silences, abs=0.3)
    assert silences[0] > 3.0
    assert silences[1] > 1.5
    # every good reply is in the server's log; it may have given one more to whoever waited for it to start
    good = found.boot.asked - found.boot.bad
    assert good == pytest.approx(len(times), abs=8)
    # a connection is made before anything is served, and is refused as soon as nobody listens
    assert [one.ended for one in found.tcp.outages] == [True, True]
    assert found.tcp.longest == pytest.approx(silences[0], abs=0.5)
    reasons = {reason for one in found.tcp.outages for reason in one.reasons}
    assert reasons == {"connection refused"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def until_it_serves(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the server does not serve")
