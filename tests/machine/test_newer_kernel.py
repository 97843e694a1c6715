"""A newer kernel goes with the system that it came with: the way back without the hour that an upgrade takes.

The newer kernel is the old one under a later version; the boot loader takes it for what it seems to be.
"""

from pathlib import Path

import pytest

from tests.machine.disk import Disk
from tests.machine.server import running_server
from tests.machine.test_way_back import STATE, do, take

pytestmark = [pytest.mark.machine, pytest.mark.timeout(3600)]

NEWER = "9.9.0-9-cloud-amd64"
BRING = f"""\
set -eu
old=$(uname -r)
for name in vmlinuz initrd.img config System.map; do cp -a /boot/$name-$old /boot/$name-{NEWER}; done
cp -a /usr/lib/modules/$old /usr/lib/modules/{NEWER}
echo newer > /etc/newer
update-grub
"""


def test_it_goes_and_the_old_one_boots(disk: Disk, tmp_path: Path) -> None:
    with running_server(disk, tmp_path) as server:
        before, kernel = server.run(STATE), server.run("uname -r")
        do(server, take("lvm").apply(), 1200)
        server.run(BRING, timeout=600)
        assert NEWER in server.run("cat /boot/grub/grub.cfg")
        do(server, take("lvm").revert(), 3600)
        server.reboot()  # a loss of power before the boot loader knows: what it names has all of its files
        do(server, take("lvm").revert_rest(), 3600)
        assert server.run(STATE) == before
        assert server.run("systemctl is-active dm-event").strip() == "active", "it watches over the snapshot"
        assert NEWER not in server.run("cat /boot/grub/grub.cfg; ls /boot /usr/lib/modules")
        server.reboot()
        assert server.run("uname -r") == kernel
        assert server.run("systemctl --failed --no-legend") == ""
