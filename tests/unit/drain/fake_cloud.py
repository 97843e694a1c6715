"""A nova, a placement and a neutron with computes and guests, at the level of HTTP, that go wrong at will.

A migration goes one step each time its instance's migrations are listed, so that no test waits for a clock.
"""

import uuid
import zlib
from collections.abc import Iterable
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from tests.unit.drain.courses import GIB, Course, Host, Moving
from tests.unit.impact.fake_cloud import FakeCloud


class DrainCloud(FakeCloud):
    """``courses`` has, by instance, how its migrations go, one after the other; then well."""

    def __init__(self, hosts: Iterable[str] = ("cmp1", "cmp2", "cmp3")) -> None:
        super().__init__()
        self.hosts = {name: Host(name, f"rp-{name}") for name in hosts}
        self.servers: dict[str, dict[str, Any]] = {}
        self.moves: list[Moving] = []
        self.allocated: dict[str, dict[str, dict[str, int]]] = {}
        self.ports: dict[str, dict[str, Any]] = {}
        self.bindings: dict[str, set[str]] = {}
        self.groups: list[dict[str, Any]] = []
        self.aggregates: list[dict[str, Any]] = []
        self.courses: dict[str, list[Course]] = {}
        self.requests: list[tuple[str, str]] = []
        self.most_at_once = 0
        self.overlapping = False
        self.offered = "2.93"

    def add(
        self, name: str, host: str = "cmp1", *, ram: int = 1024, status: str = "ACTIVE", **more: Any
    ) -> str:
        """Build an instance, with one port, and return its id."""
        id_ = str(uuid.uuid5(uuid.NAMESPACE_DNS, name))
        power = {"ACTIVE": 1, "PAUSED": 3, "SHUTOFF": 4}.get(status, 1)
        self.servers[id_] = {
            "id": id_,
            "name": name,
            "status": status,
            "image": {"id": "image"},
            "flavor": {"ram": ram, "vcpus": 1, "disk": 1, "ephemeral": 0, "swap": 0, "extra_specs": {}},
            "metadata": {},
            "OS-EXT-SRV-ATTR:host": host,
            "OS-EXT-STS:task_state": None,
            "OS-EXT-STS:power_state": power,
            "OS-EXT-AZ:availability_zone": "nova",
            **more,
        }
        state = {"ACTIVE": "running", "PAUSED": "paused"}.get(status, "shut")
        self.hosts[host].guests[id_] = state
        self.allocated[id_] = {f"rp-{host}": {"VCPU": 1, "MEMORY_MB": ram, "DISK_GB": 1}}
        self.ports[id_] = {
            "id": f"port-{name}",
            "device_id": id_,
            "binding:host_id": host,
            "binding:vnic_type": "normal",
            "status": "ACTIVE" if state != "shut" else "DOWN",
            "admin_state_up": True,
        }
        self.bindings[f"port-{name}"] = {host}
        return id_

    def moved_on(self, id_: str, target: str, kind: str, status: str = "confirmed") -> Moving:
        """Let somebody move an instance, whose old host keeps it while it waits for a confirmation."""
        server = self.servers[id_]
        source = server["OS-EXT-SRV-ATTR:host"]
        one = Moving(len(self.moves) + 7, str(uuid.uuid4()), id_, source, target, kind, Course.WELL, status)
        self.moves.append(one)
        unconfirmed = status == "finished"
        self.hosts[source].guests[id_] = "shut"
        if not unconfirmed:
            self.hosts[source].guests.pop(id_)
        self.hosts[target].guests[id_] = "running"
        self.allocated[id_] = {f"rp-{target}": {"VCPU": 2, "MEMORY_MB": 512, "DISK_GB": 1}}
        port = self.ports[id_]
        port["binding:host_id"], self.bindings[port["id"]] = target, {target}
        server |= {"OS-EXT-SRV-ATTR:host": target, "status": "VERIFY_RESIZE" if unconfirmed else "ACTIVE"}
        return one

    def truth(self, id_: str) -> dict[str, str]:
        """Return which hosts have a guest, and how."""
        return {name: host.guests[id_] for name, host in self.hosts.items() if id_ in host.guests}

    def _routes(self) -> tuple[tuple[str, str, Handler], ...]:
        nova, place, net = "/compute/v2.1", "/placement", "/network/v2.0"
        return (
            ("GET", f"{nova}/", self._versions),
            ("GET", f"{nova}/servers/detail", self._list),
            ("GET", f"{nova}/os-server-groups", self._groups),
            ("GET", f"{nova}/os-services", self._services),
            ("PUT", f"{nova}/os-services/{{id}}", self._put_service),
            ("GET", f"{nova}/os-hypervisors/detail", self._hypervisors),
            ("GET", f"{nova}/os-aggregates", self._aggregates),
            ("GET", f"{nova}/os-migrations", self._migrations),
            ("GET", f"{nova}/servers/{{id}}", self._server),
            ("GET", f"{nova}/servers/{{id}}/migrations/{{mid}}", self._progress),
            ("POST", f"{nova}/servers/{{id}}/migrations/{{mid}}/action", self._force),
            ("DELETE", f"{nova}/servers/{{id}}/migrations/{{mid}}", self._abort),
            ("GET", f"{nova}/servers/{{id}}/os-instance-actions", self._actions),
            ("GET", f"{nova}/servers/{{id}}/os-instance-actions/{{rid}}", self._action_of),
            ("POST", f"{nova}/servers/{{id}}/action", self._act),
            ("GET", f"{place}/resource_providers", self._providers),
            ("GET", f"{place}/allocation_candidates", self._candidates),
            ("GET", f"{place}/resource_providers/{{rp}}/inventories", self._inventories),
            ("GET", f"{place}/resource_providers/{{rp}}/usages", self._usages),
            ("GET", f"{place}/resource_providers/{{rp}}/allocations", self._consumers),
            ("GET", f"{place}/allocations/{{id}}", self._allocations),
            ("POST", f"{place}/allocations", self._allocate),
            ("DELETE", f"{net}/ports/{{id}}/bindings/{{host}}", self._unbind),
            ("GET", f"{net}/ports", self._ports),
            ("GET", f"{net}/ports/{{id}}/bindings", self._bindings_of),
            *super()._routes(),
        )

    # -- nova

    async def _versions(self, request: web.Request) -> web.Response:
        del request
        return web.json_response({"version": {"id": "v2.1", "version": self.offered, "min_version": "2.1"}})

    async def _list(self, request: web.Request) -> web.Response:
        assert request.query["all_tenants"] == "1"
        self._expect_microversion(request)
        host = request.query["host"]
        found = [one for one in self.servers.values() if one["OS-EXT-SRV-ATTR:host"] == host]
        return web.json_response({"servers": found})

    @staticmethod
    def _expect_microversion(request: web.Request) -> None:
        assert request.headers["OpenStack-API-Version"] == "compute 2.87"

    async def _groups(self, request: web.Request) -> web.Response:
        self._expect_microversion(request)
        return web.json_response({"server_groups": self.groups})

    async def _services(self, request: web.Request) -> web.Response:
        assert request.query["binary"] == "nova-compute"
        found = [
            {
                "id": f"service-{host.name}",
                "host": host.name,
                "status": "enabled" if host.enabled else "disabled",
                "state": "up" if host.up else "down",
                "zone": host.zone,
                "disabled_reason": host.reason or None,
                "forced_down": host.fenced,
            }
            for host in self.hosts.values()
            if request.query.get("host", host.name) == host.name
        ]
        return web.json_response({"services": found})

    async def _put_service(self, request: web.Request) -> web.Response:
        host = self.hosts[request.match_info["id"].removeprefix("service-")]
        body = await request.json()
        host.enabled, host.reason = body["status"] == "enabled", body.get("disabled_reason", "")
        return web.json_response({"service": body})

    async def _hypervisors(self, request: web.Request) -> web.Response:
        self._expect_microversion(request)
        found = [
            {
                "id": host.provider,
                "hypervisor_hostname": f"{host.name}.example.org",
                "hypervisor_type": "QEMU",
                "hypervisor_version": host.version,
                "service": {"host": host.name},
                "cpu_info": {"arch": "x86_64"},
            }
            for host in self.hosts.values()
        ]
        return web.json_response({"hypervisors": found})

    async def _aggregates(self, request: web.Request) -> web.Response:
        self._expect_microversion(request)
        return web.json_response({"aggregates": self.aggregates})

    def _schedulable(self, id_: str, target: str) -> bool:
        """Say whether nova's scheduler lets an instance go to a host, by its aggregates and traits."""
        extra = self.servers[id_]["flavor"]["extra_specs"]
        told: dict[str, str] = {}
        for one in self.aggregates:
            told |= one["metadata"] if target in one["hosts"] else {}
        scope = "aggregate_instance_extra_specs:"
        wanted = {key.removeprefix(scope): value for key, value in extra.items() if key.startswith(scope)}
        traits = {key.removeprefix("trait:") for key in extra if key.startswith("trait:")}
        return wanted.items() <= told.items() and traits <= self.hosts[target].traits

    async def _server(self, request: web.Request) -> web.Response:
        found = self.servers.get(request.match_info["id"])
        return web.json_response({"server": found}) if found else self._no(404, "no such server")

    async def _migrations(self, request: web.Request) -> web.Response:
        id_ = request.query["instance_uuid"]
        found = [one for one in self.moves if one.server == id_]
        for one in found:
            self._step(one)
        self.most_at_once = max(self.most_at_once, sum(one.status in _RUNNING for one in self.moves))
        return web.json_response(
            {
                "migrations": [
                    {
                        "id": one.id,
                        "uuid": one.uuid,
                        "status": one.status,
                        "migration_type": one.kind,
                        "source_compute": one.source,
                        "dest_compute": one.target,
                    }
                    for one in found
                ]
            }
        )

    async def _progress(self, request: web.Request) -> web.Response:
        one = self._move(request)
        if one is None or one.status not in _RUNNING or one.status == "accepted":
            return self._no(404, "not in progress")
        total = GIB
        processed = total * one.step // 6 if one.status == "running" else 0
        remaining = total // 2 if one.course is Course.NEVER_ENDS else max(0, total - processed)
        body = {"id": one.id, "status": one.status, "memory_total_bytes": total}
        body |= {"memory_processed_bytes": processed, "memory_remaining_bytes": remaining}
        body |= dict.fromkeys(("disk_total_bytes", "disk_processed_bytes", "disk_remaining_bytes"), 0)
        return web.json_response({"migration": body})

    async def _force(self, request: web.Request) -> web.Response:
        one = self._move(request)
        if one is None or one.status != "running":
            return self._no(400, "not running")
        assert await request.json() == {"force_complete": None}
        one.forced = True
        return web.Response(status=202)

    async def _abort(self, request: web.Request) -> web.Response:
        one = self._move(request)
        if one is None or one.status not in {"queued", "preparing", "running"}:
            return self._no(400, "not running")
        self._end(one, "cancelled", one.source)
        return web.Response(status=202)

    def _move(self, request: web.Request) -> Moving | None:
        return next((one for one in self.moves if str(one.id) == request.match_info["mid"]), None)

    async def _actions(self, request: web.Request) -> web.Response:
        id_ = request.match_info["id"]
        known = [{"action": "live-migration", "request_id": "req-1"}] if self._last(id_) else []
        return web.json_response({"instanceActions": known})

    async def _action_of(self, request: web.Request) -> web.Response:
        last = self._last(request.match_info["id"])
        failed = last is not None and last.status in {"error", "failed"}
        events = [{"event": "x", "result": "Error", "details": "No valid host was found."}] if failed else []
        return web.json_response({"instanceAction": {"events": events}})

    def _last(self, id_: str) -> Moving | None:
        return next((one for one in reversed(self.moves) if one.server == id_), None)

    async def _act(self, request: web.Request) -> web.Response:
        id_ = request.match_info["id"]
        body = await request.json()
        [(verb, facts)] = body.items()
        server = self.servers.get(id_)
        if server is None:
            return self._no(404, "no such server")
        if verb in {"os-migrateLive", "migrate"}:
            self._expect_microversion(request)
            return self._begin(
                id_, facts["host"], "live-migration" if verb == "os-migrateLive" else "migration"
            )
        if verb == "os-resetState":
            server["status"], server["OS-EXT-STS:task_state"] = facts["state"].upper(), None
            return web.Response(status=202)
        assert verb == "confirmResize"
        return self._confirm(id_)

    def _begin(self, id_: str, target: str, kind: str) -> web.Response:
        server = self.servers[id_]
        self.requests.append((id_, target))
        course = self.courses[id_].pop(0) if self.courses.get(id_) else Course.WELL
        if not self._schedulable(id_, target):
            course = Course.NO_VALID_HOST
        if course is Course.LOST_REQUEST:
            return self._no(503, "nobody is there")
        if course is Course.REFUSED:
            return self._no(400, "it cannot be migrated")
        if id_ in self.hosts[target].directories:
            return self._no(400, "the supplied disk path already exists")
        if any(one.server == id_ and one.status in _RUNNING for one in self.moves):
            self.overlapping = True
        if server["OS-EXT-STS:task_state"]:
            return self._no(409, "it is in task_state migrating")
        allowed = {"ACTIVE", "PAUSED"} if kind == "live-migration" else {"ACTIVE", "SHUTOFF"}
        if server["status"] not in allowed:
            return self._no(409, f"it is {server['status']}")
        source = server["OS-EXT-SRV-ATTR:host"]
        one = Moving(len(self.moves) + 7, str(uuid.uuid4()), id_, source, target, kind, course)
        self.moves.append(one)
        server["OS-EXT-STS:task_state"] = "migrating" if kind == "live-migration" else "resize_prep"
        self.allocated[one.uuid] = self.allocated[id_]
        self.allocated[id_] = self._held_at(target, self.allocated[id_])
        return (
            self._no(504, "no answer in time") if course is Course.LOST_ANSWER else web.Response(status=202)
        )

    def _step(self, one: Moving) -> None:
        """Let a migration go on."""
        if one.status not in _RUNNING:
            return
        one.step += 1
        if one.kind == "migration":
            self._step_cold(one)
            return
        if one.course is Course.NO_VALID_HOST and one.step > 1:
            self._end(one, "error", one.source)
        elif one.step == 2:
            one.status = "preparing"
        elif one.step == 3:
            one.status = "running"
            self.bindings[self.ports[one.server]["id"]].add(one.target)
            self.hosts[one.target].guests[one.server] = "paused"
        elif one.course is Course.TARGET_DIES and one.step == 5:
            self.hosts[one.target].up = False
            self._end(one, "error", one.source)
        elif one.step > 6 and (one.course is not Course.NEVER_ENDS or one.forced):
            self._finish(one)

    def _finish(self, one: Moving) -> None:
        faulty = {
            Course.ERROR_AT_TARGET: ("error", one.target, "ERROR"),
            Course.RACE: ("error", one.target, "ERROR"),
            Course.ERROR_AT_SOURCE: ("error", one.source, "ERROR"),
            Course.LEFT_BEHIND: ("error", one.source, "ERROR"),
            Course.ERROR_AND_DEAD: ("error", one.target, "ERROR"),
            Course.SILENTLY_BACK: ("completed", one.source, None),
        }
        status, place, said = faulty.get(one.course, ("completed", one.target, None))
        self._end(one, status, place)
        server = self.servers[one.server]
        if said:
            server["status"] = said
        self._spoil(one, server)

    def _spoil(self, one: Moving, server: dict[str, Any]) -> None:  # noqa: C901 - one line for each course
        """Leave behind what a migration of this course does."""
        if one.course is Course.RACE:
            server["OS-EXT-STS:task_state"] = "migrating"
        if one.course is Course.ERROR_AND_DEAD:
            self.hosts[one.target].guests[one.server] = "shut"
        if one.course is Course.ON_BOTH:
            self.hosts[one.source].guests[one.server] = "running"
        if one.course is Course.ON_NEITHER:
            self.hosts[one.target].guests.pop(one.server)
        if one.course in {Course.LEFTOVER_ALLOCATION, Course.RACE}:
            self.allocated[one.uuid] = {self.hosts[one.source].provider: {"VCPU": 1}}
        if one.course in {Course.LEFTOVER_BINDING, Course.RACE}:
            self.bindings[self.ports[one.server]["id"]].add(one.source)
        if one.course is Course.RACE:
            self.hosts[one.source].directories.add(one.server)
        if one.course is Course.LEFT_BEHIND:
            self._leave_behind(one)
        if one.course is Course.DELETED_MEANWHILE:
            self.hosts[one.target].guests.pop(one.server)
            self.servers.pop(one.server)
            self.ports.pop(one.server)

    def _leave_behind(self, one: Moving) -> None:
        """Keep what was for the move, as Zed does where libvirtd died at the source."""
        self.allocated[one.uuid] = self.allocated[one.server]
        (held,) = self.allocated[one.server].values()
        self.allocated[one.server] = {self.hosts[one.target].provider: dict(held)}
        self.bindings[self.ports[one.server]["id"]].add(one.target)

    def _end(self, one: Moving, status: str, place: str) -> None:
        """End a migration with the instance at one of its ends, and everything tidy."""
        other = one.source if place == one.target else one.target
        state = self.hosts[one.source].guests.get(one.server) or "running"
        self.hosts[other].guests.pop(one.server, None)
        self.hosts[place].guests[one.server] = state
        one.status = status
        server = self.servers[one.server]
        server["OS-EXT-STS:task_state"], server["OS-EXT-SRV-ATTR:host"] = None, place
        self.allocated[one.server] = self._held_at(place, self.allocated.pop(one.uuid))
        port = self.ports[one.server]
        port["binding:host_id"] = place
        self.bindings[port["id"]] = {place}

    def _held_at(self, host: str, held: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
        """Return the same of another host's providers."""
        parts = {f"{self.hosts[host].provider}{part}": part for part in ("", "-nic")}
        found = {"-nic" if one.endswith("-nic") else "": resources for one, resources in held.items()}
        return {one: dict(found[part]) for one, part in parts.items() if part in found}

    def _step_cold(self, one: Moving) -> None:
        server = self.servers[one.server]
        if one.step == 2:
            one.status = "migrating"
            self.hosts[one.source].guests[one.server] = "shut"
        elif one.step == 4:
            one.status = "finished"
            off = server["status"] == "SHUTOFF"
            self.hosts[one.target].guests[one.server] = "shut" if off else "running"
            server |= {"status": "VERIFY_RESIZE", "OS-EXT-STS:task_state": None}
            server |= {"OS-EXT-SRV-ATTR:host": one.target, "was_off": off}

    def _confirm(self, id_: str) -> web.Response:
        server, one = self.servers[id_], self._last(id_)
        assert one is not None
        if server["status"] != "VERIFY_RESIZE":
            return self._no(409, "nothing to confirm")
        one.status = "confirmed"
        self.hosts[one.source].guests.pop(id_, None)
        self.allocated.pop(one.uuid)
        self.ports[id_]["binding:host_id"] = one.target
        self.bindings[self.ports[id_]["id"]] = {one.target}
        server["status"] = "SHUTOFF" if server["was_off"] else "ACTIVE"
        return web.Response(status=204)

    # -- placement

    async def _providers(self, request: web.Request) -> web.Response:
        assert request.headers["OpenStack-API-Version"] == "placement 1.36"
        wanted = request.query.get("name", "").partition(".")[0]
        tree = request.query.get("in_tree")
        found = [host for host in self.hosts.values() if host.name == wanted or host.provider == tree]
        tree_of = ("", "-nic") if tree else ("",)
        uuids = [f"{host.provider}{part}" for host in found for part in tree_of]
        return web.json_response({"resource_providers": [{"uuid": one} for one in uuids]})

    async def _candidates(self, request: web.Request) -> web.Response:
        """Only hosts whose own provider has room for what is asked, with all of its resources and traits."""
        assert request.headers["OpenStack-API-Version"] == "placement 1.36"
        asked = dict(pair.split(":") for pair in request.query["resources"].split(","))
        summaries = {}
        for host in self.hosts.values():
            used = self._used(host.provider)
            own = {
                name: {"capacity": total, "used": used.get(name, 0)} for name, total in _totals(host).items()
            }
            room = {name: one["capacity"] - one["used"] for name, one in own.items()}
            if all(room.get(name, 0) >= int(amount) for name, amount in asked.items()):
                root = {"root_provider_uuid": host.provider, "traits": sorted(host.traits)}
                nic = {"resources": {"NET_BW_EGR_KILOBIT_PER_SEC": {"capacity": 9000, "used": 0}}}
                summaries[host.provider] = {"resources": own, "parent_provider_uuid": None, **root}
                summaries[f"{host.provider}-nic"] = {**nic, "parent_provider_uuid": host.provider, **root}
        return web.json_response({"allocation_requests": [], "provider_summaries": summaries})

    async def _inventories(self, request: web.Request) -> web.Response:
        host = self._host_of(request.match_info["rp"])
        found = {
            name: {"total": n, "reserved": 0, "allocation_ratio": 1.0} for name, n in _totals(host).items()
        }
        return web.json_response({"inventories": found})

    async def _usages(self, request: web.Request) -> web.Response:
        return web.json_response({"usages": self._used(request.match_info["rp"])})

    def _used(self, provider: str) -> dict[str, int]:
        used: dict[str, int] = {}
        for held in self.allocated.values():
            for name, amount in held.get(provider, {}).items():
                used[name] = used.get(name, 0) + amount
        return used

    async def _consumers(self, request: web.Request) -> web.Response:
        provider = request.match_info["rp"]
        held = {
            one: {"resources": found[provider]} for one, found in self.allocated.items() if provider in found
        }
        return web.json_response({"allocations": held})

    def _host_of(self, provider: str) -> Host:
        return next(host for host in self.hosts.values() if host.provider == provider)

    async def _allocations(self, request: web.Request) -> web.Response:
        consumer = request.match_info["id"]
        held = self.allocated.get(consumer)
        if not held:
            return web.json_response({"allocations": {}})
        found = {provider: {"resources": resources} for provider, resources in held.items()}
        return web.json_response({"allocations": found, **self._owner(consumer)})

    def _owner(self, consumer: str) -> dict[str, Any]:
        """Return whose a consumer is, with a generation that every change makes another one."""
        held = self.allocated.get(consumer)
        generation = zlib.crc32(repr(held).encode()) if held else None
        return {"project_id": "p", "user_id": "u", "consumer_generation": generation}

    async def _allocate(self, request: web.Request) -> web.Response:
        """All consumers at once, or none: where one has changed, the whole is refused."""
        asked = await request.json()
        for consumer, wanted in asked.items():
            if wanted != {"allocations": wanted["allocations"], **self._owner(consumer)}:
                return self._no(409, "consumer generation conflict")
        for consumer, wanted in asked.items():
            held = {provider: one["resources"] for provider, one in wanted["allocations"].items()}
            self.allocated[consumer] = held
            if not held:
                self.allocated.pop(consumer)
        return web.Response(status=204)

    # -- neutron

    async def _ports(self, request: web.Request) -> web.Response:
        host, device = request.query.get("binding:host_id"), request.query.get("device_id")
        found = [
            port
            for port in self.ports.values()
            if (host is None or port["binding:host_id"] == host)
            and (device is None or port["device_id"] == device)
        ]
        return web.json_response({"ports": found})

    async def _bindings_of(self, request: web.Request) -> web.Response:
        port = request.match_info["id"]
        bound = next(one["binding:host_id"] for one in self.ports.values() if one["id"] == port)
        found = [
            {"host": host, "status": "ACTIVE" if host == bound else "INACTIVE"}
            for host in sorted(self.bindings[port])
        ]
        return web.json_response({"bindings": found})

    async def _unbind(self, request: web.Request) -> web.Response:
        self.bindings[request.match_info["id"]].remove(request.match_info["host"])
        return web.Response(status=204)

    @staticmethod
    def _no(status: int, message: str) -> web.Response:
        return web.json_response({"refusal": {"code": status, "message": message}}, status=status)


def _totals(host: Host) -> dict[str, int]:
    return {"VCPU": 16, "MEMORY_MB": host.memory, "DISK_GB": 100}


_RUNNING = {"accepted", "queued", "preparing", "running", "migrating", "post-migrating"}
