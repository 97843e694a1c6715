"""A look at a fake cloud: pages, allocations on two providers, what cannot be asked."""

import asyncio
from pathlib import Path

import pytest

from skipstone.catalog import load_catalog
from skipstone.impact.credentials import CloudAccess
from skipstone.impact.look import take_look
from skipstone.impact.verification import Look, Subject, Thing
from tests.unit.impact.fake_cloud import FakeCloud, clouds_file

SERVERS = "/compute/v2.1/servers/detail?all_tenants=1"


def server(number: int, address: str) -> dict[str, object]:
    return {
        "id": f"i{number}",
        "name": f"vm{number}",
        "status": "ACTIVE",
        "tenant_id": "p1",
        "OS-EXT-SRV-ATTR:host": "cmp1",
        "addresses": {"net": [{"addr": address}]},
        "os-extended-volumes:volumes_attached": [{"id": "v1"}],
    }


def port(id_: str, name: str) -> dict[str, object]:
    facts = {"status": "ACTIVE", "binding:host_id": "cmp1", "device_id": "i1", "device_owner": "compute:nova"}
    return facts | {
        "id": id_,
        "name": name,
        "mac_address": "fa:16",
        "fixed_ips": [{"ip_address": "10.0.0.5"}],
    }


def fill(cloud: FakeCloud) -> None:
    more = [{"rel": "next", "href": f"{cloud.url}{SERVERS}&marker=i1"}]
    quota = {"instances": 10, "id": "p1"}
    cloud.projects["p1"] = {"id": "p1", "name": "admin"}
    cloud.lists = {
        SERVERS: {"servers": [server(1, "127.0.0.1")], "servers_links": more},
        f"{SERVERS}&marker=i1": {"servers": [server(2, "240.0.0.1")]},
        "/network/v2.0/ports": {"ports": [port("p1", ""), port("p2", "skipstone-probe")]},
        "/network/": {"versions": [{"id": "v2.0", "status": "CURRENT"}]},
        "/compute/": {"versions": [{"id": "v2.1", "status": "CURRENT", "version": "2.93"}]},
        "/placement/resource_providers": {
            "resource_providers": [{"uuid": "r1", "name": "cmp1"}, {"uuid": "r2", "name": "cmp2"}]
        },
        "/placement/resource_providers/r1/allocations": {"allocations": {"i1": {"resources": {"VCPU": 1}}}},
        "/placement/resource_providers/r2/allocations": {"allocations": {"i1": {"resources": {"VCPU": 1}}}},
        "/compute/v2.1/os-quota-sets/p1": {"quota_set": quota},
        "/network/v2.0/quotas/p1": {"quota": quota},
        "/volume/v3/PROJECT/os-quota-sets/p1": {"quota_set": quota},
        "/orchestration/v1/PROJECT/stacks?global_tenant=false": {"wrong": []},
    }


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait long for the address that never answers."""
    monkeypatch.setattr("skipstone.impact.look._LIMIT", 0.3)


def seen(cloud: FakeCloud, directory: Path) -> Look:
    access = CloudAccess.load("fake", clouds_file(cloud, directory))
    boot_port = int(cloud.url.rsplit(":", 1)[1])
    return asyncio.run(take_look("c", access, load_catalog(), boot_port=boot_port))


def things(look: Look, subject: Subject) -> dict[str, Thing]:
    return {thing.id: thing for thing in look.things if thing.subject is subject}


def test_a_look_sees_every_page_and_what_answers(cloud: FakeCloud, tmp_path: Path) -> None:
    fill(cloud)
    look = seen(cloud, tmp_path)
    instances = things(look, Subject.INSTANCE)
    assert instances["i1"].facts == {
        "status": "ACTIVE",
        "host": "cmp1",
        "project": "p1",
        "addresses": "127.0.0.1",
        "volumes": "v1",
        "ping 127.0.0.1": "answers",
        "boot-id": cloud.boot,
    }
    assert "ping 240.0.0.1" not in instances["i2"].facts
    assert things(look, Subject.ALLOCATION)["i1"].facts == {"resources": "VCPU=2", "providers": "cmp1 cmp2"}
    assert set(things(look, Subject.QUOTA)) == {"nova/p1", "neutron/p1", "cinder/p1"}
    assert set(things(look, Subject.PORT)) == {"p1"}
    apis = things(look, Subject.API)
    assert apis["nova"].facts == {"answers": "yes", "version": "2.93"}
    assert apis["neutron"].facts == {"answers": "yes", "version": "2.0"}
    assert apis["cinder"].facts["answers"] == "HTTP 404"


def test_what_cannot_be_asked_is_said(cloud: FakeCloud, tmp_path: Path) -> None:
    fill(cloud)
    cloud.broken["volume"] = 503
    look = seen(cloud, tmp_path)
    assert look.unasked[Subject.VOLUME] == "HTTP 503"
    assert look.unasked[Subject.STACK].startswith("an answer of another form")
    assert Subject.INSTANCE not in look.unasked
