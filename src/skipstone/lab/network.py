"""The networks between the hosts and this machine: two bridges, one network namespace per host, masquerading.

The namespace outlives the host's boots: a host that reboots itself finds its cables where they were.
"""

import contextlib
import json
from pathlib import Path

from skipstone.errors import LabError
from skipstone.lab.place import Place
from skipstone.lab.program import run, succeeds
from skipstone.lab.topology import Node, Topology

FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
MANAGEMENT = "eth0"
PROVIDER = "eth1"


class Network:
    """Bridges, cables and rules of one lab; every name on this machine begins with the place's tag."""

    def __init__(self, place: Place, topology: Topology, mtu: int) -> None:
        self._tag = place.tag
        self._topology = topology
        self._mtu = mtu

    def namespace(self, node: Node) -> Path:
        """Return the network namespace of a host."""
        return Path("/run/netns") / f"{self._tag}-{node.name}"

    def up(self) -> None:
        """Make bridges, cables and rules, where they are not there yet."""
        self._bridge("mgmt", str(self._topology.management))
        self._bridge("prov", str(self._topology.provider))
        for node in self._topology.nodes:
            self._cables(node)
        FORWARD.write_text("1")
        run("nft", "-f", "-", stdin=self._rules())

    def down(self, *, forward: bool) -> None:
        """Remove all of it; ``forward`` is what IP forwarding was before the lab."""
        with contextlib.suppress(LabError):
            run("nft", "delete", "table", "ip", self._tag)
        for namespace in Path("/run/netns").glob(f"{self._tag}-*"):
            run("ip", "netns", "delete", namespace.name)
        for link in json.loads(run("ip", "-json", "link", "show")):
            if link["ifname"].startswith(f"{self._tag}-"):
                # a cable goes with its other end, a moment after the namespace
                succeeds("ip", "link", "delete", link["ifname"])
        if not forward:
            FORWARD.write_text("0")

    def _bridge(self, suffix: str, address: str) -> None:
        name = f"{self._tag}-{suffix}"
        if not succeeds("ip", "link", "show", name):
            run("ip", "link", "add", name, "type", "bridge")
            run("ip", "address", "add", address, "dev", name)
        run("ip", "link", "set", name, "mtu", str(self._mtu), "up")
        # OVS in userspace reads frames through AF_PACKET: a checksum left to the hardware is wrong there
        run("ethtool", "-K", name, "tx", "off")

    def _cables(self, node: Node) -> None:
        namespace = self.namespace(node).name
        if not self.namespace(node).exists():
            run("ip", "netns", "add", namespace)
        for suffix, inside in (("mgmt", MANAGEMENT), ("prov", PROVIDER)):
            outside = f"{self._tag}-{node.name}-{suffix[0]}"
            if not succeeds("ip", "link", "show", outside):
                run("ip", "link", "add", outside, "type", "veth", "peer", "name", inside, "netns", namespace)
            run("ip", "link", "set", outside, "mtu", str(self._mtu), "master", f"{self._tag}-{suffix}", "up")
            run("ethtool", "-K", outside, "tx", "off")
            run("ip", "netns", "exec", namespace, "ip", "link", "set", inside, "mtu", str(self._mtu), "up")
            run("ip", "netns", "exec", namespace, "ethtool", "-K", inside, "tx", "off")

    def _rules(self) -> str:
        sources = f"{{ {self._topology.management.network}, {self._topology.provider.network} }}"
        return f"""
table ip {self._tag}
delete table ip {self._tag}
table ip {self._tag} {{
  chain postrouting {{
    type nat hook postrouting priority srcnat;
    ip saddr {sources} ip daddr != {sources} masquerade
  }}
}}
"""


def uplink_mtu() -> int:
    """Return the MTU of the interface that the default route goes through, 1500 without one."""
    routes = json.loads(run("ip", "-json", "-4", "route", "show", "default"))
    if not routes:
        return 1500
    links = json.loads(run("ip", "-json", "link", "show", routes[0]["dev"]))
    return min(1500, int(links[0]["mtu"]))
