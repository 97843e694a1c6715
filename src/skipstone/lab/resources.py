"""What an operator and users have in the cloud: accounts, catalogue, networks, an image, instances, a stack.

Made through the APIs from this machine, as anybody would.
"""

import importlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from skipstone.errors import LabError
from skipstone.lab.access import CLOUD
from skipstone.lab.configuration import PASSWORD, REGION, Configuration
from skipstone.lab.place import Place
from skipstone.lab.release import Project
from skipstone.lab.waiting import fetch, wait_for

FLAVOR = "m1.nano"
IMAGE = "tiny"
ROUTED = "routed"
STACK = """
heat_template_version: "2018-08-31"
description: proof that stacks survive
resources:
  secret: {type: "OS::Heat::RandomString", properties: {length: 16}}
  nothing: {type: "OS::Heat::None"}
"""
# user -> service type and the end of its addresses
SERVICES: dict[str, tuple[str, str]] = {
    "glance": ("image", ":9292"),
    "placement": ("placement", ":8778"),
    "nova": ("compute", ":8774/v2.1"),
    "neutron": ("network", ":9696"),
    "cinder": ("volumev3", ":8776/v3/%(project_id)s"),
    "heat": ("orchestration", ":8004/v1/%(project_id)s"),
}


def connect(place: Place) -> Any:  # noqa: ANN401 - openstacksdk is not typed
    """Return an administrator's connection to the cloud."""
    # "failed to discover identity versions": of a Keystone that is still starting, which is asked again
    logging.getLogger("keystoneauth").setLevel(logging.ERROR)
    openstack = importlib.import_module("openstack")  # takes a second, and most verbs do not need it
    config = importlib.import_module("openstack.config")
    region = config.OpenStackConfig(config_files=[str(place.clouds)]).get_one(CLOUD, api_timeout=60)
    return openstack.connection.Connection(config=region)


@contextmanager
def told(what: str) -> Iterator[None]:
    """Raise LabError, saying what was attempted, for any error that the client library raises within."""
    refusals = importlib.import_module("openstack.exceptions").SDKException
    failures = importlib.import_module("keystoneauth1.exceptions").ClientException
    try:
        yield
    except (refusals, failures) as error:
        raise LabError(
            f"{what}: the cloud refused", evidence=str(error), remedy="skipstone lab status"
        ) from error


def make_accounts(cloud: Any, configuration: Configuration) -> None:  # noqa: ANN401
    """Make the service users, their roles, and the catalogue."""
    controller = configuration.topology.controller.address
    wait_for("Keystone answers", lambda: fetch(f"http://{controller}:5000/v3"), 60)
    identity = cloud.identity
    project = identity.create_project(name="service", domain_id="default")
    roles = [identity.find_role("admin", ignore_missing=False)]
    if configuration.release.service_role:
        roles.append(identity.find_role("service", ignore_missing=False))
    for name, (kind, suffix) in SERVICES.items():
        if name in set(Project) - configuration.projects:
            continue
        user = identity.create_user(name=name, password=PASSWORD, domain_id="default")
        for role in roles:
            identity.assign_project_role_to_user(project, user, role)
        service = identity.create_service(name=name, type=kind)
        url = f"http://{controller}{suffix}"
        for interface in ("public", "internal", "admin"):
            identity.create_endpoint(service_id=service.id, interface=interface, url=url, region_id=REGION)
    if Project.HEAT in configuration.projects:
        _make_heat_domain(identity)


def _make_heat_domain(identity: Any) -> None:  # noqa: ANN401
    domain = identity.create_domain(name="heat")
    user = identity.create_user(name="heat_domain_admin", password=PASSWORD, domain_id=domain.id)
    admin = identity.find_role("admin", ignore_missing=False)
    identity.assign_domain_role_to_user(domain, user, admin)
    for role in ("heat_stack_owner", "heat_stack_user"):
        identity.create_role(name=role)


