"""Which hosts a lab has, where they are reached and what runs on them. Data only."""

from enum import StrEnum
from ipaddress import IPv4Interface, IPv4Network

from pydantic import BaseModel, ConfigDict

from skipstone.errors import InputError


class Role(StrEnum):
    """What a host is for; each role has an image of its own."""

    CONTROLLER = "controller"
    COMPUTE = "compute"


# the inventory groups of each role: the words that discovery uses
GROUPS: dict[Role, tuple[str, ...]] = {
    Role.CONTROLLER: ("control", "network", "database", "broker"),
    Role.COMPUTE: ("compute",),
}


class Node(BaseModel):
    """One host of a topology."""

    model_config = ConfigDict(frozen=True)

    name: str
    address: str
    role: Role


class Topology(BaseModel):
    """Hosts and the two networks between them.

    ``management`` and ``provider`` are the addresses of this machine on the two bridges, with prefix;
    instances take provider addresses from ``pool`` (first, last). Each compute has so many ``instances`` on
    the provider network. ``memory`` is what all of it takes, in GiB, with some to spare for what works on it.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    management: IPv4Interface
    provider: IPv4Interface
    pool: tuple[str, str]
    tenant: IPv4Network
    nodes: tuple[Node, ...]
    instances: int = 1
    memory: int

    @property
    def controller(self) -> Node:
        """The host that runs the control plane."""
        return next(node for node in self.nodes if node.role is Role.CONTROLLER)

    @property
    def computes(self) -> tuple[Node, ...]:
        """The hosts that run instances."""
        return tuple(node for node in self.nodes if node.role is Role.COMPUTE)

    def node(self, name: str) -> Node:
        """Return the host of this name; raises InputError when there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        known = ", ".join(node.name for node in self.nodes)
        raise InputError(f"the lab has no host {name!r}", remedy=f"hosts: {known}")


def _topology(name: str, *, computes: int, instances: int, memory: int) -> Topology:
    """Return one controller and some computes; every topology of the lab has the same networks and names."""
    controller = Node(name="ctl1", address="10.77.0.11", role=Role.CONTROLLER)
    others = [
        Node(name=f"cmp{number}", address=f"10.77.0.{20 + number}", role=Role.COMPUTE)
        for number in range(1, computes + 1)
    ]
    return Topology(
        name=name,
        management=IPv4Interface("10.77.0.1/24"),
        provider=IPv4Interface("10.88.0.1/24"),
        pool=("10.88.0.100", "10.88.0.200"),
        tenant=IPv4Network("172.20.0.0/24"),
        nodes=(controller, *others),
        instances=instances,
        memory=memory,
    )


TOPOLOGIES = {
    found.name: found
    for found in (
        _topology("small", computes=2, instances=1, memory=8),
        _topology("wide", computes=4, instances=2, memory=14),
    )
}


def load_topology(name: str) -> Topology:
    """Return a topology by name; raises InputError with the known names."""
    if name not in TOPOLOGIES:
        raise InputError(f"no topology {name!r}", remedy=f"known topologies: {', '.join(TOPOLOGIES)}")
    return TOPOLOGIES[name]
