"""What a drain asks of nova, and asks nova to do."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from skipstone.cloud.api import Json
from skipstone.drain.model import Compute, Flavor, Group, Instance, Migration, Progress
from skipstone.drain.wire import Reply, Wire
from skipstone.errors import SkipstoneError

TYPES = ("compute",)
MICROVERSION = (2, 87)
"""Victoria's newest, so every release of the way has it, and the last one that shows ``cpu_info``.

Each release keeps its meaning: the same request gets the same answer from Zed and from 2025.1.
"""

_PAGE = 1000


class NovaTooOld(SkipstoneError):  # noqa: N818 - reads as what happened
    """Nova's API does not offer what a drain needs."""


class Nova:
    """Nova's API at one microversion; every method raises ApiSilent where no usable answer came."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._headers = {"OpenStack-API-Version": f"compute {_text(MICROVERSION)}"}

    def expect_microversion(self) -> None:
        """Raise NovaTooOld where the API does not offer the microversion that everything here is asked in."""
        body = self._wire.ask(TYPES, "/") or {}
        offered = body.get("version", {}).get("version", "") or "2.0"
        if _version(offered) < MICROVERSION:
            raise NovaTooOld(
                f"nova's API offers microversions up to {offered}; {_text(MICROVERSION)} is needed",
                where="compute",
                remedy="this cloud is older than Victoria: drain its hosts by hand",
            )

    def instances(self, host: str) -> tuple[Instance, ...]:
        """Return every instance that nova has on a host, with its server group."""
        path = f"/servers/detail?all_tenants=1&host={quote(host)}"
        groups = self._groups()
        found = (_instance(item) for item in self._wire.pages(TYPES, path, "servers", headers=self._headers))
        return tuple(replace(one, group=groups.get(one.id)) for one in found)

    def instance(self, uuid: str) -> Instance | None:
        """Return one instance without its group, or None where nova has no such."""
        body = self._wire.ask(TYPES, f"/servers/{uuid}", self._headers)
        return _instance(body["server"]) if body else None

    def hosts_of(self, uuids: frozenset[str]) -> dict[str, str]:
        """Return where instances are, without those that are nowhere."""
        found = {uuid: self.instance(uuid) for uuid in uuids}
        return {uuid: one.host for uuid, one in found.items() if one and one.host}

    def _groups(self) -> dict[str, Group]:
        """Return the server group of every instance that is in one."""
        found: dict[str, Group] = {}
        offset = 0
        while True:
            path = f"/os-server-groups?all_projects=True&limit={_PAGE}&offset={offset}"
            groups = (self._wire.ask(TYPES, path, self._headers) or {}).get("server_groups", [])
            for item in groups:
                group = Group(item["policy"], frozenset(item["members"]))
                found |= dict.fromkeys(group.members, group)
            if len(groups) < _PAGE:
                return found
            offset += len(groups)

    def computes(self) -> tuple[Compute, ...]:
        """Return every compute host, without what placement knows."""
        body = self._wire.ask(TYPES, "/os-services?binary=nova-compute", self._headers) or {}
        nodes = self._wire.pages(TYPES, "/os-hypervisors/detail", "hypervisors", headers=self._headers)
        by_host: dict[str, list[Json]] = {}
        for node in nodes:
            by_host.setdefault(node["service"]["host"], []).append(node)
        return tuple(
            _compute(service, by_host.get(service["host"], [])) for service in body.get("services", [])
        )

    def aggregates(self) -> dict[str, frozenset[str]]:
        """Return the aggregates of each host that say more than its zone: only these can be a reason."""
        body = self._wire.ask(TYPES, "/os-aggregates", self._headers) or {}
        found: dict[str, frozenset[str]] = {}
        for item in body.get("aggregates", []):
            if set(item.get("metadata") or {}) - {"availability_zone"}:
                for host in item["hosts"]:
                    found[host] = found.get(host, frozenset()) | {item["name"]}
        return found

    def fenced(self, host: str) -> str:
        """Return on which word of its operator a host runs nothing any more, or nothing.

        To be asked of hosts that are silent.
        """
        path = f"/os-services?binary=nova-compute&host={quote(host)}"
        services = (self._wire.ask(TYPES, path, self._headers) or {}).get("services", [])
        if not services:
            return "no compute host of nova's any more"
        return "forced down" if all(one.get("forced_down") for one in services) else ""

    def migrations(self, uuid: str) -> tuple[Migration, ...]:
        """Return every migration of an instance, the oldest first."""
        path = f"/os-migrations?instance_uuid={uuid}"
        found = self._wire.pages(TYPES, path, "migrations", headers=self._headers)
        return tuple(sorted((_migration(item) for item in found), key=lambda one: one.id))

    def progress(self, uuid: str, migration: int) -> Progress:
        """Return how far a running live migration is; unknown where it has just ended."""
        body = self._wire.ask(TYPES, f"/servers/{uuid}/migrations/{migration}", self._headers)
        return _progress(body["migration"]) if body else Progress()

    def complaint(self, uuid: str) -> str:
        """Return what nova says of the last action on an instance that went wrong, or nothing."""
        body = self._wire.ask(TYPES, f"/servers/{uuid}/os-instance-actions", self._headers) or {}
        for action in body.get("instanceActions", [])[:1]:
            path = f"/servers/{uuid}/os-instance-actions/{action['request_id']}"
            said = self._wire.ask(TYPES, path, self._headers) or {}
            events = (said.get("instanceAction") or {}).get("events") or []
            words = [_of_event(event) for event in events if event.get("result") == "Error"]
            return "; ".join(dict.fromkeys(filter(None, words)))
        return ""

    def set_service(self, service: str, *, enabled: bool, reason: str = "") -> Reply:
        """Let a compute service take new instances, or not."""
        body: dict[str, object] = {"status": "enabled" if enabled else "disabled"}
        if reason and not enabled:
            body["disabled_reason"] = reason[:255]
        return self._wire.send("PUT", TYPES, f"/os-services/{service}", body=body, headers=self._headers)

    def live_migrate(self, uuid: str, target: str) -> Reply:
        """Ask for a live migration to a host; nova's scheduler checks that it can take it."""
        return self._act(uuid, {"os-migrateLive": {"host": target, "block_migration": "auto"}})

    def cold_migrate(self, uuid: str, target: str) -> Reply:
        """Ask for the instance to be stopped, moved to a host, and started again where it ran."""
        return self._act(uuid, {"migrate": {"host": target}})

    def confirm(self, uuid: str) -> Reply:
        """Confirm a cold migration: what is left at its source goes."""
        return self._act(uuid, {"confirmResize": None})

    def say_active(self, uuid: str) -> Reply:
        """Let nova's record say that an instance is active; nothing of the instance is touched."""
        return self._act(uuid, {"os-resetState": {"state": "active"}})

    def force_complete(self, uuid: str, migration: int) -> Reply:
        """Let a live migration end: by post-copy where nova has that switched on, else with a pause."""
        path = f"/servers/{uuid}/migrations/{migration}/action"
        return self._wire.send("POST", TYPES, path, body={"force_complete": None}, headers=self._headers)

    def abort(self, uuid: str, migration: int) -> Reply:
        """End a live migration where it is; the guest stays at its source."""
        path = f"/servers/{uuid}/migrations/{migration}"
        return self._wire.send("DELETE", TYPES, path, headers=self._headers)

    def _act(self, uuid: str, body: Mapping[str, object]) -> Reply:
        return self._wire.send("POST", TYPES, f"/servers/{uuid}/action", body=body, headers=self._headers)


