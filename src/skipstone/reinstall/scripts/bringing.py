"""What makes a compute host itself, brought back to a system that was installed anew.

Arguments: what to do, and the directory of ours on the host, where ``identity.tar.gz`` (``keeping.py`` made
it) and ``wanted.json`` lie: ``codename`` is the system that must be there, ``compute_id`` the node's UUID in
nova.

``restore`` comes before the packages, so that their scripts find users with the numbers of before and the
configuration; ``settle`` after them, for they write into it. Both can be repeated.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

COMPUTE_ID = Path("/var/lib/nova/compute_id")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
SOURCES = ("etc/apt/sources.list", "etc/apt/sources.list.d")
MADE = ("patch", "vxlan", "gre", "geneve", "tap")  # ports of these kinds are neutron's and nova's
SET_COLUMNS = {
    "Open_vSwitch": ("external_ids", "other_config"),
    "Bridge": ("datapath_type", "stp_enable", "rstp_enable", "other_config", "external_ids"),
    "Port": ("tag", "trunks", "vlan_mode", "bond_mode", "lacp", "other_config", "external_ids"),
    "Interface": ("type", "options", "other_config", "mtu_request", "external_ids"),
}
AGENTS_BRIDGES = ("br-int", "br-tun")  # neutron's agent makes them as it wants them
SWITCH_OWN = ("hostname", "rundir", "ovn-installed", "ovn-installed-ts")  # the switch says these itself


def say(what: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def run(*argv: str) -> None:
    """Run a program; exit with its words where it fails."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(argv[:6])} failed with {done.returncode}: {done.stdout.strip()[-600:]}")


def write(path: Path, text: str, *, mode: int = 0o600, owner: str = "root") -> None:
    """Write a file, whole or not at all, also where power is lost."""
    part = path.with_name(f"{path.name}.part")
    with part.open("w") as file:
        file.write(text)
        file.flush()
        shutil.chown(part, owner, owner)
        part.chmod(mode)
        os.fsync(file.fileno())
    part.replace(path)
    os.sync()


def number(kind: str, name: str) -> str:
    """Return the number of a user or group by its name, or its name by its number; "" where there is none."""
    done = subprocess.run(["getent", kind, name], stdout=subprocess.PIPE, text=True, check=False)
    fields = done.stdout.split(":")
    return (fields[0] if name.isdigit() else fields[2]) if len(fields) > 2 else ""


