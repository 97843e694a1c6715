"""Discovery as a whole, over a scripted cloud: what fails becomes a problem, the rest goes on."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from skipstone.catalog import load_catalog
from skipstone.cloud import discover as discovery
from skipstone.cloud.api import ApiSilent, Json, NoSuchService
from skipstone.cloud.command import Command, Outcome, Result
from skipstone.cloud.fingerprint import differences, digest_of, fingerprint_of
from skipstone.cloud.inventory import Group, Inventory, InventoryHost
from skipstone.cloud.model import Asked, Cloud, Problem
from skipstone.errors import HostUnreachable

PASSWORD = "s3cr3t-of-nova"
NOVA_CONF = (
    f"[DEFAULT]\ntransport_url = rabbit://openstack:{PASSWORD}@10.0.0.1/\n"
    f"[database]\nconnection = mysql+pymysql://nova:{PASSWORD}@db/nova_prod?charset=utf8\n"
)

HOST: dict[str, Any] = {
    "clock_start": 0.0,
    "clock_end": 0.0,
    "system": {
        "os": {"id": "debian", "version": "12", "codename": "bookworm"},
        "boot_id": "b", "kernel": "6.1", "cpus": 2, "memory_total": 8, "memory_available": 4,
    },
    "filesystems": [{"mount": "/", "size": 10, "free": 5}],
    "packages": [
        {"name": "nova-api", "version": "2:26.2.2-1~deb12u3", "source": "nova", "status": "installed"},
        {"name": "nova-common", "version": "2:26.2.2-1", "source": "nova", "status": "half-configured"},
        {"name": "libvirt-daemon", "version": "9.0.0-4", "source": "libvirt", "status": "installed"},
    ],
    "origins": {"nova-api": "bookworm"},
    "units": [
        {"name": "nova-api", "load": "loaded", "active": "active", "sub": "running", "enabled": "enabled"}
    ],
    "files": [
        {"path": "/etc/nova/nova.conf", "sha256": "1", "size": 9, "text": NOVA_CONF},
        {"path": "/etc/nova/notes.conf", "sha256": "2", "size": 9, "text": f"login with {PASSWORD} please\n"},
    ],
    "apt_sources": [{"path": "/etc/apt/sources.list", "text": "deb http://x/debian bookworm main\n"}],
    "policy_rc_d": f"# {PASSWORD}\nexit 101\n",
    "apt_lock_holder": None,
    "dpkg_audit": "nova-common is half configured",
    "problems": [],
}  # fmt: skip

TABLES = {"services": {"name": "services", "rows": 6, "exact": True, "soft_deleted": 1}}
DATABASE: dict[str, Any] = {
    "version": "10.11.6-MariaDB",
    "variables": {"datadir": "/var/lib/mysql/"},
    "datadir_size": 100,
    "conditions": {"nova-null-instance-uuids": 2},
    "names": {"nova_prod": "nova", "cell_far": "nova"},
    "nova_services": [{"host": "cmp1", "binary": "nova-compute", "version": 64}],
    "databases": {
        "nova_prod": {
            "known_as": "nova", "charset": "utf8mb3", "collation": "utf8mb3_general_ci", "size": 9,
            "heads": ["ccb0fa1a2252"], "tables": TABLES,
        }
    },
    "problems": [],
}  # fmt: skip

BROKER: dict[str, Any] = {
    "version": "3.10.8",
    "feature_flags": {},
    "users": ["o"],
    "vhosts": ["/"],
    "problems": [],
}


class FakeHosts:
    """A transport whose hosts answer scripts by their names: facts, a text, an outcome, or an error."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], Any] = {}
        self.asked: list[tuple[str, str]] = []
        self.commands: list[Command] = []

    async def run(self, command: Command, *, deadline: float) -> Outcome:
        assert deadline > 0
        name = next(
            (n for n in ("feature_flags", "nova_services", "apt_lock_holder") if n in command.script), "true"
        )
        script = {"feature_flags": "broker", "nova_services": "database", "apt_lock_holder": "host"}.get(
            name, name
        )
        self.asked.append((command.host, script))
        self.commands.append(command)
        answer = self.answers.get(
            (command.host, script), {"host": HOST, "database": DATABASE, "broker": BROKER}.get(script)
        )
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Outcome):
            return answer
        text = json.dumps(answer) if isinstance(answer, dict) else str(answer or "")
        return Outcome(Result.EXITED, 0, f"a word from .bashrc\n{text}\n", "", 0.1)


