"""What makes a compute host itself, as a tar archive on standard output; run before it is installed anew.

Arguments: the directory of ours on the host, and as JSON ``files`` (globs below the root) and ``units``
(patterns). A file is kept unless its package ships it as it is: the target's package then brings its own.
Beside the files ``facts.json`` has accounts with their numbers, the state of units, mounts of disks,
and what Open vSwitch was told.

The directory gets a mark: where it is seen again, the system is still the old one.
"""

from __future__ import annotations

import grp
import hashlib
import io
import json
import pwd
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

ACCOUNTS = ("nova", "neutron", "libvirt-qemu", "ceph", "openvswitch")
GROUPS = ("nova", "neutron", "libvirt", "libvirt-qemu", "kvm", "ceph", "openvswitch")
INSTANCES = "/var/lib/nova"
VOLUMES = "/var/lib/nova/mnt/"  # nova mounts there by itself what volumes of instances need
COMMON = 2  # directories of so few parts (/etc, /root) are everybody's
OURS = "90-skipstone-blocked.conf"  # what keeps units from starting is of the moment
LIMIT = 64 << 20
TABLES = ("Open_vSwitch", "Bridge", "Port", "Interface")


def run(*argv: str) -> str:
    """Return what a program prints; what it cannot find is no error."""
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


def chosen(root: Path, globs: list[str]) -> list[Path]:
    """Return the files and links under these globs that their packages do not ship as they are."""
    found = {path for glob in globs for path in root.glob(glob) if path.is_symlink() or path.is_file()}
    paths = sorted(path for path in found if path.name != OURS and not mask(path))
    conffiles, owned = shipped(), of_packages([str(path) for path in paths])
    return [path for path in paths if ours(path, conffiles.get(str(path)), owned=str(path) in owned)]


def mask(path: Path) -> bool:
    """Whether a file is what systemctl has made of a unit's state: that comes back by its own word."""
    return path.is_symlink() and str(path.parent) == "/etc/systemd/system"


def directories(paths: list[Path]) -> list[Path]:
    """Return the directories of some files that are the services' own, for their owners and modes."""
    found = {parent for path in paths for parent in path.parents if len(parent.parts) > COMMON}
    return sorted(one for one in found if str(one) not in ("/var/lib", "/usr/share", "/usr/local"))


def ours(path: Path, sums: set[str] | None, *, owned: bool) -> bool:
    """Whether somebody has made or changed a file; ``sums`` are what packages ship of it."""
    if sums is None:
        return not owned
    return path.is_symlink() or hashlib.md5(path.read_bytes()).hexdigest() not in sums  # noqa: S324 - dpkg's


def shipped() -> dict[str, set[str]]:
    """Return the sums with which dpkg and ucf have put configuration files in their places."""
    found: dict[str, set[str]] = {}
    for line in run("dpkg-query", "--show", "--showformat", "${Conffiles}\n").splitlines():
        words = line.split()
        if len(words) >= 2:
            found.setdefault(words[0], set()).add(words[1])
    known = Path("/var/lib/ucf/hashfile")
    for line in known.read_text().splitlines() if known.exists() else ():
        total, _, path = line.partition("  ")
        found.setdefault(path.strip(), set()).add(total)
    return found


def of_packages(paths: list[str]) -> set[str]:
    """Return those of some paths that belong to a package."""
    return {line.partition(": ")[2] for line in run("dpkg-query", "--search", *paths).splitlines()}


def accounts() -> dict[str, Any]:
    """Return the services' users and groups, with their numbers."""
    users = [one for one in pwd.getpwall() if one.pw_name in ACCOUNTS]
    names = {*GROUPS, *(grp.getgrgid(one.pw_gid).gr_name for one in users)}
    groups = [[one.gr_name, one.gr_gid, one.gr_mem] for one in grp.getgrall() if one.gr_name in names]
    return {
        "users": [
            {
                "name": one.pw_name,
                "uid": one.pw_uid,
                "group": grp.getgrgid(one.pw_gid).gr_name,
                "home": one.pw_dir,
                "shell": one.pw_shell,
            }
            for one in users
        ],
        "groups": [{"name": name, "gid": gid, "members": members} for name, gid, members in groups],
    }


def units(patterns: list[str]) -> dict[str, str]:
    """Return which units somebody has enabled, disabled or masked."""
    asked = [f"{pattern}.{kind}" for pattern in patterns for kind in ("service", "socket", "timer")]
    lines = run("systemctl", "list-unit-files", "--no-legend", "--no-pager", "--plain", *asked).splitlines()
    states = (line.split()[:2] for line in lines if len(line.split()) >= 2)
    return {name: state for name, state in states if state in ("enabled", "disabled", "masked")}


def mounts() -> list[str]:
    """Return what is mounted where instances have their disks."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    places = (line.split()[1].encode().decode("unicode_escape") for line in lines)
    found = {place for place in places if f"{place}/".startswith(f"{INSTANCES}/")}
    return sorted(place for place in found if not place.startswith(VOLUMES))


def switch() -> dict[str, Any]:
    """Return what Open vSwitch was told, by table; nothing where it is not there."""
    if not shutil.which("ovs-vsctl"):
        return {}
    asked = ("ovs-vsctl", "--timeout=30", "--format=json", "list")
    return {table: json.loads(run(*asked, table) or '{"headings": [], "data": []}') for table in TABLES}


def facts(asked: dict[str, Any]) -> dict[str, Any]:
    """Return all that is kept beside the files."""
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', Path("/etc/os-release").read_text(), re.MULTILINE))
    return {
        "codename": release.get("VERSION_CODENAME", ""),
        "boot_id": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        "accounts": accounts(),
        "units": units(asked["units"]),
        "mounts": mounts(),
        "switch": switch(),
    }


def main(directory: str, argument: str) -> None:
    """Write the archive."""
    asked = json.loads(argument)
    paths = chosen(Path("/"), asked["files"])
    size = sum(path.lstat().st_size for path in paths)
    if size > LIMIT:
        raise SystemExit(f"the configuration has {size >> 20} MiB, which is not only configuration")
    Path(directory).mkdir(mode=0o700, parents=True, exist_ok=True)
    (Path(directory) / "old-system").touch()
    text = json.dumps(facts(asked)).encode()
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|gz", format=tarfile.PAX_FORMAT) as archive:
        told = tarfile.TarInfo("facts.json")
        told.size, told.mode = len(text), 0o600
        archive.addfile(told, io.BytesIO(text))
        for path in [*directories(paths), *paths]:
            archive.add(path, str(path).lstrip("/"), recursive=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
