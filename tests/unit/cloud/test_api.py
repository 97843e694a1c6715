"""The APIs, spoken to over real HTTP: pages, versions, and every way in which they can fail."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from skipstone.catalog import load_catalog
from skipstone.cloud.api import Api, ApiSilent, NoSuchService, open_api
from skipstone.cloud.api_facts import survey_service
from skipstone.cloud.inventory import Group, Inventory, InventoryHost
from skipstone.cloud.model import Aggregate
from skipstone.errors import InventoryError

Reply = tuple[int, Any]


class FakeCloud:
    """A keystone that gives tokens, and whatever else is put into ``replies`` (path and query -> reply)."""

    def __init__(self) -> None:
        self.replies: dict[str, Reply] = {}
        self.services = {"compute": "/nova/v2.1", "network": "/neutron", "identity": "/v3"}
        self.password = "right"
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(*cloud.reply(self.path))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                said = body["auth"]["identity"]["password"]["user"]["password"]
                self.answer(*(cloud.token() if said == cloud.password else (401, {"error": {"code": 401}})))

            def answer(self, status: int, body: Any) -> None:
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("X-Subject-Token", "t0ken")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def reply(self, path: str) -> Reply:
        if path in {"/v3", "/v3/"}:
            return 200, {
                "version": {
                    "id": "v3.14",
                    "status": "stable",
                    "links": [{"rel": "self", "href": self.url + "/v3/"}],
                }
            }
        return self.replies.get(path, (404, {"error": f"no {path}"}))

    def token(self) -> Reply:
        catalog = [
            {
                "type": kind,
                "name": kind,
                "id": kind,
                "endpoints": [
                    {
                        "interface": "public",
                        "region": "R",
                        "region_id": "R",
                        "url": self.url + path,
                        "id": kind,
                    }
                ],
            }
            for kind, path in self.services.items()
        ]
        token = {
            "methods": ["password"],
            "expires_at": "2999-01-01T00:00:00.000000Z",
            "issued_at": "2020-01-01T00:00:00.000000Z",
        }
        return 201, {
            "token": token
            | {"catalog": catalog, "user": {"id": "u", "name": "u", "domain": {"id": "d", "name": "d"}}}
        }


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    found = FakeCloud()
    thread = threading.Thread(target=found.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


@pytest.fixture
def inventory(cloud: FakeCloud, tmp_path: Path) -> Inventory:
    clouds = tmp_path / "clouds.yaml"
    clouds.write_text(
        f"clouds:\n  c:\n    region_name: R\n    auth: {{auth_url: '{cloud.url}/v3', username: u,"
        " password: right, project_name: p, user_domain_name: d, project_domain_name: d}\n"
    )
    host = InventoryHost(name="h", address="h", groups=(Group.CONTROL,))
    return Inventory(name="c", path=tmp_path / "i.yaml", hosts=(host,), cloud="c", clouds_file=clouds)


@pytest.fixture
def api(inventory: Inventory) -> Api:
    return open_api(inventory)


def test_pages_are_followed_in_every_dialect(cloud: FakeCloud, api: Api) -> None:
    def link(path: str) -> list[dict[str, str]]:
        return [{"rel": "self", "href": "x"}, {"rel": "next", "href": cloud.url + path}]

    cloud.replies = {
        "/nova/v2.1/servers": (
            200,
            {"servers": [{"id": 1}], "servers_links": link("/nova/v2.1/servers?marker=1")},
        ),
        "/nova/v2.1/servers?marker=1": (200, {"servers": [{"id": 2}]}),
        "/neutron/v2.0/images": (200, {"images": [{"id": 1}], "next": "/neutron/v2.0/images?marker=1"}),
        "/neutron/v2.0/images?marker=1": (200, {"images": [{"id": 2}], "next": "/neutron/v2.0/images"}),
        "/v3/users": (200, {"users": [{"id": 1}], "links": {"next": None}}),
    }
    assert [item["id"] for item in api.pages(["compute"], "/servers", "servers")] == [1, 2]
    assert [item["id"] for item in api.pages(["network"], "/images", "images")] == [1, 2]  # and not for ever
    assert [item["id"] for item in api.pages(["identity"], "/users", "users")] == [1]


def test_a_service_is_found_under_any_of_its_names(cloud: FakeCloud, api: Api) -> None:
    cloud.replies = {"/nova/v2.1/flavors": (200, {"flavors": []})}
    assert api.pages(["nothing", "compute"], "/flavors", "flavors") == []
    with pytest.raises(NoSuchService):
        api.pages(["nothing"], "/flavors", "flavors")


def test_wrong_password(cloud: FakeCloud, api: Api) -> None:
    cloud.password = "other"
    with pytest.raises(ApiSilent) as caught:
        api.log_in()
    assert caught.value.what == "keystone refuses the credentials"
    assert "clouds.yaml" in caught.value.remedy
    assert "right" not in caught.value.evidence


@pytest.mark.parametrize(
    ("reply", "what"),
    [
        ((403, {}), "these credentials may not ask this"),
        ((500, b"no python application found"), "the API answers with an error"),
        ((200, b"<html>"), "the API's answer cannot be used"),
        ((404, {}), "the API's answer cannot be used"),
    ],
)
def test_an_answer_that_is_none(cloud: FakeCloud, api: Api, reply: Reply, what: str) -> None:
    cloud.replies = {"/nova/v2.1/servers": reply}
    with pytest.raises(ApiSilent) as caught:
        api.pages(["compute"], "/servers", "servers")
    assert (caught.value.what, caught.value.where) == (what, "compute")
    assert caught.value.evidence
    assert caught.value.remedy


def test_nothing_listens(cloud: FakeCloud, api: Api, closed_port: int) -> None:
    cloud.services["compute"] = (
        f"@127.0.0.1:{closed_port}/v2.1"  # after http://127.0.0.1:port, which becomes a login
    )
    with pytest.raises(ApiSilent) as caught:
        api.pages(["compute"], "/servers", "servers")
    assert caught.value.what == "nothing answers there"


def test_the_inventorys_file_counts_more_than_the_environment(
    cloud: FakeCloud, inventory: Inventory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.yaml"
    assert inventory.clouds_file
    other.write_text(inventory.clouds_file.read_text().replace("right", "wrong"))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(other))
    monkeypatch.setenv("OS_CLOUD", "another")
    open_api(inventory).log_in()
    assert cloud.password == "right"
    with pytest.raises(ApiSilent):
        open_api(inventory.model_copy(update={"clouds_file": None})).log_in()


@pytest.mark.parametrize("change", [{"cloud": "d"}, {"clouds_file": Path("/nonexistent/clouds.yaml")}])
def test_credentials_that_are_not_there(inventory: Inventory, change: dict[str, object]) -> None:
    with pytest.raises(InventoryError) as caught:
        open_api(inventory.model_copy(update=change))
    assert caught.value.remedy


def test_what_nova_says_becomes_agents_hypervisors_and_instances(cloud: FakeCloud, api: Api) -> None:
    server = {
        "id": "i1", "name": "vm", "tenant_id": "p", "status": "ACTIVE", "OS-EXT-SRV-ATTR:host": "cmp1",
        "OS-EXT-STS:task_state": None,
        "addresses": {"n": [
            {"addr": "203.0.113.5", "OS-EXT-IPS:type": "floating"},
            {"addr": "10.0.0.5", "OS-EXT-IPS:type": "fixed"},
        ]},
        "os-extended-volumes:volumes_attached": [{"id": "v1"}],
    }  # fmt: skip
    service = {
        "binary": "nova-compute",
        "host": "cmp1",
        "state": "down",
        "status": "disabled",
        "updated_at": "2020-01-01T00:00:00.000000",
        "zone": "az1",
    }
    aggregate = {
        "id": 1,
        "name": "ssd",
        "availability_zone": "az1",
        "hosts": ["cmp2", "cmp1"],
        "metadata": {},
    }
    hypervisor = {
        "hypervisor_hostname": "cmp1.x",
        "hypervisor_type": "QEMU",
        "hypervisor_version": 7002011,
        "running_vms": 1,
        "service": {"host": "cmp1"},
    }
    cloud.replies = {
        "/nova/v2.1/os-services": (200, {"services": [service]}),
        "/nova/v2.1/os-aggregates": (200, {"aggregates": [aggregate]}),
        "/nova/v2.1/os-hypervisors/detail": (200, {"hypervisors": [hypervisor]}),
        "/nova/v2.1/servers/detail?all_tenants=1": (200, {"servers": [server]}),
        "/nova/v2.1/flavors?is_public=None": (500, {}),
    }
    survey = survey_service(api, load_catalog(), "nova")
    (agent,), (found,), (instance,) = (survey.fields[name] for name in ("agents", "hypervisors", "instances"))
    assert (agent.alive, agent.enabled, agent.host) == (False, False, "cmp1")
    assert agent.heartbeat > 1e8
    assert agent.zone == "az1"
    assert survey.fields["aggregates"] == (Aggregate(name="ssd", zone="az1", hosts=("cmp1", "cmp2")),)
    assert (found.host, found.version) == ("cmp1", 7002011)
    assert instance.addresses == ("10.0.0.5", "203.0.113.5")
    assert instance.volumes == ("v1",)
    assert [problem.what for problem in survey.problems] == ["flavors: the API answers with an error"]
    assert survey.counts == {}


def test_the_service_projects_users_are_found_by_role(cloud: FakeCloud, api: Api) -> None:
    assignments = [
        {"role": {"id": "r1", "name": "service"}, "user": {"id": "x", "name": name}}
        for name in ("nova", "glance")
    ]
    cloud.replies = {
        "/v3/services": (200, {"services": [{"id": "s", "type": "compute", "name": "nova"}]}),
        "/v3/endpoints": (200, {"endpoints": [
            {"service_id": "s", "interface": "public", "region_id": "R", "url": "http://n", "enabled": True},
            {"service_id": "s", "interface": "admin", "region_id": "R", "url": "http://n", "enabled": False},
        ]}),
        "/v3/projects": (200, {"projects": [{"id": "p1", "name": "service"}, {"id": "p2", "name": "users"}]}),
        "/v3/role_assignments?include_names=true&effective=true&scope.project.id=p1":
            (200, {"role_assignments": assignments}),
        "/v3/roles": (200, {"roles": [{"id": "r1", "name": "service"}, {"id": "r2", "name": "admin"}]}),
        "/v3/users": (200, {"users": [{}]}),
    }  # fmt: skip
    survey = survey_service(api, load_catalog(), "keystone")
    assert [(role.name, role.service_users) for role in survey.fields["roles"]] == [
        ("admin", ()), ("service", ("glance", "nova")),
    ]  # fmt: skip
    assert [endpoint.interface for endpoint in survey.fields["endpoints"]] == ["public"]
    assert survey.counts == {"projects": 2, "users": 1}
    assert survey.problems == []