class FakeApi:
    """An API in which only nova says something."""

    def __init__(self) -> None:
        self.refusal: ApiSilent | None = None
        self.nova: dict[str, Any] = {}

    def log_in(self) -> None:
        if self.refusal:
            raise self.refusal

    def pages(self, types: Any, path: str, key: str) -> list[Json]:
        del path
        if "compute" not in types:
            raise NoSuchService("none", where=str(types))
        answer = self.nova.get(key, [])
        if isinstance(answer, Exception):
            raise answer
        found: list[Json] = answer
        return found


@pytest.fixture
def hosts() -> FakeHosts:
    return FakeHosts()


@pytest.fixture
def api() -> FakeApi:
    found = FakeApi()
    row = {"binary": "nova-compute", "state": "up", "status": "enabled", "updated_at": None}
    found.nova["services"] = [row | {"host": "cmp1"}, row | {"host": "cmp0", "binary": "nova-conductor"}]
    found.nova["hypervisors"] = [
        {"hypervisor_hostname": "cmp1", "hypervisor_type": "QEMU", "hypervisor_version": 7002011}
    ]
    return found


GROUPS = {"ctl1": (Group.CONTROL, Group.DATABASE, Group.BROKER), "cmp1": (Group.COMPUTE,)}


def inventory(groups: dict[str, tuple[Group, ...]]) -> Inventory:
    entries = tuple(InventoryHost(name=name, address=name, groups=found) for name, found in groups.items())
    return Inventory(name="lab", path=Path("i"), hosts=entries)


