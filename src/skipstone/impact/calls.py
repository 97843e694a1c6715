"""What each API is asked: one cheap read that goes to its database, and a pair of harmless writes.

The writes touch only what the probes own and call ``skipstone-probe``; the two of a pair are sent in turn,
so that each changes a row. Either may be repeated after a reply that was lost. ``{names}`` in paths and
bodies are filled from what the token says (``project``, ``user``, ``domain``) and from what earlier calls
learned.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

NAME = "skipstone-probe"


@dataclass(frozen=True)
class Call:
    """One request: ``good`` are the statuses that say it was served.

    ``learn`` maps a name to the path in the JSON reply where its value is found (``projects.0.id``).
    """

    method: str
    path: str
    good: frozenset[int]
    body: JsonValue = None
    headers: Mapping[str, str] = field(default_factory=dict)
    learn: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Thing:
    """What a write needs first: found by its name, else made; removed at the end.

    ``service`` says whose API makes it; ``find`` and ``make`` both learn the same name.
    """

    name: str
    service: str
    find: Call
    make: Call
    remove: Call


@dataclass(frozen=True)
class Sweep:
    """What a write may leave behind under ids of the service's choice: all of that name are removed.

    ``items`` is the key of the list in the reply; ``remove`` is filled with each one's ``id``.
    """

    list: Call
    items: str
    remove: Call


@dataclass(frozen=True)
class Questions:
    """What one service is asked.

    ``remove`` and ``sweep`` undo the writes themselves, whatever their last state was.
    """

    read: Call
    write: tuple[Call, Call]
    needs: tuple[Thing, ...] = ()
    remove: tuple[Call, ...] = ()
    sweep: Sweep | None = None


def _get(path: str, headers: Mapping[str, str] | None = None, **learn: str) -> Call:
    return Call("GET", path, frozenset({200}), headers=headers or {}, learn=learn)


def _put(
    path: str, body: JsonValue, *, method: str = "PUT", headers: Mapping[str, str] | None = None
) -> Call:
    return Call(method, path, frozenset({200, 201, 204}), body, headers or {})


def _delete(path: str, headers: Mapping[str, str] | None = None) -> Call:
    # a call may be repeated after a lost reply: gone already is good
    return Call("DELETE", path, frozenset({200, 202, 204, 404}), headers=headers or {})


_PLACEMENT = {"OpenStack-API-Version": "placement 1.6"}  # the first with traits (Pike)
_GLANCE_PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
_PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOO7Fz3eEwnGNyDUEZJ+MnR4gWQXDPsDVbHs+4OEzbZc " + NAME
_CONFIG = "/v1/{project}/software_configs"

_PROJECT = Thing(
    name="probe_project",
    service="keystone",
    find=_get(f"/v3/projects?name={NAME}&domain_id={{domain}}", probe_project="projects.0.id"),
    make=Call(
        "POST",
        "/v3/projects",
        frozenset({201}),
        {"project": {"name": NAME, "domain_id": "{domain}", "description": "made by skipstone's probes"}},
        learn={"probe_project": "project.id"},
    ),
    remove=_delete("/v3/projects/{probe_project}"),
)
_IMAGE = Thing(
    name="probe_image",
    service="glance",
    find=_get(f"/v2/images?name={NAME}&owner={{project}}", probe_image="images.0.id"),
    make=Call(
        "POST",
        "/v2/images",
        frozenset({201}),
        {"name": NAME, "visibility": "private"},
        learn={"probe_image": "id"},
    ),
    remove=_delete("/v2/images/{probe_image}"),
)


def _describe(text: str) -> Call:
    body: JsonValue = {"project": {"description": f"made by skipstone's probes ({text})"}}
    return _put("/v3/projects/{probe_project}", body, method="PATCH")


def _tag(value: str) -> Call:
    # "add" replaces what is there, so it may be repeated
    patch: JsonValue = [{"op": "add", "path": "/skipstone_probe", "value": value}]
    return _put("/v2/images/{probe_image}", patch, method="PATCH", headers=_GLANCE_PATCH)


def _cinder_quota(snapshots: int) -> Call:
    return _put("/v3/{project}/os-quota-sets/{probe_project}", {"quota_set": {"snapshots": snapshots}})


def _neutron_quota(networks: int) -> Call:
    return _put("/v2.0/quotas/{probe_project}", {"quota": {"network": networks}})


QUESTIONS: Mapping[str, Questions] = {
    # lists, not single objects: keystone answers those from memcached (dogpile) without its database
    "keystone": Questions(
        read=_get(f"/v3/projects?name={NAME}&domain_id={{domain}}"),
        write=(_describe("a"), _describe("b")),
        needs=(_PROJECT,),
    ),
    "glance": Questions(read=_get("/v2/images?limit=1"), write=(_tag("a"), _tag("b")), needs=(_IMAGE,)),
    "placement": Questions(
        read=_get(f"/resource_providers?name={NAME}", _PLACEMENT),
        write=(
            Call("PUT", "/traits/CUSTOM_SKIPSTONE_PROBE", frozenset({201, 204}), headers=_PLACEMENT),
            _delete("/traits/CUSTOM_SKIPSTONE_PROBE", _PLACEMENT),
        ),
        remove=(_delete("/traits/CUSTOM_SKIPSTONE_PROBE", _PLACEMENT),),
    ),
    # a key pair and not a quota: nova asks keystone about the project of every quota that is set (since
    # Pike), so that keystone's outage would count as nova's; 409 after a lost reply to the first
    "nova": Questions(
        read=_get("/v2.1/servers?limit=1"),
        write=(
            Call(
                "POST",
                "/v2.1/os-keypairs",
                frozenset({200, 201, 409}),
                {"keypair": {"name": NAME, "public_key": _PUBLIC_KEY}},
            ),
            _delete(f"/v2.1/os-keypairs/{NAME}"),
        ),
        remove=(_delete(f"/v2.1/os-keypairs/{NAME}"),),
    ),
    "neutron": Questions(
        read=_get("/v2.0/networks?limit=1&fields=id"),
        write=(_neutron_quota(100), _neutron_quota(101)),
        needs=(_PROJECT,),
        remove=(_delete("/v2.0/quotas/{probe_project}"),),
    ),
    "cinder": Questions(
        read=_get("/v3/{project}/volumes?limit=1"),
        write=(_cinder_quota(10), _cinder_quota(11)),
        needs=(_PROJECT,),
        remove=(_delete("/v3/{project}/os-quota-sets/{probe_project}"),),
    ),
    "heat": Questions(
        read=_get("/v1/{project}/stacks?limit=1"),
        write=(
            Call(
                "POST",
                _CONFIG,
                frozenset({200, 201}),
                {"name": NAME, "group": "Heat::Ungrouped", "config": ""},
                learn={"config": "software_config.id"},
            ),
            _delete(_CONFIG + "/{config}"),
        ),
        sweep=Sweep(_get(_CONFIG), "software_configs", _delete(_CONFIG + "/{id}")),
    ),
}
"""Catalog service -> its questions."""
