"""What a host is: system, packages, units, configuration files, apt's state.

Argument: ``sources`` and ``packages`` (patterns: which packages matter, by source and by name), ``units``
(patterns), ``files`` (globs), ``skip`` (patterns of paths to leave out), ``hidden`` (patterns of paths whose
content stays on the host), ``limit`` (bytes of the largest text), ``system`` (paths that belong to packages).
"""

from __future__ import annotations

import fcntl
import fnmatch
import hashlib
import json
import os
import re
import shutil
import struct
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skipstone.cloud.scripts.reading import Answer, run

if TYPE_CHECKING:
    from collections.abc import Iterable

DPKG_FIELDS = "${Package}\t${Version}\t${source:Package}\t${db:Status-Want}\t${db:Status-Status}\n"
GONE = ("not-installed", "config-files")
LOCKS = ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/lib/apt/lists/lock")
FLOCK = "hhqqi4x"  # struct flock of fcntl(2), where off_t has 64 bits
APT_SOURCES = ("/etc/apt/sources.list", "/etc/apt/sources.list.d/*.list", "/etc/apt/sources.list.d/*.sources")
RENAMING = ("btrfs", "ext2", "ext3", "ext4", "f2fs", "xfs")  # where two directories can change places
SUBVOLUME = 256  # the inode of every btrfs subvolume's root; only whole subvolumes can be snapshotted
PACKAGED = ("/usr/lib/", "/lib/", "/usr/share/")  # what only packages write
KEYS = re.compile(rb"PRIVATE KEY|^\s*\d+;[0-9A-Fa-f]{32}", re.MULTILINE)  # the latter are MariaDB's own
CONFFILE_FIELDS = 2  # the path and its sum; a third says that it is out of use
UNIT_FIELDS = ("Id", "LoadState", "ActiveState", "SubState", "UnitFileState")


