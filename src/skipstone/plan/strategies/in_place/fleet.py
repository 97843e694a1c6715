"""What is known of all computes together, counted once: a cloud may have ten thousand. Pure."""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from skipstone.cloud.hostname import short
from skipstone.cloud.model import Cloud, Host


@dataclass(frozen=True)
class Room:
    """Some hosts: how many, the memory that is free on them in bytes, and of how many that is not known."""

    hosts: int = 0
    memory: int = 0
    unknown: int = 0

    def __add__(self, other: "Room") -> "Room":
        return Room(self.hosts + other.hosts, self.memory + other.memory, self.unknown + other.unknown)

    def __sub__(self, other: "Room") -> "Room":
        return Room(self.hosts - other.hosts, self.memory - other.memory, self.unknown - other.unknown)


@dataclass(frozen=True)
class Fleet:
    """The computes of a cloud, as targets of each other's instances."""

    cloud: Cloud
    computes: tuple[Host, ...]

    def instances(self, host: Host) -> int:
        """Return how many instances nova has on a host."""
        return self._instances[short(host.name)]

    @property
    def is_alone(self) -> bool:
        """Whether there is but one compute."""
        return len(self.computes) == 1

    def version(self, host: Host) -> int:
        """Return the version of a host's hypervisor as nova compares it, 0 where it is not known."""
        return self._versions.get(short(host.name), 0)

    def others(self, host: Host, *, at_least: int = 0) -> Room:
        """Return the other computes that are up and enabled, with such a hypervisor or a newer one."""
        room = self._from[bisect_left(self._steps, at_least)]
        return room - _room(host) if self._takes(host) and self.version(host) >= at_least else room

    @cached_property
    def _instances(self) -> Counter[str]:
        return Counter(short(instance.host) for instance in self.cloud.instances if instance.host)

    @cached_property
    def _versions(self) -> dict[str, int]:
        return {short(one.host): one.version for one in reversed(self.cloud.hypervisors)}

    @cached_property
    def _open(self) -> frozenset[str]:
        agents = (agent for agent in self.cloud.agents if agent.binary == "nova-compute")
        return frozenset(short(agent.host) for agent in agents if agent.alive and agent.enabled)

    def _takes(self, host: Host) -> bool:
        return host.reachable and short(host.name) in self._open

    @cached_property
    def _able(self) -> list[Host]:
        """Those that take instances, the oldest hypervisor first."""
        return sorted(filter(self._takes, self.computes), key=self.version)

    @cached_property
    def _steps(self) -> list[int]:
        return [self.version(host) for host in self._able]

    @cached_property
    def _from(self) -> list[Room]:
        """What each of them and all after it have together; nothing at the end."""
        return [*accumulate(map(_room, reversed(self._able)), initial=Room())][::-1]


def _room(host: Host) -> Room:
    known = host.memory_available
    return Room(hosts=1, memory=known or 0, unknown=int(known is None))