class Identity:
    """What is brought back, and where from."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.archive = str(directory / "identity.tar.gz")
        self.wanted: dict[str, Any] = json.loads((directory / "wanted.json").read_text())
        run("tar", "--extract", "--gzip", f"--file={self.archive}", f"--directory={directory}", "facts.json")
        self.facts: dict[str, Any] = json.loads((directory / "facts.json").read_text())

    def restore(self) -> None:
        """Bring accounts and files back; print whether the host has to boot for it."""
        self.expect_new()
        done = self.directory / "restored"
        if not done.exists():
            self.bring_accounts()
            self.put_sources_aside()
            self.extract()
            trust()
            os.sync()
            write(done, BOOT_ID.read_text())
        say("boot" if done.read_text() == BOOT_ID.read_text() else "booted")

    def expect_new(self) -> None:
        """Exit where this is the old system, or another one than was wanted."""
        said = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', Path("/etc/os-release").read_text(), re.MULTILINE))
        found = said.get("VERSION_CODENAME", "unknown")
        old = (self.directory / "old-system").exists() or self.facts["boot_id"] == BOOT_ID.read_text().strip()
        if old:
            raise SystemExit("this is the old system: the hook has installed nothing")
        if found != self.wanted["codename"]:
            raise SystemExit(f"the hook has installed {found}, and not {self.wanted['codename']}")

    def bring_accounts(self) -> None:
        """Make the services' users and groups, with the numbers that they had where these are free."""
        for group in self.facts["accounts"]["groups"]:
            self.bring("group", group["name"], str(group["gid"]), ("groupadd", "--system"), "--gid")
        for user in self.facts["accounts"]["users"]:
            more = ("--gid", user["group"], "--home-dir", user["home"], "--shell", user["shell"])
            make = ("useradd", "--system", "--no-create-home", *more)
            self.bring("passwd", user["name"], str(user["uid"]), make, "--uid")

    def bring(self, kind: str, name: str, wanted: str, make: tuple[str, ...], option: str) -> None:
        """Make one account; exit where it cannot have its number, and instances' disks may be shared."""
        if number(kind, name) == wanted:
            return
        holder = number(kind, wanted)
        if not number(kind, name):
            run(*make, *(() if holder else (option, wanted)), name)
        if number(kind, name) != wanted:
            why = f"{name} had the number {wanted}, which {holder or 'nobody'} has here"
            if self.facts["mounts"] and kind == "passwd":
                places = ", ".join(self.facts["mounts"])
                raise SystemExit(
                    f"{why}; files on {places} would not be its own: let the image have them alike"
                )
            say(f"{why}; it has {number(kind, name)} now")

    def put_sources_aside(self) -> None:
        """Take the image's own package sources away: those of before come back, also in a further attempt."""
        aside = self.directory / "of-image"
        for place in (Path("/") / name for name in SOURCES):
            kept = aside / place.relative_to("/")
            if place.exists() and not kept.exists():
                kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                part = kept.with_name(f"{kept.name}.part")
                run("rm", "-rf", str(part))
                run("cp", "-a", str(place), str(part))
                part.replace(kept)
            run("rm", "-rf", str(place))
        Path("/etc/apt/sources.list.d").mkdir(mode=0o755, exist_ok=True)

    def extract(self, *options: str) -> None:
        """Put every file in its place, with owner (by name), mode and time: keys of sshd's are among them."""
        run("tar", "--extract", "--gzip", f"--file={self.archive}", "--directory=/", "--same-permissions",
            "--same-owner", "--exclude=facts.json", *options)  # fmt: skip
        os.sync()

    def settle(self, libvirt: str) -> None:
        """Bring back what packages were needed for, and see that what instances need is there."""
        self.expect_mounts()
        self.extract("--exclude=etc/apt")
        trust()
        self.bring_members()
        self.bring_compute_id()
        self.bring_units(libvirt.split(","))
        self.bring_switch()

    def expect_mounts(self) -> None:
        """Exit where something was mounted that is not mounted now."""
        lost = [place for place in self.facts["mounts"] if not Path(place).is_mount()]
        if lost:
            raise SystemExit(
                f"mounted before, and not now: {', '.join(lost)}. Mount it (/etc/fstab), then resume"
            )

    def bring_members(self) -> None:
        """Let users be in the groups in which they were, where both are there."""
        for group in self.facts["accounts"]["groups"]:
            for member in group["members"]:
                if number("group", group["name"]) and number("passwd", member):
                    run("gpasswd", "--add", member, group["name"])

    def bring_compute_id(self) -> None:
        """Write the node's UUID, where the old release had no file of it: nova starts under no other."""
        if not COMPUTE_ID.exists():
            write(COMPUTE_ID, f"{self.wanted['compute_id']}\n", mode=0o640, owner="nova")
        if COMPUTE_ID.read_text().strip() != self.wanted["compute_id"]:
            raise SystemExit(
                f"{COMPUTE_ID} does not have {self.wanted['compute_id']}, which nova has of this host"
            )

    def bring_units(self, libvirt: list[str]) -> None:
        """Let units be enabled, disabled or masked as they were, and start libvirt with its sockets."""
        run("systemctl", "daemon-reload")
        sockets = [
            unit for unit in self.facts["units"] if unit.startswith("libvirtd") and unit.endswith(".socket")
        ]
        for unit in (*libvirt, *sockets):
            subprocess.run(["systemctl", "--quiet", "stop", unit], stderr=subprocess.DEVNULL, check=False)
        for verb, state in (("enable", "enabled"), ("disable", "disabled"), ("mask", "masked")):
            for unit in (name for name, found in self.facts["units"].items() if found == state):
                known = subprocess.run(["systemctl", "cat", unit], capture_output=True, check=False)
                if known.returncode == 0:
                    run("systemctl", "--quiet", verb, unit)
        for unit in sockets:
            if self.facts["units"][unit] == "enabled":
                run("systemctl", "start", unit)
        run("systemctl", "restart", *libvirt)
        run("virsh", "--connect", "qemu:///system", "list")

    def bring_switch(self) -> None:
        """Tell Open vSwitch what it was told."""
        if self.facts["switch"]:
            run("systemctl", "start", "openvswitch-switch")
            for command in commands(self.facts["switch"]):
                run("ovs-vsctl", "--timeout=30", *command)
                say(f"ovs-vsctl {' '.join(command[:5])}")


