"""What a drain knows of instances, computes and migrations: facts, as the APIs tell them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """How an instance is moved."""

    LIVE = "live"
    COLD = "cold"


@dataclass(frozen=True)
class Flavor:
    """What an instance was built to need: MiB of memory, GiB of all its local disks."""

    ram: int
    vcpus: int
    disk: int = 0
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """A server group; ``policy`` is nova's word (``anti-affinity``)."""

    policy: str
    members: frozenset[str]


@dataclass(frozen=True)
class Instance:
    """One server. ``power`` is nova's number (1 runs, 3 paused), ``nics`` are the ports' ``vnic_type``.

    ``from_volume`` says that its root disk is a volume.
    """

    id: str
    name: str
    host: str | None
    status: str
    flavor: Flavor
    task: str | None = None
    power: int = 1
    locked: bool = False
    zone: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    from_volume: bool = False
    volumes: int = 0
    config_drive: bool = False
    nics: tuple[str, ...] = ()
    group: Group | None = None

    @property
    def local_disk(self) -> int:
        """GiB that are copied with it where the computes share no storage."""
        return self.flavor.disk

    @property
    def label(self) -> str:
        """The instance as a person knows it."""
        return f"{self.name} ({self.id})"


@dataclass(frozen=True)
class Compute:
    """One compute host: nova's service, its hypervisor and its provider in placement.

    ``version`` is the hypervisor's as nova compares it (``7002011`` is QEMU 7.2.11); ``room`` is what is
    free of its own provider by resource class, None where placement did not say; ``reason`` is why it is
    disabled. ``traits`` are placement's, ``aggregates`` nova's, of those that its scheduler may judge by.
    """

    host: str
    node: str
    service: str
    enabled: bool
    up: bool
    zone: str = ""
    reason: str = ""
    type: str = "QEMU"
    version: int = 0
    arch: str = ""
    provider: str = ""
    room: Mapping[str, int] | None = None
    traits: frozenset[str] = frozenset()
    aggregates: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Migration:
    """One migration in nova's records; ``uuid`` is the consumer that holds the other end's resources."""

    id: int
    uuid: str
    status: str
    type: str
    source: str | None
    target: str | None

    @property
    def running(self) -> bool:
        """Whether nova is still at it; a word that is not known counts as running."""
        return self.status not in OVER

    @property
    def cancellable(self) -> bool:
        """Whether nova lists it among a server's migrations, where it can be stopped or pushed."""
        return self.status in {"queued", "preparing", "running"}


OVER = frozenset({"completed", "confirmed", "reverted", "finished", "error", "failed", "cancelled", "done"})
"""Statuses of a migration that nova has left; ``finished`` waits for a confirmation, which we give."""


@dataclass(frozen=True)
class Progress:
    """Bytes of a running live migration, memory and disk together; None before any was counted."""

    total: int | None = None
    processed: int | None = None
    remaining: int | None = None