def system() -> dict[str, Any]:
    """Return what the kernel and os-release say; memory in bytes."""
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', Path("/etc/os-release").read_text(), re.MULTILINE))
    memory = dict(re.findall(r"^(\w+):\s+(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE))
    return {
        "os": {
            "id": release["ID"],
            "version": release.get("VERSION_ID", ""),
            "codename": release.get("VERSION_CODENAME", ""),
        },
        "boot_id": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        "kernel": os.uname().release,
        "cpus": len(os.sched_getaffinity(0)),
        "memory_total": int(memory["MemTotal"]) * 1024,
        "memory_available": int(memory["MemAvailable"]) * 1024,
    }


def filesystems() -> list[dict[str, Any]]:
    """Return the file systems that can fill up: the root, and what lies on a device; sizes in bytes."""
    found: dict[int, dict[str, Any]] = {}
    for line in Path("/proc/self/mounts").read_text().splitlines():
        device, escaped = line.split()[:2]
        mount = escaped.encode().decode("unicode_escape")
        if mount.startswith("/run/") or (
            mount != "/" and not device.startswith("/dev/") and ":" not in device
        ):
            continue
        try:
            usage, number = os.statvfs(mount), Path(mount).stat().st_dev
        except OSError:
            continue
        known = found.get(number)
        if Path(mount).is_dir() and (known is None or len(mount) < len(known["mount"])):
            size, free = usage.f_blocks * usage.f_frsize, usage.f_bavail * usage.f_frsize
            found[number] = {"mount": mount, "size": size, "free": free}
    return sorted(found.values(), key=lambda filesystem: str(filesystem["mount"]))


def snapshots(paths: list[str]) -> list[str]:
    """Return the providers that can keep these paths as they are, the quickest first."""
    sources, kinds = ({words[1]: words[which] for words in mounts()} for which in (0, 2))
    there = [path for path in paths if Path(path).exists()]
    if any(f"{path}/" in place for place in [*kinds, *subvolumes(kinds["/"])] for path in there):
        return []  # below one of them begins another file system
    holders = {max((m for m in kinds if within(path, m)), key=len) for path in there}
    alone = holders == {"/"} and not any(
        Path(path).stat().st_dev != Path("/").stat().st_dev for path in there
    )
    able = {
        "btrfs": alone
        and kinds["/"] == "btrfs"
        and Path("/").stat().st_ino == SUBVOLUME
        and shutil.which("btrfs"),
        "lvm": alone and room_for_snapshot(sources["/"]),
        "copy": all(kinds[holder] in RENAMING for holder in holders),
    }
    return [name for name, can in able.items() if can]


def mounts() -> list[list[str]]:
    """Return source, directory and kind of everything mounted, later ones over earlier ones."""
    return [line.split()[:3] for line in Path("/proc/self/mounts").read_text().splitlines()]


def within(path: str, mount: str) -> bool:
    """Whether a path is a mount point, or below it."""
    return f"{path}/".startswith(f"{mount.rstrip('/')}/")


def subvolumes(kind: str) -> list[str]:
    """Return the subvolumes of a root of btrfs, as far as one can be asked."""
    if kind != "btrfs" or not shutil.which("btrfs"):
        return []
    listed = run("btrfs", "subvolume", "list", "-o", "/").splitlines()
    return [f"/{line.split(' path ', 1)[1]}/" for line in listed]


def room_for_snapshot(source: str) -> bool:
    """Whether a volume's group has room for a snapshot that cannot run full.

    An upgrade replaces the system once, and bringing it back writes it beside itself once more.
    """
    if not shutil.which("lvs"):
        return False
    asked = ("lvs", "--nolocking", "--noheadings", "--nosuffix", "--units", "b", "--separator", ",")
    told = run(*asked, "-o", "vg_free,pool_lv", source, codes=(0, 5)).strip()  # 5: it is no logical volume
    if not told:
        return False
    free, pool = told.split(",")
    usage = os.statvfs("/")
    blocks = min(usage.f_blocks, 2 * (usage.f_blocks - usage.f_bfree))
    return bool(pool) or int(free) * 9 // 10 >= blocks * usage.f_frsize


def packages(wanted: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the packages that matter, and every one that is held or not wholly installed."""
    found = []
    for line in run("dpkg-query", "--show", "--showformat", DPKG_FIELDS).splitlines():
        name, version, source, want, status = line.split("\t")
        broken = status not in (*GONE, "installed") or want == "hold"
        matters = matching(source, wanted["sources"]) or matching(name, wanted["packages"])
        if broken or (matters and status == "installed"):
            status = "hold" if want == "hold" and status == "installed" else status
            found.append({"name": name, "version": version, "source": source, "status": status})
    return found


def installed() -> int:
    """Return the bytes that all installed packages say they take."""
    sizes = run("dpkg-query", "--show", "--showformat", "${Installed-Size}\n").split()
    return sum(map(int, sizes)) * 1024


def origins(names: list[str]) -> dict[str, str]:
    """Return package -> suite that its installed version can be had from, as apt's lists say.

    apt-cache writes its cache where it may: so it is asked as nobody, who may not.
    """
    nobody = ("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "--")
    found: dict[str, str] = {}
    name, installed = "", False
    for line in run(*nobody, "apt-cache", "policy", *names).splitlines():
        if line and not line.startswith(" "):
            name, installed = line.rstrip(":").split(":")[0], False
        elif line.startswith((" *** ", "     ")) and not line.startswith("        "):
            installed = line.startswith(" *** ")
        elif installed and line.startswith("        ") and name not in found:
            source = re.match(
                r"\s+\d+ \S+://\S+ (\S+)/", line
            )  # "500 http://mirror.example/debian bookworm/main"
            if source:
                found[name] = source[1]
    return found


def units(patterns: list[str]) -> list[dict[str, str]]:
    """Return the service units of these names, loaded or not; aliases count once."""
    patterns = [f"{pattern}.service" for pattern in patterns]
    listed = run(
        "systemctl", "list-unit-files", "--no-legend", "--no-pager", "--plain", *patterns, codes=(0, 1)
    )
    loaded = run("systemctl", "list-units", "--all", "--no-legend", "--no-pager", "--plain", *patterns)
    names = {line.split()[0] for line in (listed + loaded).splitlines() if line.strip()}
    names = {name for name in names if not name.endswith("@.service")}
    if not names:
        return []
    shown = run("systemctl", "show", "--no-pager", "--property", ",".join(UNIT_FIELDS), *sorted(names))
    found = {}
    for block in shown.strip().split("\n\n"):
        fields = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if fields["LoadState"] == "not-found":  # some other unit only names it
            continue
        name = fields["Id"].rpartition(".service")[0]
        found[name] = {
            "name": name,
            "load": fields["LoadState"],
            "active": fields["ActiveState"],
            "sub": fields["SubState"],
            "enabled": fields["UnitFileState"],
        }
    return [found[name] for name in sorted(found)]


def conffiles() -> dict[str, str]:
    """Return the configuration files of the installed packages, each with the MD5 of what the package has.

    What a package has no longer (``obsolete``) is not replaced by any.
    """
    listed = run("dpkg-query", "--show", "--showformat", "${Conffiles}\n").splitlines()
    return dict(line.split() for line in listed if len(line.split()) == CONFFILE_FIELDS)


def files(wanted: dict[str, Any], shipped: dict[str, str]) -> list[dict[str, Any]]:
    """Return the configuration files, with hash, size, and text where it may leave the host."""
    return [
        configuration(path, wanted, shipped.get(str(path)))
        for path in matches(wanted["files"])
        if path.is_file() and not matching(str(path), wanted["skip"])
    ]


def configuration(path: Path, wanted: dict[str, Any], shipped: str | None) -> dict[str, Any]:
    """Return one file; keys, binary files and very large ones give their hash only.

    ``shipped`` is the MD5 of what its package has; what a link leads to outside ``/etc`` is a package's too.
    """
    content = path.read_bytes()
    found: dict[str, Any] = {
        "path": str(path),
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
    }
    known = shipped and hashlib.md5(content, usedforsecurity=False).hexdigest()
    if (known and known == shipped) or str(path.resolve()).startswith(PACKAGED):
        found["shipped"] = True
    shown = len(content) <= wanted["limit"] and not KEYS.search(content) and b"\0" not in content
    if shown and not matching(str(path), wanted["hidden"]):
        try:
            found["text"] = content.decode()
        except UnicodeDecodeError:
            return found
    return found


def sources() -> list[dict[str, str]]:
    """Return the files that name package sources."""
    return [{"path": str(path), "text": path.read_text(errors="replace")} for path in matches(APT_SOURCES)]


def policy() -> str | None:
    """Return the content of policy-rc.d, which may forbid packages to restart services, or None."""
    path = Path("/usr/sbin/policy-rc.d")
    return path.read_text(errors="replace") if path.exists() else None


def lock_holder() -> str | None:
    """Return who holds one of apt's locks, or None; asks the kernel and takes no lock."""
    for path in filter(Path.exists, map(Path, LOCKS)):
        with path.open("rb") as file:
            asked = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, _, _, _, pid = struct.unpack(FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, asked))
        if kind != fcntl.F_UNLCK:
            return f"{process(pid)} holds {path}"
    return None


def process(pid: int) -> str:
    """Return a process as a person would name it."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return f"process {pid}"
    return f"{' '.join(words).strip()[:80]} (process {pid})"


def audit() -> str:
    """Return what ``dpkg --audit`` finds; nothing where all is well."""
    return run("dpkg", "--audit", codes=(0, 1)).strip()


def matches(patterns: Iterable[str]) -> list[Path]:
    """Return what exists under these absolute globs, each once, in order."""
    return sorted({path for pattern in patterns for path in Path("/").glob(pattern.lstrip("/"))})


def matching(text: str, patterns: list[str]) -> bool:
    """Whether a text matches one of the shell patterns."""
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)


def main(argument: str) -> None:
    """Answer everything about this host."""
    answer, wanted = Answer(), json.loads(argument)
    answer.ask("clock_start", time.time)
    answer.ask("system", system)
    answer.ask("filesystems", filesystems)
    answer.ask("snapshots", lambda: snapshots(wanted["system"]))
    answer.ask("installed", installed)
    found = answer.ask("packages", lambda: packages(wanted)) or []
    answer.ask("origins", lambda: origins([package["name"] for package in found]))
    answer.ask("units", lambda: units(wanted["units"]))
    shipped = answer.attempt("conffiles", conffiles) or {}
    answer.ask("files", lambda: files(wanted, shipped))
    answer.ask("apt_sources", sources)
    answer.ask("policy_rc_d", policy)
    answer.ask("apt_lock_holder", lock_holder)
    answer.ask("dpkg_audit", audit)
    answer.ask("clock_end", time.time)
    answer.write()


if __name__ == "__main__":
    main(sys.argv[1])
