"""The server is what tests take it for: a machine that boots by GRUB, from a /boot of its own, into LVM."""

import pytest

from tests.machine.server import Server

pytestmark = [pytest.mark.machine, pytest.mark.timeout(3600)]


def file_system(server: Server, path: str) -> list[str]:
    """Return device and type of what is mounted at a path, and nothing where nothing is."""
    return server.run(f"findmnt -n -o SOURCE,FSTYPE --mountpoint {path} || true").split()


def test_a_server_boots_by_its_own_boot_loader_and_boots_again(server: Server) -> None:
    assert file_system(server, "/") == ["/dev/mapper/vg-root", "ext4"]
    assert file_system(server, "/boot") == ["/dev/vda1", "ext4"]
    free = server.run("vgs --noheadings --nosuffix --units m -o vg_free vg")
    assert float(free) > 4000
    assert "BOOT_IMAGE=/vmlinuz-" in server.run("cat /proc/cmdline")
    grub = server.run("debconf-show grub-pc | sed -n 's,.*grub-pc/install_devices: ,,p'").strip()
    assert server.run(f"readlink -f {grub}").strip() == "/dev/vda"
    assert server.run("systemctl --failed --no-legend") == ""
    server.run("apt-get -q update -o APT::Update::Error-Mode=any", timeout=900)

    before = server.boot_id()
    server.run("touch /root/kept")
    server.reboot()
    assert server.boot_id() != before
    assert server.run("ls /root").split() == ["kept"]
    assert server.console().count("Linux version") == 2, "the console tells of both boots"
