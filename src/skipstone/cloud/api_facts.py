"""What the APIs know: agents, hypervisors, instances, networks, volumes, endpoints, roles."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

from skipstone.catalog import Catalog
from skipstone.cloud.api import Api, ApiSilent, Json, NoSuchService, problem
from skipstone.cloud.model import (
    Agent,
    Aggregate,
    Endpoint,
    Hypervisor,
    Instance,
    Network,
    Problem,
    Role,
    Volume,
)

SERVICE_PROJECTS = ("service", "services")
"""What the project of the services' own users is called."""


class Survey:
    """One service's answers: fields of Cloud and of Counts by name, and what went unanswered."""

    def __init__(self, api: Api, types: Iterable[str]) -> None:
        self._api = api
        self._types = tuple(types)
        self.fields: dict[str, Any] = {}
        self.counts: dict[str, int] = {}
        self.problems: list[Problem] = []

    def list(self, path: str, key: str) -> list[Json]:
        """Return all items of one of the service's lists."""
        return self._api.pages(self._types, path, key)

    def ask(self, field: str, question: Callable[[], Iterable[Any]]) -> None:
        """Ask for a field of Cloud; a service that the cloud has not is no problem, and has no field."""
        try:
            self.fields[field] = tuple(question())
        except NoSuchService:
            return
        except ApiSilent as error:
            self.problems.append(problem(error, field))

    def count(self, what: str, path: str, key: str) -> None:
        """Count one of the service's lists."""
        try:
            self.counts[what] = len(self.list(path, key))
        except NoSuchService:
            return
        except ApiSilent as error:
            self.problems.append(problem(error, what))


def identity(survey: Survey) -> None:
    """Endpoints, roles, and how many projects and users there are."""
    survey.ask("endpoints", lambda: _endpoints(survey))
    survey.ask("roles", lambda: _roles(survey))
    survey.count("projects", "/projects", "projects")
    survey.count("users", "/users", "users")


def _endpoints(survey: Survey) -> Iterable[Endpoint]:
    services = {item["id"]: item for item in survey.list("/services", "services")}
    found = [
        Endpoint(
            service_type=services[item["service_id"]]["type"],
            service_name=services[item["service_id"]].get("name", ""),
            interface=item["interface"],
            region=item.get("region_id") or item.get("region") or "",
            url=item["url"],
        )
        for item in survey.list("/endpoints", "endpoints")
        if item["service_id"] in services and item.get("enabled", True)
    ]
    return sorted(found, key=attrgetter("service_type", "region", "interface", "url"))


def _roles(survey: Survey) -> Iterable[Role]:
    holders: dict[str, set[str]] = {}
    for project in survey.list("/projects", "projects"):
        if project["name"] in SERVICE_PROJECTS:
            path = f"/role_assignments?include_names=true&effective=true&scope.project.id={project['id']}"
            for item in survey.list(path, "role_assignments"):
                holders.setdefault(item["role"]["id"], set()).add(item["user"]["name"])
    return [
        Role(name=item["name"], service_users=tuple(sorted(holders.get(item["id"], ()))))
        for item in sorted(survey.list("/roles", "roles"), key=lambda role: str(role["name"]))
    ]


def compute(survey: Survey) -> None:
    """Nova's services, hypervisors and instances, at microversion 2.1, which every release answers alike."""
    survey.ask("agents", lambda: [_service("nova", item) for item in survey.list("/os-services", "services")])
    survey.ask("aggregates", lambda: _aggregates(survey))
    survey.ask("hypervisors", lambda: _hypervisors(survey))
    survey.ask("instances", lambda: _instances(survey))
    survey.count("flavors", "/flavors?is_public=None", "flavors")


def _aggregates(survey: Survey) -> Iterable[Aggregate]:
    found = [
        Aggregate(name=item["name"], zone=item.get("availability_zone"), hosts=tuple(sorted(item["hosts"])))
        for item in survey.list("/os-aggregates", "aggregates")
    ]
    return sorted(found, key=attrgetter("name"))


def _hypervisors(survey: Survey) -> Iterable[Hypervisor]:
    found = [
        Hypervisor(
            host=item.get("service", {}).get("host") or item["hypervisor_hostname"],
            type=item["hypervisor_type"],
            version=item["hypervisor_version"],
            running_vms=item.get("running_vms") or 0,
        )
        for item in survey.list("/os-hypervisors/detail", "hypervisors")
    ]
    return sorted(found, key=attrgetter("host"))


