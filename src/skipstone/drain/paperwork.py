"""What placement and neutron have of an instance, and what of it does not fit where it is now."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from urllib.parse import quote

from skipstone.cloud.api import Json
from skipstone.drain.model import Compute, Instance
from skipstone.drain.targets import Need, summed
from skipstone.drain.wire import Wire

PLACEMENT = ("placement",)
NETWORK = ("network",)
_HEADERS = {"OpenStack-API-Version": "placement 1.36"}
"""Ussuri's newest: every release that a drain is made in has it."""

_LIVELY = {"ACTIVE", "PAUSED"}


class Placement:
    """Placement's API; every method raises ApiSilent where no usable answer came."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def with_room(self, compute: Compute) -> Compute:
        """Return a compute host with what is free there; as it is where placement has no such provider."""
        path = f"/resource_providers/{compute.provider}"
        inventories = self._ask(f"{path}/inventories").get("inventories") if compute.provider else None
        if inventories is None:
            return compute
        usages = self._ask(f"{path}/usages").get("usages", {})
        room = {name: _capacity(one) - int(usages.get(name, 0)) for name, one in inventories.items()}
        return replace(compute, room=room)

    def with_rooms(self, computes: Iterable[Compute], needs: Iterable[Need]) -> tuple[Compute, ...]:
        """Return hosts with the room and the traits of those that have room for one of some needs.

        That is a request for each need, however many hosts there are. All that a host provides is told, not
        only what is needed (since 1.27).
        """
        found: dict[str, Json] = {}
        for need in needs:
            asked = ",".join(f"{name}:{amount}" for name, amount in sorted(need.items()))
            found |= self._ask(f"/allocation_candidates?resources={asked}").get("provider_summaries", {})
        traits: dict[str, set[str]] = {}
        for one in found.values():
            traits.setdefault(one["root_provider_uuid"], set()).update(one["traits"])
        return tuple(
            replace(one, room=_free(found[one.provider]), traits=frozenset(traits[one.provider]))
            if one.provider in found
            else one
            for one in computes
        )

    def allocations(self, consumer: str) -> dict[str, dict[str, int]]:
        """Return what a consumer (an instance, a migration) holds: provider -> resource class -> amount."""
        found = self._ask(f"/allocations/{consumer}").get("allocations", {})
        return {provider: dict(item["resources"]) for provider, item in found.items()}

    def consumers(self, provider: str) -> frozenset[str]:
        """Return who holds anything of a provider or of what is part of it: instances, migrations."""
        held = (self._ask(f"/resource_providers/{one}/allocations") for one in sorted(self.tree(provider)))
        return frozenset(consumer for one in held for consumer in one.get("allocations", {}))

    def tree(self, provider: str) -> frozenset[str]:
        """Return a provider with all that are part of it."""
        found = self._ask(f"/resource_providers?in_tree={provider}").get("resource_providers", [])
        return frozenset(item["uuid"] for item in found)

    def faults(self, uuid: str, target: Compute, expected: Need | None, migration: str) -> tuple[str, ...]:
        """Return what does not fit an instance that is on ``target`` and nowhere else.

        ``expected`` is None where nobody knows what it shall hold.
        """
        held = self.allocations(uuid)
        faults = []
        if elsewhere := sorted(set(held) - self.tree(target.provider)):
            faults.append(f"placement still counts it on provider {', '.join(elsewhere)}")
        total = summed(held)
        if expected is not None and total != Counter(expected):
            faults.append(f"placement counts {_told(total)}, not {_told(expected)}")
        if migration and self.allocations(migration):
            faults.append(f"placement still has resources held for the migration {migration}")
        return tuple(faults)

    def settle(self, uuid: str, here: Compute, migration: str) -> str:
        """Let an instance hold what it has where it is, and its migration, which is over, nothing.

        One that nova has given up may hold what the instance had where it still is, and the instance what it
        was to have elsewhere (seen in Zed, where libvirtd died at the source). Nothing is changed where
        neither holds anything there. Return placement's word where it refuses.
        """
        tree = self.tree(here.provider)
        own, moving = (self._ask(f"/allocations/{consumer}") for consumer in (uuid, migration))
        mine, its = _within(tree, own), _within(tree, moving)
        wanted = mine if mine and mine == _held(own) else its or mine
        if not wanted:
            return "neither the instance nor its migration holds anything there"
        body = {uuid: _claim(own if _held(own) else {**moving, "consumer_generation": None}, wanted)}
        if _held(moving):
            body[migration] = _claim(moving, {})
        return self._wire.send("POST", PLACEMENT, "/allocations", body=body, headers=_HEADERS).refused

    def _ask(self, path: str) -> Json:
        return self._wire.ask(PLACEMENT, path, _HEADERS) or {}


def _held(consumer: Json) -> dict[str, Json]:
    """Return what a consumer holds, as placement is told it."""
    found = consumer.get("allocations", {})
    return {provider: {"resources": one["resources"]} for provider, one in found.items()}


def _within(tree: frozenset[str], consumer: Json) -> dict[str, Json]:
    return {provider: one for provider, one in _held(consumer).items() if provider in tree}


def _claim(consumer: Json, allocations: Mapping[str, Json]) -> Json:
    """Return what a consumer shall hold; placement refuses it where that has changed meanwhile."""
    same = ("project_id", "user_id", "consumer_generation")
    return {"allocations": allocations, **{name: consumer[name] for name in same}}


def _free(summary: Json) -> dict[str, int]:
    amounts = summary["resources"].items()
    return {name: int(amount["capacity"]) - int(amount["used"]) for name, amount in amounts}


def _capacity(inventory: Json) -> int:
    return int((inventory["total"] - inventory.get("reserved", 0)) * inventory.get("allocation_ratio", 1))


def _told(resources: Mapping[str, int]) -> str:
    return " ".join(f"{name}={amount}" for name, amount in sorted(resources.items())) or "nothing"


class Neutron:
    """Neutron's API; every method raises ApiSilent where no usable answer came."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def nics(self, host: str) -> dict[str, tuple[str, ...]]:
        """Return the ``vnic_type`` of every port that is bound to a host, by instance."""
        found: dict[str, tuple[str, ...]] = {}
        for port in self._wire.pages(NETWORK, f"/ports?binding:host_id={quote(host)}", "ports"):
            device = port.get("device_id", "")
            found[device] = (*found.get(device, ()), port.get("binding:vnic_type") or "normal")
        return found

    def faults(self, instance: Instance, host: str) -> tuple[str, ...]:
        """Return which of an instance's ports are not bound to ``host`` alone, or not active there."""
        ports = self._wire.pages(NETWORK, f"/ports?device_id={instance.id}", "ports")
        return tuple(fault for port in ports for fault in self._of_port(port, instance, host))

    def unbind(self, instance: str, host: str) -> None:
        """Remove the inactive bindings of an instance's ports to any host but ``host``."""
        for port in self._wire.pages(NETWORK, f"/ports?device_id={instance}", "ports"):
            path = f"/ports/{port['id']}/bindings"
            for binding in (self._wire.ask(NETWORK, path) or {}).get("bindings", []):
                if binding["host"] != host and binding["status"] == "INACTIVE":
                    self._wire.send("DELETE", NETWORK, f"{path}/{binding['host']}")

    def _of_port(self, port: Json, instance: Instance, host: str) -> list[str]:
        faults = []
        if port.get("binding:host_id") != host:
            faults.append(f"port {port['id']} is bound to {port.get('binding:host_id') or 'no host'}")
        down = port.get("status") != "ACTIVE" and port.get("admin_state_up", True)
        if down and instance.status in _LIVELY:
            faults.append(f"port {port['id']} is {port.get('status')} in neutron")
        bindings = (self._wire.ask(NETWORK, f"/ports/{port['id']}/bindings") or {}).get("bindings", [])
        others = sorted(one["host"] for one in bindings if one.get("host") != host)
        if others:
            faults.append(f"port {port['id']} has another binding left, to {', '.join(others)}")
        return faults
