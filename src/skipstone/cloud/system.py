"""Where the system of a host lies, told apart from what users have put there."""

SYSTEM = (
    *("usr", "etc", "boot", "var/cache/debconf"),
    *(
        f"var/lib/{name}"
        for name in ("apt", "dpkg", "pam", "python", "sgml-base", "systemd", "ucf", "xml-core")
    ),
    *("var/lib/mysql", "var/lib/rabbitmq", "var/lib/nova/compute_id"),
)
"""Paths below the root that belong to packages: what an upgrade changes, and a restored snapshot brings back.

A list of what to bring back, not of what to leave alone: instances' disks, images and volumes, and whatever
else an operator keeps on a host, are in no danger from a list that is too short. ``compute_id`` comes with
nova 27.0.0 (2023.1); an older nova does not know it.
"""

LIVING = ("etc/openvswitch", "etc/libvirt/qemu")
"""Paths in them that follow running instances, and stay as they are now."""
