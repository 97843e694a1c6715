"""What the operator needs to reach the lab: SSH key and configuration, inventory, client configuration."""

from pathlib import Path

import yaml

from skipstone.lab.configuration import PASSWORD, REGION
from skipstone.lab.image import trust_what_this_machine_trusts
from skipstone.lab.place import Place
from skipstone.lab.program import run
from skipstone.lab.topology import GROUPS, Topology

CLOUD = "lab"
# the second is what systemd-resolved itself asks, where the first names its stub on this machine's loopback
RESOLVERS = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))


def make_key(place: Place) -> None:
    """Make the operator's SSH key, where there is none yet."""
    if not place.key.exists():
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "skipstone-lab", "-f", place.key)


def make_host_identity(tree: Path) -> None:
    """Give a host its own SSH keys and machine id."""
    run("ssh-keygen", "-A", "-f", tree)
    (tree / "etc/machine-id").write_text("")
    run("systemd-machine-id-setup", f"--root={tree}")


def personalize(place: Place, tree: Path) -> None:
    """Let the operator in, and let the host resolve names and trust as this machine does now."""
    folder = tree / "root/.ssh"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "authorized_keys").write_text(place.key.with_suffix(".pub").read_text())
    (tree / "etc/resolv.conf").unlink(missing_ok=True)
    (tree / "etc/resolv.conf").write_text(reachable_resolver())
    trust_what_this_machine_trusts(tree)


def reachable_resolver(files: tuple[Path, ...] = RESOLVERS) -> str:
    """Return the first text with a name server that is not on this machine's loopback, else the first."""
    texts = [file.read_text() for file in files if file.exists()]
    for text in texts:
        servers = [line.split()[1] for line in text.splitlines() if line.startswith("nameserver ")]
        if any(not server.startswith("127.") and server != "::1" for server in servers):
            return text
    return texts[0] if texts else ""


def write_access(place: Place, topology: Topology, trees: dict[str, Path]) -> None:
    """Write every file; ``trees`` holds each host's tree, for its real SSH keys."""
    lines = []
    for node in topology.nodes:
        for public in sorted((trees[node.name] / "etc/ssh").glob("ssh_host_*_key.pub")):
            kind, key = public.read_text().split()[:2]
            lines.append(f"{node.name},{node.address} {kind} {key}\n")
    place.known_hosts.write_text("".join(lines))
    place.ssh_config.write_text(ssh_config(place, topology))
    place.inventory.write_text(yaml.safe_dump(inventory(topology), sort_keys=False))
    place.clouds.touch(mode=0o600)
    place.clouds.write_text(yaml.safe_dump(clouds(topology), sort_keys=False))


def ssh_config(place: Place, topology: Topology) -> str:
    """Return what ``ssh -F`` reads to reach the hosts by name."""
    blocks = [f"Host {node.name}\n  HostName {node.address}\n" for node in topology.nodes]
    every = " ".join(node.name for node in topology.nodes)
    common = (
        f"Host {every}\n  User root\n  IdentityFile {place.key}\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {place.known_hosts}\n  StrictHostKeyChecking yes\n"
        "  ConnectTimeout 10\n  ServerAliveInterval 10\n"
    )
    return "\n".join((*blocks, common))


def inventory(topology: Topology) -> dict[str, object]:
    """Return the inventory of the lab in Skipstone's own form."""
    return {
        "name": CLOUD,
        "ssh_config": "ssh_config",
        "cloud": CLOUD,
        "clouds_file": "clouds.yaml",
        "hosts": {
            node.name: {"address": node.address, "groups": list(GROUPS[node.role])} for node in topology.nodes
        },
        "defaults": {"user": "root"},
    }


def clouds(topology: Topology) -> dict[str, object]:
    """Return the OpenStack client's configuration, administrator of cloud ``lab``."""
    return {
        "clouds": {
            CLOUD: {
                "auth": {
                    "auth_url": f"http://{topology.controller.address}:5000/v3",
                    "username": "admin",
                    "password": PASSWORD,
                    "project_name": "admin",
                    "user_domain_name": "Default",
                    "project_domain_name": "Default",
                },
                "region_name": REGION,
                "identity_api_version": "3",
                "volume_api_version": "3",
            }
        }
    }
