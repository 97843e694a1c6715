"""What becomes of each instance of a host that is drained; pure."""

from dataclasses import dataclass
from enum import StrEnum

from skipstone.drain.model import Instance

WISH = "skipstone:drain"
"""Key of an instance's metadata with which its owner says how it may be moved."""


class Treatment(StrEnum):
    """What a drain does with an instance."""

    LIVE = "live"
    COLD = "cold"
    STAYS = "stays"
    WAITS = "waits"
    BLOCKS = "blocks"


class Wish(StrEnum):
    """What an instance's owner may ask for."""

    LIVE = "live"
    COLD = "cold"
    NEVER = "never"


NOTHING_STAYS = "nothing may stay on a host that is installed anew, for its disks go"


@dataclass(frozen=True)
class Judged:
    """A treatment, and the reason for it in one sentence."""

    treatment: Treatment
    reason: str


_RUNNING, _PAUSED = 1, 3
_POWER = {"ACTIVE": _RUNNING, "PAUSED": _PAUSED}

_BY_STATUS: dict[str, tuple[Treatment, str]] = {
    "ACTIVE": (Treatment.LIVE, "it runs"),
    "PAUSED": (Treatment.LIVE, "it is paused, and moves with its memory"),
    "SHUTOFF": (Treatment.STAYS, "it is off: nothing of it runs on the host"),
    "SUSPENDED": (
        Treatment.STAYS,
        "it is suspended: its memory is a file on the host, which nova cannot move",
    ),
    "SHELVED": (Treatment.STAYS, "it is shelved: off, its disk is still on the host"),
    "SHELVED_OFFLOADED": (Treatment.STAYS, "it is shelved, and on no host"),
    "RESCUE": (Treatment.STAYS, "it is being rescued, and runs: nova migrates it only after `unrescue`"),
    "SOFT_DELETED": (Treatment.STAYS, "its owner has deleted it; its disk is kept for a while"),
    "DELETED": (Treatment.STAYS, "it is deleted"),
    "BUILD": (Treatment.WAITS, "it is being built"),
    "REBUILD": (Treatment.WAITS, "it is being rebuilt"),
    "REBOOT": (Treatment.WAITS, "it is being rebooted"),
    "HARD_REBOOT": (Treatment.WAITS, "it is being rebooted"),
    "PASSWORD": (Treatment.WAITS, "its password is being set"),
    "RESIZE": (Treatment.WAITS, "it is being resized"),
    "REVERT_RESIZE": (Treatment.WAITS, "its resize is being taken back"),
    "MIGRATING": (Treatment.WAITS, "somebody is migrating it"),
    "VERIFY_RESIZE": (
        Treatment.BLOCKS,
        "its resize waits for its owner's word: `openstack server resize confirm` or `revert`",
    ),
    "ERROR": (Treatment.BLOCKS, "nova says ERROR: find out what it is, and mend or delete it"),
    "UNKNOWN": (Treatment.BLOCKS, "nova does not know its state"),
}
"""Every ``status`` of nova's API (``nova/api/openstack/common.py``), Victoria to 2026.1."""

STATUSES = frozenset(_BY_STATUS)

_UNMOVABLE_NICS = {
    "direct-physical": "a whole network card of this host is passed through to it",
    "baremetal": "its port is a bare metal one",
    "accelerator-direct": "a programmable network card of this host is passed through to it",
    "accelerator-direct-physical": "a programmable network card of this host is passed through to it",
}
_PULLED_NICS = {"direct", "macvtap", "vdpa", "remote-managed", "virtio-forwarder", "smart-nic"}
"""Nova moves these by pulling the card out of the guest and putting another in, which the guest feels."""

_PINNING = {
    "pci_passthrough:alias": "a PCI device of this host is passed through to it",
    "resources:VGPU": "a virtual GPU of this host is passed through to it",
    "accel:device_profile": "an accelerator of this host is passed through to it",
    "hw:pmem": "it has persistent memory of this host",
    "hw:mem_encryption": "its memory is encrypted by this host's processor",
    "hw:tpm_version": "it has an emulated TPM, whose secret nova does not take along",
}


def treat(instance: Instance, *, cold: bool = False, empty: bool = False) -> Judged:
    """Return what becomes of an instance.

    ``cold`` lets those that are off be moved. Where the host is to be ``empty``, what would stay blocks.
    """
    judged = _treated(instance, cold=cold)
    if empty and judged.treatment is Treatment.STAYS:
        return Judged(Treatment.BLOCKS, f"{judged.reason}; {NOTHING_STAYS}")
    return judged


def _treated(instance: Instance, *, cold: bool) -> Judged:
    known = _BY_STATUS.get(instance.status)
    if known is None:
        return Judged(Treatment.BLOCKS, f"nova says {instance.status}, which is not known here")
    treatment, reason = known
    if instance.task and treatment is not Treatment.BLOCKS:
        return Judged(Treatment.WAITS, f"nova is at work on it: {instance.task}")
    if instance.status == "SHUTOFF":
        return _off(instance, reason, cold=cold)
    if treatment is not Treatment.LIVE:
        return Judged(treatment, reason)
    return _running(instance, reason)


def _off(instance: Instance, reason: str, *, cold: bool) -> Judged:
    wish = _wish(instance)
    if wish in {"", Wish.LIVE, Wish.COLD} and (cold or wish == Wish.COLD):
        who = "its owner" if wish == Wish.COLD else "the operator"
        return Judged(Treatment.COLD, f"it is off, and {who} lets it be moved")
    return Judged(Treatment.STAYS, reason)


def _running(instance: Instance, reason: str) -> Judged:
    """Judge an instance that nova would migrate live: its owner's wish, then what cannot move."""
    wish = _wish(instance)
    if wish == Wish.NEVER:
        return Judged(Treatment.BLOCKS, f"its owner forbids it: {WISH}={wish}")
    if wish and wish not in set(Wish):
        return Judged(Treatment.BLOCKS, f"its owner's wish is not known here: {WISH}={wish}")
    if instance.power != _POWER[instance.status]:
        return Judged(
            Treatment.WAITS, f"nova says {instance.status}, but its power state is {instance.power}"
        )
    if wish == Wish.COLD:
        if instance.status == "ACTIVE":
            return Judged(Treatment.COLD, f"its owner wants it stopped and moved: {WISH}={wish}")
        return Judged(Treatment.BLOCKS, f"{WISH}={wish}, but nova does not stop and move a paused instance")
    obstacle = _obstacle(instance, wish)
    return Judged(Treatment.BLOCKS, obstacle) if obstacle else Judged(Treatment.LIVE, reason)


def _wish(instance: Instance) -> str:
    return instance.metadata.get(WISH, "").strip().lower()


def _obstacle(instance: Instance, wish: str) -> str:
    """Return why an instance cannot be moved while it runs, or nothing."""
    for nic in instance.nics:
        if nic in _UNMOVABLE_NICS:
            return _UNMOVABLE_NICS[nic]
        if nic in _PULLED_NICS and wish != Wish.LIVE:
            return (
                f"its network card ({nic}) would be pulled and another put in while it runs;"
                f" {WISH}=live in its metadata allows that"
            )
    for key, reason in _PINNING.items():
        if any(name == key or name.startswith(f"{key}:") for name in instance.flavor.extra):
            return reason
    others = len(instance.group.members - {instance.id}) if instance.group else 0
    if instance.group and instance.group.policy == "affinity" and others:
        return f"its server group keeps it beside {others} other instances, and nova moves one at a time"
    return ""
