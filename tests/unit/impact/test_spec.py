from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from skipstone.cloud.inventory import Group, Inventory, InventoryHost
from skipstone.cloud.model import Cloud, Endpoint, Instance
from skipstone.impact.spec import ProbeSpec, build_spec, root_of

HOST = InventoryHost(name="ctl1", address="ctl1", groups=(Group.CONTROL,))
INVENTORY = Inventory(
    name="c", path=Path("inventory.yaml"), hosts=(HOST,), cloud="c", clouds_file=Path("/etc/clouds.yaml")
)


def endpoint(kind: str, url: str, interface: str = "public") -> Endpoint:
    return Endpoint(service_type=kind, service_name=kind, interface=interface, region="one", url=url)


def instance(number: int, host: str, *addresses: str, status: str = "ACTIVE") -> Instance:
    return Instance(
        id=f"i{number}", name=f"vm{number}", project="p", host=host, status=status, addresses=addresses
    )


def cloud(endpoints: tuple[Endpoint, ...] = (), instances: tuple[Instance, ...] = ()) -> Cloud:
    taken = datetime(2026, 11, 21, tzinfo=UTC)
    return Cloud(
        name="c",
        taken_at=taken,
        skipstone="0",
        release="zed",
        hosts=(),
        endpoints=endpoints,
        instances=instances,
    )


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("http://h:8774/v2.1", "http://h:8774"),
        ("http://h:8774/v2.1/%(tenant_id)s", "http://h:8774"),
        ("https://api.example/volume/v3/$(project_id)s", "https://api.example/volume"),
        ("http://h:9292", "http://h:9292"),
        ("http://h:9696/", "http://h:9696"),
        ("http://h/placement", "http://h/placement"),
        ("http://v2/identity/v3/", "http://v2/identity"),
        ("http://h:8004/v1/%(tenant_id)s", "http://h:8004"),
    ],
)
def test_the_root_of_an_endpoint_has_no_version_and_no_project(url: str, root: str) -> None:
    assert root_of(url) == root


def test_public_endpoints_of_known_services_are_asked_in_upgrade_order() -> None:
    endpoints = (
        endpoint("compute", "http://out:8774/v2.1"),
        endpoint("compute", "http://in:8774/v2.1", "internal"),
        endpoint("object-store", "http://out:8080/v1/AUTH_%(tenant_id)s"),
        endpoint("volumev3", "http://out:8776/v3/%(tenant_id)s"),
        endpoint("identity", "http://out:5000/v3"),
    )
    spec = build_spec(cloud(endpoints), INVENTORY, interval=2)
    assert {api.service: api.url for api in spec.apis} == {
        "keystone": "http://out:5000",
        "nova": "http://out:8774",
        "cinder": "http://out:8776",
    }
    assert spec.apis[0].service == "keystone"
    assert spec.read_interval == spec.write_interval == 2


def test_active_instances_are_asked_at_every_address() -> None:
    instances = (
        instance(1, "cmp1", "172.20.0.5", "10.88.0.120"),
        instance(2, "cmp1", status="SHUTOFF"),
        instance(3, "cmp2", "10.88.0.121"),
    )
    spec = build_spec(cloud(instances=instances), INVENTORY)
    assert [target.address for target in spec.instances] == ["172.20.0.5", "10.88.0.120", "10.88.0.121"]


def test_a_sample_of_many_instances_covers_every_compute() -> None:
    instances = tuple(instance(n, f"cmp{n // 10}", f"10.0.{n // 10}.{n % 10}") for n in range(100))
    spec = build_spec(cloud(instances=instances), INVENTORY, instances=20)
    assert len(spec.instances) == 20
    assert {target.address.split(".")[2] for target in spec.instances} == {str(n) for n in range(10)}


def test_the_hosts_that_are_upgraded_first_have_probed_instances() -> None:
    """Of two thousand computes a hundred can be probed: those that the plan begins with, the sample most."""
    instances = tuple(
        instance(100 * host + n, f"cmp{host:04}.example.org", f"10.{host // 100}.{host % 100}.{n}")
        for host in range(2000)
        for n in range(20)
    )
    order = ("cmp1999", *(f"cmp{host:04}" for host in range(1500, 1999)))
    spec = build_spec(cloud(instances=instances), INVENTORY, waves=(order[:1], order[1:]))
    hosts = Counter(int(target.id[1:]) // 100 for target in spec.instances)
    assert len(spec.instances) == 100
    assert hosts.pop(1999) == 20, "all of the sample's"
    assert hosts == dict.fromkeys(range(1500, 1580), 1), "one of each of the first waves' hosts"


def test_a_sample_of_many_instances_leaves_half_for_others() -> None:
    instances = tuple(instance(n, f"cmp{n // 200}", f"10.0.{n // 200}.{n % 200}") for n in range(800))
    spec = build_spec(cloud(instances=instances), INVENTORY, instances=20, waves=(("cmp3",), ("cmp2",)))
    hosts = Counter(int(target.id[1:]) // 200 for target in spec.instances)
    assert hosts == {3: 10, 2: 4, 0: 3, 1: 3}


def test_no_instances_are_asked_for_none() -> None:
    spec = build_spec(cloud(instances=(instance(1, "cmp1", "10.0.0.1"),)), INVENTORY, instances=0)
    assert spec.instances == ()


def test_a_specification_survives_its_file() -> None:
    spec = build_spec(cloud(instances=(instance(1, "cmp1", "10.0.0.1"),)), INVENTORY)
    assert ProbeSpec.model_validate_json(spec.model_dump_json()) == spec
