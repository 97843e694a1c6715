"""A real server is kept, upgraded from Debian 12 to 13, brought back, and boots: by every way that it offers.

The upgrade is made once; each way back starts from a copy of the upgraded disk.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

import pytest

from skipstone.cloud.answer import script
from skipstone.cloud.command import Command
from skipstone.cloud.system import SYSTEM
from skipstone.steps.packages import DownloadPackages, UpgradePackages
from skipstone.steps.snapshot import DropSnapshot, TakeSnapshot
from tests.machine.disk import Disk
from tests.machine.server import Server, running_server

pytestmark = [pytest.mark.machine, pytest.mark.timeout(7200)]

COMMON = {"title": "t", "host": "server", "deadline": 3600, "estimate": 1}
APT = {"directory": "/var/lib/skipstone/p/apt", "old_suite": "bookworm", "new_suite": "trixie"}
WAYS = ("lvm", "copy")
# LVM writes down there what becomes of the volume group: that a snapshot was taken, for one
FILES = (
    "find /usr /etc -xdev \\( -name __pycache__ -o -name ld.so.cache -o -path '/etc/ssl/certs*'"
    " -o -path '/etc/lvm/archive*' \\) -prune -o -type f -print | sort"
)
STATE = (
    "cat /etc/debian_version /etc/passwd; dpkg-query -W -f '${Package} ${Version} ${db:Status-Abbrev}\\n'; "
    + FILES
)


def take(way: str) -> TakeSnapshot:
    return TakeSnapshot(
        id="take", provider=way, name=f"by-{way}", directory=f"/var/lib/skipstone/p/{way}", **COMMON
    )


def do(server: Server, command: Command | None, timeout: float = 600) -> str:
    """Run a step's script as the engine would: by sh, as root."""
    assert command
    return server.run(f"sh -c {quote(command.script)}", timeout=timeout)


@dataclass(frozen=True)
class Upgraded:
    """The disk after the upgrade, and what the server was before it."""

    disk: Disk
    before: str
    kernel: str


@pytest.fixture(scope="module")
def upgraded(disk: Disk, tmp_path_factory: pytest.TempPathFactory) -> Upgraded:
    place = tmp_path_factory.mktemp("upgrade")
    with running_server(disk, place) as server:
        assert able(server) == list(WAYS), "what discovery finds"
        do(server, DownloadPackages(id="download", **APT, **COMMON).apply(), 3600)
        before, kernel = server.run(STATE), server.run("uname -r")
        for way in WAYS:
            do(server, take(way).apply(), 1200)
            do(server, take(way).verify())
            do(server, take(way).intact())
        step = UpgradePackages(id="packages", **APT, **COMMON)
        do(server, step.apply(), 5400)
        do(server, step.verify())
        assert server.run("cat /etc/debian_version").startswith("13")
        return Upgraded(server.keep_disk(disk), before, kernel)


def able(server: Server) -> list[str]:
    """Return what discovery says can keep the server's system."""
    asked = {
        **{name: [] for name in ("sources", "packages", "units", "files", "skip", "hidden")},
        "limit": 0,
        "system": [f"/{path}" for path in SYSTEM],
    }
    said = server.run(f"sh -c {quote(script('host', json.loads(json.dumps(asked))))}")
    found: list[str] = json.loads(said)["snapshots"]
    return found


@contextmanager
def booted(upgraded: Upgraded, place: Path) -> Iterator[Server]:
    with running_server(upgraded.disk, place) as server:
        assert server.run("cat /etc/debian_version").startswith("13")
        assert server.run("uname -r") != upgraded.kernel, "it boots the new kernel"
        yield server


@pytest.mark.parametrize("way", WAYS)
def test_a_server_comes_back_and_boots_its_old_system(upgraded: Upgraded, way: str, tmp_path: Path) -> None:
    with booted(upgraded, tmp_path) as server:
        do(server, take(way).intact())
        do(server, take(way).revert(), 3600)
        do(server, take(way).revert_rest(), 3600)
        assert server.run(STATE) == upgraded.before
        server.reboot()
        assert server.run("uname -r") == upgraded.kernel
        assert server.run(STATE) == upgraded.before
        assert server.run("systemctl --failed --no-legend") == ""
        server.run("apt-get -q check")
        do(server, DropSnapshot(id="drop", provider=way, name=f"by-{way}", **COMMON).apply(), 600)
        assert f"by-{way}" not in server.run("ls /.skipstone; lvs --noheadings -o lv_name")