def trust() -> None:
    """Let the system trust the certificates that came back."""
    if shutil.which("update-ca-certificates"):
        run("update-ca-certificates")


def commands(tables: dict[str, Any]) -> Iterator[list[str]]:
    """Give the arguments of ovs-vsctl that make bridges, ports and bonds again, as often as one likes.

    Neutron's agents make their own bridges, tunnels and patches; ports of instances come with these.
    """
    rows = {
        name: [dict(zip(table["headings"], row)) for row in table["data"]] for name, table in tables.items()
    }
    ports = {plain(port["_uuid"]): port for port in rows["Port"]}
    interfaces = {plain(one["_uuid"]): one for one in rows["Interface"]}
    for root in rows["Open_vSwitch"]:
        yield from ([*words] for words in settings("Open_vSwitch", ".", root))
    for bridge in rows["Bridge"]:
        if bridge["name"] in AGENTS_BRIDGES:
            continue
        told = settings(
            "Bridge", bridge["name"], bridge
        )  # at once: a datapath of the kernel may not be there
        yield ["--may-exist", "add-br", bridge["name"], *(word for words in told for word in ("--", *words))]
        for port in (ports[one] for one in members(bridge["ports"])):
            parts = [interfaces[one] for one in members(port["interfaces"])]
            if port["name"] != bridge["name"] and not any(made(part) for part in parts):
                yield from added(bridge["name"], port, parts)


def added(bridge: str, port: dict[str, Any], parts: list[dict[str, Any]]) -> Iterator[list[str]]:
    """Give what makes one port, which is a bond where it has several interfaces.

    An interface's type goes into the same transaction: a port that waits for a device is an error at once.
    """
    names = [str(part["name"]) for part in parts]
    verb = "add-bond" if len(names) > 1 else "add-port"
    made_of = names if len(names) > 1 else []
    typed = (words for part in parts for words in settings("Interface", str(part["name"]), part))
    first = ["--may-exist", verb, bridge, str(port["name"]), *made_of]
    for words in typed:
        first += ["--", *words]
    yield first
    yield from settings("Port", str(port["name"]), port)


def settings(table: str, name: str, row: dict[str, Any]) -> Iterator[list[str]]:
    """Give what sets the columns of a row that somebody has set."""
    for column in SET_COLUMNS[table]:
        value = row.get(column)
        if isinstance(value, list) and value[0] == "map":
            pairs = [
                (key, word) for key, word in value[1] if table != "Open_vSwitch" or key not in SWITCH_OWN
            ]
            for key, word in pairs:
                yield ["set", table, name, f"{column}:{json.dumps(key)}={json.dumps(word)}"]
        elif found := members(value):
            yield ["set", table, name, f"{column}={','.join(json.dumps(one) for one in found)}"]


def members(value: object) -> list[Any]:
    """Return the values of a column, none where it is not set."""
    if isinstance(value, list) and value[0] == "set":
        return [plain(one) for one in value[1]]
    return [] if value in ("", None, False) else [plain(value)]


def plain(value: Any) -> Any:  # noqa: ANN401 - an atom of OVSDB
    """Return a value, a UUID as its text."""
    return value[1] if isinstance(value, list) and value[0] in ("uuid", "named-uuid") else value


def made(interface: dict[str, Any]) -> bool:
    """Whether an interface is neutron's or nova's own: a tunnel, a patch, an instance's."""
    known = interface.get("external_ids") or ["map", []]
    return interface["type"] in MADE or any(key == "iface-id" for key, _ in known[1])


def main(verb: str, directory: str, *arguments: str) -> None:
    """Do one thing."""
    getattr(Identity(Path(directory)), verb)(*arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
