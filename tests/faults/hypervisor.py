"""A hypervisor of one machine: real processes in namespaces of their own, and a disk that is a directory.

The machine has its own ``/var/lib``, so its own jobs; what runs in it dies with it. The hook is a program as
an operator would write it.
"""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.unit.cloud.sshd import Sshd, running_sshd

NAME = "h1"

POWER_ON = """\
#!/bin/sh
# Boots the machine, which lives as long as this process: "$@" is what it runs.
set -eu
cd "$(dirname "$0")"
echo $$ > pid
exec unshare --mount --pid --fork --kill-child --mount-proc sh -euc '
    mount --bind disk/var-lib /var/lib
    if [ -d /run/systemd ]; then mount -t tmpfs none /run/systemd; fi
    exec "$@"
' boot "$@"
"""

HOOK = """\
#!/bin/sh
# hook VERB MACHINE SNAPSHOT
set -eu
cd "$(dirname "$0")"
echo "$*" >> calls
kept=kept-$2-$3
if [ -e "disturbed-$1" ]; then . "./disturbed-$1"; fi
bring_back() {
    kill -9 "$(cat pid)"
    rm -rf disk
    cp -a "$kept" disk
    sleep 1
    exec setsid ./power-on $(cat boot-command)
}
case $1 in
    take) mkdir "$kept" && cp -a disk/. "$kept" && cat /proc/sys/kernel/random/uuid > "$kept.id" ;;
    show) cat "$kept.id" ;;
    restore) test -e "$kept" && bring_back > /dev/null 2>&1 & sleep 0.5 ;;
    drop) rm -rf "$kept" "$kept.id" ;;
    *) exit 2 ;;
esac
"""


@dataclass(frozen=True)
class Machine:
    """The running machine; ``disk`` is what goes back."""

    place: Path
    sshd: Sshd

    @property
    def disk(self) -> Path:
        return self.place / "disk"

    @property
    def hook(self) -> Path:
        return self.place / "hook"

    @property
    def inventory(self) -> str:
        return (
            f"name: toycloud\nssh_config: {self.sshd.config}\nhosts:\n  {NAME}:\n    groups: [control]\n"
            f"    address: 127.0.0.1\n    port: {self.sshd.port}\n    user: root\n"
            f"    key_file: {self.sshd.key}\n    snapshots: hook\n    snapshot_hook: {self.hook}\n"
        )

    def install(self) -> None:
        """Put the hook in its place, as an operator does."""
        self.hook.write_text(HOOK)
        self.hook.chmod(0o755)

    def calls(self, verb: str) -> int:
        """Return how often the hook was called with a verb."""
        return sum(line.split()[0] == verb for line in (self.place / "calls").read_text().splitlines())

    def disturb(self, verb: str, script: str) -> None:
        """Let the hook run some shell lines first, whenever it is called with a verb."""
        (self.place / f"disturbed-{verb}").write_text(script)

    def content(self) -> dict[str, str]:
        """Return what users have on the disk: the files of ``data``."""
        return {path.name: path.read_text() for path in (self.disk / "data").iterdir()}


@contextmanager
def running_machine(place: Path) -> Iterator[Machine]:
    """Boot a machine whose disk holds one file of data."""
    (place / "disk" / "var-lib").mkdir(parents=True)
    (place / "disk" / "data").mkdir()
    (place / "disk" / "data" / "first").write_text("as it was\n")
    for name, text in (("power-on", POWER_ON), ("hook", HOOK)):
        (place / name).write_text(text)
        (place / name).chmod(0o755)
    try:
        with running_sshd(place, within=(str(place / "power-on"),)) as sshd:
            boot = [str(part) for part in sshd.process.args][1:]  # type: ignore[union-attr]
            (place / "boot-command").write_text(" ".join(boot))
            yield Machine(place, sshd)
    finally:
        with suppress(OSError, ValueError):
            os.kill(int((place / "pid").read_text()), signal.SIGKILL)
        for kept in place.glob("kept-*"):
            shutil.rmtree(kept, ignore_errors=True)