def _instances(survey: Survey) -> Iterable[Instance]:
    found = map(_instance, survey.list("/servers/detail?all_tenants=1", "servers"))
    return sorted(found, key=attrgetter("name", "id"))


def _instance(item: Json) -> Instance:
    addresses = [address for network in item.get("addresses", {}).values() for address in network]
    by_type = sorted(addresses, key=lambda address: str(address.get("OS-EXT-IPS:type", "fixed")))
    return Instance(
        id=item["id"],
        name=item["name"],
        project=item["tenant_id"],
        host=item.get("OS-EXT-SRV-ATTR:host"),
        status=item["status"],
        task=item.get("OS-EXT-STS:task_state"),
        addresses=tuple(address["addr"] for address in by_type),
        volumes=tuple(v["id"] for v in item.get("os-extended-volumes:volumes_attached", ())),
    )


def network(survey: Survey) -> None:
    """Neutron's agents and networks, and how many ports, routers and floating addresses there are."""
    survey.ask("agents", lambda: map(_network_agent, survey.list("/agents", "agents")))
    survey.ask("networks", lambda: _networks(survey))
    survey.count("routers", "/routers?fields=id", "routers")
    survey.count("floating_ips", "/floatingips?fields=id", "floatingips")


def _networks(survey: Survey) -> Iterable[Network]:
    ports: dict[str, int] = {}
    for port in survey.list("/ports?fields=id&fields=network_id", "ports"):
        ports[port["network_id"]] = ports.get(port["network_id"], 0) + 1
    survey.counts["ports"] = sum(ports.values())
    found = [
        Network(
            id=item["id"],
            name=item["name"],
            external=item.get("router:external", False),
            type=item.get("provider:network_type"),
            ports=ports.get(item["id"], 0),
        )
        for item in survey.list("/networks", "networks")
    ]
    return sorted(found, key=attrgetter("name", "id"))


def _network_agent(item: Json) -> Agent:
    return Agent(
        service="neutron",
        binary=item["binary"],
        host=item["host"],
        alive=item["alive"],
        enabled=item["admin_state_up"],
        heartbeat=_age(item.get("heartbeat_timestamp")),
    )


def storage(survey: Survey) -> None:
    """Cinder's services and volumes."""
    survey.ask(
        "agents", lambda: [_service("cinder", item) for item in survey.list("/os-services", "services")]
    )
    survey.ask("volumes", lambda: _volumes(survey))


def _volumes(survey: Survey) -> Iterable[Volume]:
    found = [
        Volume(
            id=item["id"],
            name=item.get("name") or "",
            status=item["status"],
            size=item["size"],
            type=item.get("volume_type"),
        )
        for item in survey.list("/volumes/detail?all_tenants=1", "volumes")
    ]
    return sorted(found, key=attrgetter("name", "id"))


def image(survey: Survey) -> None:
    """How many images there are."""
    survey.count("images", "/images", "images")


def orchestration(survey: Survey) -> None:
    """Heat's engines; its stacks are read from its database, for its policy lets nobody list them all."""
    survey.ask("agents", lambda: [_service("heat", item) for item in survey.list("/services", "services")])


def _service(service: str, item: Json) -> Agent:
    """Return a row of a service list, which nova, cinder and heat give in the same form."""
    return Agent(
        service=service,
        binary=item["binary"],
        host=item["host"],
        alive=item.get("state", item.get("status")) == "up",
        enabled=item.get("status") != "disabled",
        heartbeat=_age(item.get("updated_at")),
        zone=item.get("zone"),
    )


def _age(timestamp: str | None) -> float | None:
    """Return the seconds since a time that an API told; all of them tell UTC, some without saying so."""
    if not timestamp:
        return None
    then = datetime.fromisoformat(timestamp)
    then = then.replace(tzinfo=UTC) if then.tzinfo is None else then
    return max(0.0, round((datetime.now(UTC) - then).total_seconds(), 1))


SURVEYS: dict[str, Callable[[Survey], None]] = {
    "keystone": identity,
    "nova": compute,
    "neutron": network,
    "cinder": storage,
    "glance": image,
    "heat": orchestration,
}
"""Service of the catalog -> what is asked of its API."""


def survey_service(api: Api, catalog: Catalog, service: str) -> Survey:
    """Ask one service everything; blocks, so call it in a thread."""
    survey = Survey(api, catalog.service(service).types)
    SURVEYS[service](survey)
    return survey