def _version(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return int(major), int(minor or 0)


def _text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _instance(item: Json) -> Instance:
    from_volume = not item.get("image")
    return Instance(
        id=item["id"],
        name=item["name"],
        host=item.get("OS-EXT-SRV-ATTR:host"),
        status=item["status"],
        flavor=_flavor(item["flavor"], from_volume=from_volume),
        task=item.get("OS-EXT-STS:task_state"),
        power=item.get("OS-EXT-STS:power_state") or 0,
        locked=bool(item.get("locked")),
        zone=item.get("OS-EXT-AZ:availability_zone") or "",
        metadata=item.get("metadata") or {},
        from_volume=from_volume,
        volumes=len(item.get("os-extended-volumes:volumes_attached") or ()),
        config_drive=bool(item.get("config_drive")),
    )


def _flavor(item: Json, *, from_volume: bool) -> Flavor:
    root = 0 if from_volume else int(item.get("disk") or 0)
    swap = math.ceil(int(item.get("swap") or 0) / 1024)
    return Flavor(
        ram=int(item["ram"]),
        vcpus=int(item["vcpus"]),
        disk=root + int(item.get("ephemeral") or 0) + swap,
        extra=item.get("extra_specs") or {},
    )


def _compute(service: Json, nodes: list[Json]) -> Compute:
    """Return a compute host; one with several nodes (ironic) has none that a drain could name."""
    node = nodes[0] if len(nodes) == 1 else {}
    cpu: Any = node.get("cpu_info") or {}
    return Compute(
        host=service["host"],
        node=node.get("hypervisor_hostname", ""),
        service=service["id"],
        enabled=service["status"] == "enabled",
        up=service["state"] == "up" and not service.get("forced_down"),
        zone=service.get("zone") or "",
        reason=service.get("disabled_reason") or "",
        type=node.get("hypervisor_type", ""),
        version=int(node.get("hypervisor_version") or 0),
        arch=cpu.get("arch", "") if isinstance(cpu, dict) else "",
        provider=node.get("id", ""),  # nova makes the provider with the node's UUID, and schedules by that
    )


def _migration(item: Json) -> Migration:
    return Migration(
        id=int(item["id"]),
        uuid=item.get("uuid") or "",
        status=item["status"],
        type=item.get("migration_type") or "",
        source=item.get("source_compute"),
        target=item.get("dest_compute"),
    )


def _progress(item: Json) -> Progress:
    def both(what: str) -> int | None:
        parts = [item.get(f"{kind}_{what}_bytes") for kind in ("memory", "disk")]
        known = [int(part) for part in parts if part is not None]
        return sum(known) if known else None

    return Progress(both("total"), both("processed"), both("remaining"))


def _of_event(event: Json) -> str:
    """Return an event's own words: its details, else the last line of its traceback."""
    lines = (event.get("traceback") or "").strip().splitlines()
    return str(event.get("details") or (lines[-1].strip() if lines else ""))
