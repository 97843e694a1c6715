"""The scripts that look for what a failed migration has left, run by a real shell beside a false virsh."""

import asyncio
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from skipstone.cloud.command import Command, Outcome, Result
from skipstone.drain.leftover import Leftover, find, put_aside

UUID = "b46a18db-ed46-4045-83d4-175d02cc195d"

VIRSH = """#!/bin/sh
case "$*" in
*dumpxml*) cat "$PLACE/$HOST_NAME.xml" ;;
*) cat "$PLACE/$HOST_NAME.guests" ;;
esac
"""


@dataclass(frozen=True)
class TwoHosts:
    """Runs a host's script here; ``place`` has each host's guests and their definitions."""

    place: Path
    file_system: str = "ext2/ext3"

    async def run(self, command: Command, *, deadline: float) -> Outcome:
        more = {"PLACE": str(self.place), "HOST_NAME": command.host, "FILE_SYSTEM": self.file_system}
        environment = os.environ | more | {"PATH": f"{self.place}:{os.environ['PATH']}"}
        done = await asyncio.to_thread(
            subprocess.run,
            ["sh", "-s"],
            input=command.stdin,
            env=environment,
            capture_output=True,
            check=False,
            timeout=deadline,
        )
        return Outcome(Result.EXITED, done.returncode, done.stdout.decode(), done.stderr.decode(), 0.0)


@pytest.fixture
def hosts(tmp_path: Path) -> TwoHosts:
    """``there`` has the guest, ``here`` its directory."""
    for name, script in (("virsh", VIRSH), ("stat", '#!/bin/sh\necho "$FILE_SYSTEM"\n')):
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    disk, log = (f"{directory(tmp_path)}/{name}" for name in ("disk", "console.log"))
    (tmp_path / "there.xml").write_text(
        f"<uuid>{UUID}</uuid>\n<source file='{disk}'/><log file='{log}'/>\n<source dev='/dev/sdb'/>\n"
    )
    (tmp_path / "there.guests").write_text(f"{UUID}\n")
    (tmp_path / "here.guests").write_text("7b0c2a3e-0000-4000-8000-000000000000\n\n")
    directory(tmp_path).mkdir(parents=True)
    (directory(tmp_path) / "disk").write_text("an old copy")
    return TwoHosts(tmp_path)


def directory(place: Path) -> Path:
    return place / "all instances" / UUID


def found(hosts: TwoHosts) -> Leftover | None:
    return asyncio.run(find(hosts, "there", "here", UUID))


def test_a_directory_without_its_guest_is_found_and_put_aside_once(hosts: TwoHosts) -> None:
    leftover = found(hosts)
    assert leftover == Leftover("here", UUID, str(directory(hosts.place)))
    for _ in range(2):
        asyncio.run(put_aside(hosts, leftover, 3))
    (aside,) = directory(hosts.place).parent.iterdir()
    assert aside.name == f"{UUID}.left-by-migration-3"
    assert (aside / "disk").read_text() == "an old copy"
    assert found(hosts) is None


def test_what_both_hosts_may_have_is_left_alone(hosts: TwoHosts) -> None:
    for shared in ("nfs", "ceph", "fuseblk", "gfs/gfs2", ""):
        assert found(TwoHosts(hosts.place, shared)) is None
    asyncio.run(
        put_aside(TwoHosts(hosts.place, "nfs"), Leftover("here", UUID, str(directory(hosts.place))), 3)
    )
    assert directory(hosts.place).exists()


def test_the_directory_of_a_guest_that_is_there_is_left_alone(hosts: TwoHosts) -> None:
    (hosts.place / "here.guests").write_text(f"{UUID}\n")
    assert found(hosts) is None
    asyncio.run(put_aside(hosts, Leftover("here", UUID, str(directory(hosts.place))), 3))
    assert directory(hosts.place).exists()


def test_a_host_whose_libvirt_does_not_answer_is_left_alone(hosts: TwoHosts) -> None:
    (hosts.place / "here.guests").unlink()
    assert found(hosts) is None


def test_a_guest_without_files_has_none_left(hosts: TwoHosts) -> None:
    (hosts.place / "there.xml").write_text(
        f"<uuid>{UUID}</uuid>\n<source protocol='rbd' name='vms/{UUID}_disk'/>\n"
    )
    assert found(hosts) is None
