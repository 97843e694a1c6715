"""What a Debian suite brings besides OpenStack: the servers that are upgraded with the operating system."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Suite(NamedTuple):
    """Upstream versions of the servers in one suite."""

    mariadb: str
    rabbitmq: str
    libvirt: str
    qemu: str


SUITES: Mapping[str, Suite] = MappingProxyType(
    {
        "bullseye": Suite(mariadb="10.5", rabbitmq="3.8", libvirt="7.0", qemu="5.2"),
        "bookworm": Suite(mariadb="10.11", rabbitmq="3.10", libvirt="9.0", qemu="7.2"),
        "trixie": Suite(mariadb="11.8", rabbitmq="4.0", libvirt="11.3", qemu="10.0"),
    }
)
"""Read from the suites' package lists in November 2026. A suite that still moves (sid) is left out."""

ORDER = ("buster", "bullseye", "bookworm", "trixie", "forky", "duke")
"""Debian's releases, oldest first."""
