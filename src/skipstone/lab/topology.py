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
    instances take provider addresses from ``pool`` (first, last).
    """

    model_config = ConfigDict(frozen=True)

    name: str
    management: IPv4Interface
    provider: IPv4Interface
    pool: tuple[str, str]
    tenant: IPv4Network
    nodes: tuple[Node, ...]

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


TOPOLOGIES = {
    "small": Topology(
        name="small",
        management=IPv4Interface("10.77.0.1/24"),
        provider=IPv4Interface("10.88.0.1/24"),
        pool=("10.88.0.100", "10.88.0.200"),
        tenant=IPv4Network("172.20.0.0/24"),
        nodes=(
            Node(name="ctl1", address="10.77.0.11", role=Role.CONTROLLER),
            Node(name="cmp1", address="10.77.0.21", role=Role.COMPUTE),
            Node(name="cmp2", address="10.77.0.22", role=Role.COMPUTE),
        ),
    ),
}


def load_topology(name: str) -> Topology:
    """Return a topology by name; raises InputError with the known names."""
    if name not in TOPOLOGIES:
        raise InputError(f"no topology {name!r}", remedy=f"known topologies: {', '.join(TOPOLOGIES)}")
    return TOPOLOGIES[name]
