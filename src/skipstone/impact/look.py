"""Taking a look at a cloud from outside: its public APIs, and its instances' addresses.

Nothing is changed. What cannot be asked is said, never taken for empty. Microversions are fixed, so that
the same question has the same form of answer before and after an upgrade.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from skipstone.catalog import Catalog
from skipstone.impact.calls import NAME
from skipstone.impact.clock import Clock
from skipstone.impact.credentials import CloudAccess
from skipstone.impact.icmp import Pinger
from skipstone.impact.instance import BootProbe, PingProbe
from skipstone.impact.outside import NoService, Outside, outside
from skipstone.impact.sample import Kind, Probe, Reply, Sample
from skipstone.impact.verification import Look, Subject, Thing
from skipstone.impact.wire import Unserved, new_http

_TRIES = 3
_LIMIT = 3.0
_COMPUTE = {"OpenStack-API-Version": "compute 2.53"}  # Pike
_PLACEMENT = {"OpenStack-API-Version": "placement 1.6"}


async def take_look(name: str, access: CloudAccess, catalog: Catalog, *, boot_port: int = 80) -> Look:
    """Return what can be seen of a cloud now; raise SkipstoneError where nobody can log in.

    ``boot_port`` is where instances serve their boot-id.
    """
    async with outside(access, catalog) as cloud:
        seen = await asyncio.gather(*(_ask(collect(cloud, catalog)) for collect in COLLECTORS.values()))
    things = [thing for found in seen if isinstance(found, list) for thing in found]
    unasked = {
        subject: found for subject, found in zip(COLLECTORS, seen, strict=True) if isinstance(found, str)
    }
    return Look(
        cloud=name,
        taken_at=datetime.now(UTC),
        things=tuple(await _with_answers(things, boot_port)),
        unasked=unasked,
    )


async def _ask(collecting: Awaitable[list[Thing]]) -> list[Thing] | str:
    try:
        found = await collecting
    except NoService:
        return []
    except Unserved as fault:
        return fault.reason
    except (KeyError, TypeError, ValueError) as fault:
        return f"an answer of another form: {type(fault).__name__} {fault}"
    return [thing for thing in found if thing.name != NAME]


async def _apis(cloud: Outside, catalog: Catalog) -> list[Thing]:
    async def one(name: str) -> Thing:
        service = catalog.service(name)
        try:
            status, version = await cloud.version(service)
            served = status in service.api.statuses
            facts = {"answers": "yes" if served else f"HTTP {status}", "version": version or ""}
        except Unserved as fault:
            facts = {"answers": fault.reason, "version": ""}
        return Thing(subject=Subject.API, id=name, name=name, facts=facts)

    return list(await asyncio.gather(*(one(name) for name in cloud.roots)))


async def _instances(cloud: Outside, _: Catalog) -> list[Thing]:
    servers = await cloud.pages("nova", "/v2.1/servers/detail?all_tenants=1", "servers", _COMPUTE)
    return [
        _thing(
            Subject.INSTANCE,
            server,
            status=server["status"],
            host=server["OS-EXT-SRV-ATTR:host"],
            project=server["tenant_id"],
            addresses=_joined(one["addr"] for ports in server["addresses"].values() for one in ports),
            volumes=_joined(one["id"] for one in server["os-extended-volumes:volumes_attached"]),
        )
        for server in servers
    ]


async def _networks(cloud: Outside, _: Catalog) -> list[Thing]:
    found = await cloud.pages(
        "neutron", "/v2.0/networks?fields=id&fields=name&fields=status&fields=subnets", "networks"
    )
    return [
        _thing(Subject.NETWORK, one, status=one["status"], subnets=_joined(one["subnets"])) for one in found
    ]


async def _routers(cloud: Outside, _: Catalog) -> list[Thing]:
    found = await cloud.pages("neutron", "/v2.0/routers", "routers")
    return [
        _thing(
            Subject.ROUTER,
            one,
            status=one["status"],
            gateway=_joined(
                ip["ip_address"] for ip in (one["external_gateway_info"] or {}).get("external_fixed_ips", ())
            ),
        )
        for one in found
    ]


async def _floating_ips(cloud: Outside, _: Catalog) -> list[Thing]:
    found = await cloud.pages("neutron", "/v2.0/floatingips", "floatingips")
    return [
        _thing(
            Subject.FLOATING_IP,
            one | {"name": one["floating_ip_address"]},
            status=one["status"],
            fixed=one["fixed_ip_address"],
            port=one["port_id"],
        )
        for one in found
    ]


async def _ports(cloud: Outside, _: Catalog) -> list[Thing]:
    found = await cloud.pages("neutron", "/v2.0/ports", "ports")
    return [
        _thing(
            Subject.PORT,
            one | {"name": one["name"] or one["device_owner"]},
            status=one["status"],
            host=one.get("binding:host_id"),
            device=one["device_id"],
            mac=one["mac_address"],
            addresses=_joined(ip["ip_address"] for ip in one["fixed_ips"]),
        )
        for one in found
    ]


async def _volumes(cloud: Outside, _: Catalog) -> list[Thing]:
    found = await cloud.pages("cinder", f"/v3/{cloud.project}/volumes/detail?all_tenants=1", "volumes")
    return [
        _thing(
            Subject.VOLUME,
            one,
            status=one["status"],
            size=one["size"],
            type=one["volume_type"],
            attached=_joined(at["server_id"] for at in one["attachments"]),
        )
        for one in found
    ]


async def _stacks(cloud: Outside, _: Catalog) -> list[Thing]:
    found = await cloud.pages("heat", f"/v1/{cloud.project}/stacks?global_tenant=false", "stacks")
    return [
        _thing(Subject.STACK, one | {"name": one["stack_name"]}, status=one["stack_status"]) for one in found
    ]


async def _images(cloud: Outside, _: Catalog) -> list[Thing]:
    images: list[dict[str, Any]] = []
    path: str | None = "/v2/images?limit=500"
    while path:
        page = await cloud.get("glance", path)
        images += page["images"]
        path = page.get("next")
    return [
        _thing(Subject.IMAGE, one, status=one["status"], checksum=one.get("checksum"), size=one.get("size"))
        for one in images
    ]


async def _allocations(cloud: Outside, _: Catalog) -> list[Thing]:
    """Return what each consumer holds: its resources summed, and on which providers."""
    providers = await cloud.pages("placement", "/resource_providers", "resource_providers", _PLACEMENT)
    paths = [f"/resource_providers/{one['uuid']}/allocations" for one in providers]
    held = await asyncio.gather(*(cloud.get("placement", path, _PLACEMENT) for path in paths))
    resources: dict[str, Counter[str]] = {}
    holders: dict[str, list[str]] = {}
    for provider, found in zip(providers, held, strict=True):
        for consumer, allocation in found["allocations"].items():
            resources.setdefault(consumer, Counter()).update(allocation["resources"])
            holders.setdefault(consumer, []).append(provider["name"])
    return [
        Thing(
            subject=Subject.ALLOCATION,
            id=consumer,
            name="",
            facts={
                "resources": _joined(f"{name}={count}" for name, count in counts.items()),
                "providers": _joined(holders[consumer]),
            },
        )
        for consumer, counts in resources.items()
    ]


async def _quotas(cloud: Outside, _: Catalog) -> list[Thing]:
    projects = [
        one for one in await cloud.pages("keystone", "/v3/projects", "projects") if one["name"] != NAME
    ]
    paths = {
        "nova": ("/v2.1/os-quota-sets/{}", "quota_set"),
        "neutron": ("/v2.0/quotas/{}", "quota"),
        "cinder": (f"/v3/{cloud.project}/os-quota-sets/{{}}", "quota_set"),
    }

    async def one(service: str, project: dict[str, Any]) -> Thing:
        path, key = paths[service]
        found = (await cloud.get(service, path.format(project["id"])))[key]
        facts = {name: str(limit) for name, limit in found.items() if name != "id"}
        name = f"{service} {project['name']}"
        return Thing(subject=Subject.QUOTA, id=f"{service}/{project['id']}", name=name, facts=facts)

    asked = [(service, project) for service in paths if service in cloud.roots for project in projects]
    return list(await asyncio.gather(*(one(*pair) for pair in asked)))


COLLECTORS: dict[Subject, Callable[[Outside, Catalog], Awaitable[list[Thing]]]] = {
    Subject.API: _apis,
    Subject.INSTANCE: _instances,
    Subject.NETWORK: _networks,
    Subject.ROUTER: _routers,
    Subject.FLOATING_IP: _floating_ips,
    Subject.PORT: _ports,
    Subject.VOLUME: _volumes,
    Subject.ALLOCATION: _allocations,
    Subject.QUOTA: _quotas,
    Subject.STACK: _stacks,
    Subject.IMAGE: _images,
}


def _thing(subject: Subject, found: dict[str, Any], **facts: object) -> Thing:
    said = {name: "" if value is None else str(value) for name, value in facts.items()}
    return Thing(subject=subject, id=found["id"], name=found["name"] or "", facts=said)


def _joined(values: Iterable[object]) -> str:
    return " ".join(sorted(map(str, values)))


async def _with_answers(things: list[Thing], boot_port: int) -> list[Thing]:
    """Add to each instance which of its addresses answer from here, and the boot-id that it serves."""
    pinger, clock = Pinger(), Clock()
    try:
        async with new_http(tls=True) as http:

            async def one(thing: Thing) -> Thing:
                if thing.subject is not Subject.INSTANCE:
                    return thing
                facts = dict(thing.facts)
                for address in thing.facts["addresses"].split():
                    probe = Probe(0, Kind.PING, thing.id, thing.name, address)
                    ping, boot = await asyncio.gather(
                        _answer(PingProbe(probe, pinger, clock, _LIMIT)),
                        _answer(BootProbe(probe, http, clock, boot_port, _LIMIT)),
                    )
                    facts |= {f"ping {address}": "answers"} if ping else {}
                    facts |= {"boot-id": boot.text} if boot and boot.text else {}
                return thing.model_copy(update={"facts": facts})

            return list(await asyncio.gather(*map(one, things)))
    finally:
        pinger.close()


async def _answer(probe: PingProbe | BootProbe) -> Sample | None:
    for _ in range(_TRIES):
        sample = await probe.ask()
        if sample.reply is Reply.GOOD:
            return sample
    return None