def make_networks(cloud: Any, configuration: Configuration) -> None:  # noqa: ANN401
    """Make the provider network, a tenant network behind a router, and rules that let everything in."""
    topology, network = configuration.topology, cloud.network
    provider = network.create_network(
        name="provider",
        is_router_external=True,
        is_shared=True,
        provider_network_type="flat",
        provider_physical_network="physnet1",
    )
    network.create_subnet(
        name="provider",
        network_id=provider.id,
        ip_version=4,
        cidr=str(topology.provider.network),
        gateway_ip=str(topology.provider.ip),
        allocation_pools=[{"start": topology.pool[0], "end": topology.pool[1]}],
    )
    # Victoria's DHCP agent forgets one of two networks that are its first at the same time
    wait_for("DHCP serves the provider network", lambda: _dhcp_serves(cloud, provider), 120)
    tenant = network.create_network(name=ROUTED)
    subnet = network.create_subnet(name=ROUTED, network_id=tenant.id, ip_version=4, cidr=str(topology.tenant))
    router = network.create_router(name=ROUTED, external_gateway_info={"network_id": provider.id})
    network.add_interface_to_router(router, subnet_id=subnet.id)
    group = next(iter(network.security_groups(name="default", project_id=cloud.current_project_id)))
    for protocol in ("icmp", "tcp"):
        network.create_security_group_rule(
            security_group_id=group.id, direction="ingress", ether_type="IPv4", protocol=protocol
        )


def _dhcp_serves(cloud: Any, network: Any) -> bool:  # noqa: ANN401
    ports = cloud.network.ports(network_id=network.id, device_owner="network:dhcp")
    return any(port.status == "ACTIVE" for port in ports)


def make_image(cloud: Any, file: Path) -> None:  # noqa: ANN401
    """Upload the guest's disk, and make the flavor it needs."""
    cloud.create_image(
        IMAGE,
        filename=str(file),
        disk_format="qcow2",
        container_format="bare",
        visibility="public",
        wait=True,
    )
    cloud.compute.create_flavor(name=FLAVOR, ram=96, vcpus=1, disk=1)


def make_instances(cloud: Any, configuration: Configuration) -> None:  # noqa: ANN401
    """Start the instances of each compute host on the provider network, and one behind the router.

    Raises LabError when one does not become active.
    """
    computes = configuration.topology.computes
    names = ("on", *(f"{number}-on" for number in range(2, configuration.topology.instances + 1)))
    servers = [
        _start_instance(cloud, f"{name}-{node.name}", "provider", node.name)
        for name in names
        for node in computes
    ]
    servers.append(_start_instance(cloud, ROUTED, ROUTED, computes[0].name))
    for server in servers:
        cloud.compute.wait_for_server(server, wait=300, interval=1)
    _give_address(cloud, servers[-1])


def _start_instance(cloud: Any, name: str, network: str, host: str) -> Any:  # noqa: ANN401
    return cloud.compute.create_server(
        name=name,
        image_id=cloud.image.find_image(IMAGE, ignore_missing=False).id,
        flavor_id=cloud.compute.find_flavor(FLAVOR, ignore_missing=False).id,
        networks=[{"uuid": cloud.network.find_network(network, ignore_missing=False).id}],
        availability_zone=f"nova:{host}",
    )


def _give_address(cloud: Any, server: Any) -> None:  # noqa: ANN401
    provider = cloud.network.find_network("provider", ignore_missing=False)
    port = next(iter(cloud.network.ports(device_id=server.id)))
    cloud.network.create_ip(floating_network_id=provider.id, port_id=port.id)


def make_stack(cloud: Any) -> None:  # noqa: ANN401
    """Make one stack."""
    cloud.orchestration.create_stack(name="lab", template=yaml.safe_load(STACK))
    wait_for("the stack is complete", lambda: _stack_status(cloud) == "CREATE_COMPLETE", 120)


def _stack_status(cloud: Any) -> str:  # noqa: ANN401
    return str(cloud.orchestration.find_stack("lab", ignore_missing=False).status)
