"""Where the system of a host lies, told apart from what users have put there."""

SYSTEM = (
    *("usr", "etc", "var/cache/debconf"),
    *(
        f"var/lib/{name}"
        for name in ("apt", "dpkg", "pam", "python", "sgml-base", "systemd", "ucf", "xml-core")
    ),
    *("var/lib/mysql", "var/lib/rabbitmq"),
)
"""Directories below the root that belong to packages: what an upgrade changes, and a snapshot brings back.

A list of what to bring back, not of what to leave alone: instances' disks, images and volumes, and whatever
else an operator keeps on a host, are in no danger from a list that is too short.
"""

LOOSE = ("var/lib/nova/compute_id",)
"""Files that an upgrade adds to directories of users' data; ``compute_id`` is of nova 27.0.0 (2023.1)."""

KEPT = ".skipstone"
"""Directory below the root for snapshots, and for the copies that change places with the system."""

BTRFS, LVM, COPY = "btrfs", "lvm", "copy"
"""Providers that discovery looks for (``steps/providers.py``)."""

HOOK = "hook"
"""Provider of hosts that are virtual machines, kept whole by whoever runs them (``steps/machine.py``)."""

LIVING = ("etc/openvswitch", "etc/libvirt/qemu")
"""Paths in them that follow running instances, and stay as they are now."""