@pytest.fixture
def find(hosts: FakeHosts, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> Any:
    @asynccontextmanager
    async def transport(_: Inventory) -> AsyncIterator[FakeHosts]:
        yield hosts

    monkeypatch.setattr(discovery, "open_transport", transport)
    monkeypatch.setattr(discovery, "open_api", lambda _: api)

    def run(groups: dict[str, tuple[Group, ...]] = GROUPS) -> Cloud:
        return asyncio.run(discovery.discover(inventory(groups), load_catalog()))

    return run


def only_problem(cloud: Cloud) -> Problem:
    assert len(cloud.problems) == 1, cloud.problems
    assert cloud.problems[0].remedy
    return cloud.problems[0]


def test_a_cloud_that_answers_everything(find: Any) -> None:
    cloud = find()
    assert cloud.problems == ()
    assert (cloud.release, cloud.services) == ("zed", ("nova",))
    assert cloud.host("ctl1").package("nova-api").origin == "bookworm"
    assert cloud.host("ctl1").package("nova-common").status == "half-configured"
    assert cloud.host("ctl1").apt_sources[0].suites == ("bookworm",)
    assert [agent.binary for agent in cloud.agents] == ["nova-compute", "nova-conductor"]
    assert cloud.agents[0].version == 64
    assert cloud.hypervisors[0].libvirt == "9.0.0"
    assert cloud.brokers[0].version == "3.10.8"


def test_a_database_is_found_under_the_name_that_the_configuration_gives(find: Any, hosts: FakeHosts) -> None:
    (database,) = find().databases
    assert (database.name, database.service, database.known_as) == ("nova_prod", "nova", "nova")
    assert database.heads == ("ccb0fa1a2252",)
    sent = next(command.script for command in hosts.commands if "nova_services" in command.script)
    assert '"nova_prod": "nova"' in sent
    assert '"nova_api": "nova_api"' in sent  # not configured here: the usual name is tried


def test_no_secret_is_in_the_cloud_wherever_it_stood(find: Any, hosts: FakeHosts) -> None:
    broken = Outcome(Result.EXITED, 1, "", f"access denied with {PASSWORD}", 0.1)
    hosts.answers["ctl1", "broker"] = broken
    cloud = find()
    assert PASSWORD not in cloud.model_dump_json()
    assert "access denied with ***" in only_problem(cloud).evidence


def test_the_same_answers_give_the_same_digest(find: Any, hosts: FakeHosts) -> None:
    first = find()
    hosts.answers["cmp1", "host"] = HOST | {"clock_end": 5.0, "filesystems": []}
    assert digest_of(find()) == digest_of(first)
    hosts.answers["cmp1", "host"] = HOST | {"units": []}
    assert digest_of(find()) != digest_of(first)
    assert differences(fingerprint_of(first), fingerprint_of(find())) == ["cmp1: units"]


def test_an_unreachable_host_is_a_problem_and_asked_nothing_more(find: Any, hosts: FakeHosts) -> None:
    hosts.answers["ctl1", "true"] = HostUnreachable("no route", where="x", evidence="e", remedy="plug it in")
    cloud = find()
    assert not cloud.host("ctl1").reachable
    assert cloud.host("cmp1").reachable
    found = only_problem(cloud)
    assert (found.asked, found.where, found.what) == (Asked.SSH, "ctl1", "no route")
    assert [script for name, script in hosts.asked if name == "ctl1"] == ["true"]


def test_a_connection_lost_halfway_is_a_problem(find: Any, hosts: FakeHosts) -> None:
    hosts.answers["cmp1", "host"] = Outcome(Result.UNKNOWN, None, "", "[connection lost]", 9.0)
    cloud = find()
    assert not cloud.host("cmp1").reachable
    assert "connection lost" in only_problem(cloud).evidence


def test_a_stopped_database_is_a_problem_of_its_own(find: Any, hosts: FakeHosts) -> None:
    hosts.answers["ctl1", "database"] = {
        "problems": [{"name": "server", "evidence": "ERROR 2002: Can't connect to local server"}]
    }
    cloud = find()
    assert (cloud.database_servers, cloud.databases) == ((), ())
    found = only_problem(cloud)
    assert found.asked is Asked.DATABASE
    assert "ERROR 2002" in found.evidence
    assert "MariaDB runs" in found.remedy


def test_wrong_credentials_are_one_problem_not_one_per_service(find: Any, api: FakeApi) -> None:
    api.refusal = ApiSilent("keystone refuses the credentials", where="keystone", remedy="correct them")
    cloud = find()
    assert only_problem(cloud).asked is Asked.API
    assert cloud.agents == ()
    assert cloud.counts is None
    assert cloud.databases


def test_one_failing_api_question_leaves_the_others(find: Any, api: FakeApi) -> None:
    api.nova["hypervisors"] = ApiSilent(
        "the API answers with an error", where="compute", remedy="see its log"
    )
    cloud = find()
    assert only_problem(cloud).what == "hypervisors: the API answers with an error"
    assert cloud.agents


def test_groups_without_hosts_are_said(find: Any) -> None:
    cloud = find({"cmp1": (Group.COMPUTE,)})
    assert {problem.asked for problem in cloud.problems} == {Asked.DATABASE, Asked.BROKER}


def test_of_a_galera_cluster_each_database_is_counted_once(find: Any, hosts: FakeHosts) -> None:
    groups = dict.fromkeys(("db1", "db2", "db3"), (Group.DATABASE, Group.BROKER))
    rest = DATABASE | {"databases": {}, "conditions": {}, "nova_services": [], "names": {"cell_far": "nova"}}
    hosts.answers |= {("db2", "database"): rest, ("db3", "database"): rest}
    cloud = find(groups)
    assert [server.host for server in cloud.database_servers] == ["db1", "db2", "db3"]
    assert [database.name for database in cloud.databases] == ["nova_prod"]
    for name in ("db2", "db3"):
        sent = next(c.script for c in hosts.commands if c.host == name and "nova_services" in c.script)
        assert "nova_prod" not in sent
        assert '"cell_far": "nova"' in sent


@pytest.mark.usefixtures("find")
def test_progress_begins_and_ends_every_conversation() -> None:
    seen: list[discovery.Progress] = []
    asyncio.run(discovery.discover(inventory(GROUPS), load_catalog(), seen.append))
    begun = sorted((step.asked, step.where) for step in seen if not step.done)
    assert begun == sorted((step.asked, step.where) for step in seen if step.done)
    assert (Asked.SSH, "cmp1") in begun


def test_without_packages_the_release_is_that_of_the_schemas(find: Any, hosts: FakeHosts) -> None:
    for name in GROUPS:
        hosts.answers[name, "host"] = HOST | {"packages": []}
    assert find().release == "zed"
