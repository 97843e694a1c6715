"""Whether this machine can carry a lab: asked before anything is touched, every obstacle told at once."""

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

from skipstone.errors import InputError
from skipstone.lab.place import Place
from skipstone.lab.program import run
from skipstone.lab.topology import Topology

GIB = 1024**3
DISK_BYTES = 12 * GIB  # images 3, golden cloud and hosts 2, an upgrade 4, packages and spare 3
# program -> Debian package
TOOLS = {
    "btrfs": "btrfs-progs", "ethtool": "ethtool", "ip": "iproute2", "mcopy": "mtools",
    "mkfs.vfat": "dosfstools", "mmdebstrap": "mmdebstrap", "nft": "nftables", "nsenter": "util-linux",
    "qemu-img": "qemu-utils",
    "ssh-keygen": "openssh-client", "syslinux": "syslinux", "systemd-nspawn": "systemd-container",
}  # fmt: skip
DEVICES = {"/dev/net/tun": "modprobe tun", "/dev/loop-control": "modprobe loop"}


@dataclass(frozen=True)
class Obstacle:
    """One reason why the lab cannot be here, and what to do about it."""

    what: str
    remedy: str


def refuse_obstacles(place: Place, topology: Topology, *, running: bool) -> None:
    """Raise InputError naming every obstacle.

    ``running`` says that the lab is up, so that its own memory and addresses are in use.
    """
    obstacles = [*missing_rights(), *missing_tools(), *missing_devices(), *lack_of_disk(place)]
    if not running:
        obstacles += lack_of_memory(topology.memory * GIB)
        obstacles += taken_addresses(topology, place.tag)
    if obstacles:
        raise InputError(
            "this machine cannot carry the lab",
            evidence="\n".join(obstacle.what for obstacle in obstacles),
            remedy="\n".join(dict.fromkeys(obstacle.remedy for obstacle in obstacles)),
        )


def missing_rights(user: int | None = None) -> Iterable[Obstacle]:
    """Tell when the user is not root."""
    if (os.geteuid() if user is None else user) != 0:
        yield Obstacle("not root: hosts, mounts and bridges need it", "run it as root, or with sudo")


def missing_tools(tools: dict[str, str] | None = None) -> Iterable[Obstacle]:
    """Tell which programs are missing."""
    wanted = TOOLS if tools is None else tools
    missing = {tool: package for tool, package in wanted.items() if shutil.which(tool) is None}
    if missing:
        packages = " ".join(sorted(set(missing.values())))
        yield Obstacle(
            f"programs missing: {', '.join(missing)}",
            f"tools/prepare-machine lab (or: apt-get install {packages})",
        )


def missing_devices(devices: dict[str, str] | None = None) -> Iterable[Obstacle]:
    """Tell which devices of the kernel are missing."""
    for device, remedy in (DEVICES if devices is None else devices).items():
        if not Path(device).exists():
            yield Obstacle(f"no {device}", remedy)


def lack_of_disk(place: Place, needed: int = DISK_BYTES) -> Iterable[Obstacle]:
    """Tell when the file system under the place is too full; what the lab already has counts."""
    folder = next(path for path in (place.root, *place.root.parents) if path.exists())
    own = place.disk_image.stat().st_blocks * 512 if place.disk_image.exists() else 0
    free = shutil.disk_usage(folder).free + own
    if free < needed:
        yield Obstacle(
            f"{free / GIB:.1f} GiB free under {folder}, {needed / GIB:.0f} GiB needed",
            "free some, or set SKIPSTONE_LAB_DIR to a larger file system",
        )


def lack_of_memory(needed: int, meminfo: Path = Path("/proc/meminfo")) -> Iterable[Obstacle]:
    """Tell when too little memory is available."""
    fields = dict(line.split(":") for line in meminfo.read_text().splitlines())
    available = int(fields["MemAvailable"].split()[0]) * 1024
    if available < needed:
        yield Obstacle(
            f"{available / GIB:.1f} GiB of memory available, {needed / GIB:.0f} GiB needed",
            "end other programs, or use a larger machine",
        )


def taken_addresses(topology: Topology, tag: str) -> Iterable[Obstacle]:
    """Tell when this machine already uses an address range of the topology, other than for this lab."""
    addresses = json.loads(run("ip", "-json", "-4", "address", "show"))
    routes = json.loads(run("ip", "-json", "-4", "route", "show"))
    used = [
        (link["ifname"], IPv4Interface(f"{entry['local']}/{entry['prefixlen']}").network)
        for link in addresses
        for entry in link.get("addr_info", [])
    ]
    used += [
        (route.get("dev", "a route"), IPv4Network(route["dst"]))
        for route in routes
        if route["dst"] != "default"
    ]
    yield from overlaps(
        topology, [(name, network) for name, network in used if not name.startswith(f"{tag}-")]
    )


def overlaps(topology: Topology, used: Iterable[tuple[str, IPv4Network]]) -> Iterable[Obstacle]:
    """Tell which used networks overlap those of the topology."""
    for name, network in dict.fromkeys(used):
        for wanted in (topology.management.network, topology.provider.network):
            if network.overlaps(wanted):
                yield Obstacle(
                    f"{name} already uses {network}, the lab needs {wanted}",
                    f"take {name} down (another lab? its SKIPSTONE_LAB_DIR=... skipstone lab down)",
                )
