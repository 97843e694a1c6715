"""A cloud that names or spreads things otherwise than the catalog is planned as what it is."""

import pytest

from skipstone.catalog import load_catalog
from skipstone.checks.examination import examine
from skipstone.cloud.model import Cloud
from skipstone.errors import InputError
from skipstone.plan.plan import Plan
from skipstone.plan.planner import make_plan
from skipstone.steps.backup import DumpDatabases, DumpStoppedDatabases
from skipstone.steps.compute import ConfirmServiceVersion, NoteServiceVersion
from skipstone.steps.database import SyncDatabase
from skipstone.steps.network import ConfirmNetworkAgents
from skipstone.steps.services import StartServices, StopServices
from tests.plans.test_plans import HERE, cloud_in


def planned(cloud: Cloud) -> Plan:
    catalog = load_catalog()
    target = catalog.release("2025.1")
    return make_plan(cloud, catalog, target, findings=examine(cloud, catalog, target))


def renamed(cloud: Cloud, **names: str) -> Cloud:
    """Return the cloud with other names of its databases, as discovery finds them."""
    databases = (one.model_copy(update={"name": names.get(one.name, one.name)}) for one in cloud.databases)
    return cloud.model_copy(update={"databases": tuple(databases)})


def test_databases_with_other_names_are_dumped_and_migrated_by_these() -> None:
    plan = planned(
        renamed(cloud_in(HERE / "zed-small"), nova_api="novaapi", nova="n", neutron="neutron_prod")
    )
    for step in plan.steps():
        if isinstance(step, DumpDatabases | DumpStoppedDatabases):
            assert {"novaapi", "n", "nova_cell0", "neutron_prod"} <= set(step.databases)
            assert not {"nova_api", "nova", "neutron"} & set(step.databases)
        if isinstance(step, SyncDatabase) and step.service in {"nova", "neutron"}:
            wanted = {"nova": {"novaapi", "n", "nova_cell0"}, "neutron": {"neutron_prod"}}[step.service]
            assert set(step.databases) == set(step.heads) == wanted
        if isinstance(step, NoteServiceVersion | ConfirmServiceVersion):
            assert step.database == "n"
        if isinstance(step, ConfirmNetworkAgents):
            assert step.database == "neutron_prod"


def test_a_second_cell_is_refused_and_not_left_behind() -> None:
    cloud = cloud_in(HERE / "zed-small")
    nova = next(one for one in cloud.databases if one.known_as == "nova")
    cell = nova.model_copy(update={"name": "nova_cell2"})
    with pytest.raises(InputError, match="several databases of the kind nova") as refused:
        planned(cloud.model_copy(update={"databases": (*cloud.databases, cell)}))
    assert "nova, nova_cell2" in refused.value.evidence


def test_a_compute_is_confirmed_by_the_name_that_nova_has_for_it() -> None:
    cloud = cloud_in(HERE / "zed-small")
    agents = (
        one.model_copy(update={"host": f"{one.host}.example.org"}) if one.service == "nova" else one
        for one in cloud.agents
    )
    plan = planned(cloud.model_copy(update={"agents": tuple(agents)}))
    confirmed = [step.compute for step in plan.steps() if isinstance(step, ConfirmServiceVersion)]
    assert sorted(confirmed) == ["cmp1.example.org", "cmp2.example.org"]


def with_network_agents(*binaries: str, **facts: bool) -> list[ConfirmNetworkAgents]:
    """Return the waits of a plan for a cloud whose computes have these agents of neutron."""
    cloud = cloud_in(HERE / "zed-small")
    known = [one for one in cloud.agents if one.host.startswith("cmp") and one.service == "neutron"]
    others = [one for one in cloud.agents if one not in known]
    agents = [one.model_copy(update={"binary": name, **facts}) for one in known for name in binaries]
    started = cloud.host("cmp1").unit("neutron-openvswitch-agent")
    assert started
    units = [
        started.model_copy(update={"name": name}) for name in ("neutron-l3-agent", "neutron-sriov-agent")
    ]
    hosts = tuple(
        host.model_copy(update={"units": (*host.units, *units)}) if host.unit("nova-compute") else host
        for host in cloud.hosts
    )
    plan = planned(cloud.model_copy(update={"agents": (*others, *agents), "hosts": hosts}))
    return [step for step in plan.steps() if isinstance(step, ConfirmNetworkAgents)]


def test_all_network_agents_of_a_compute_are_waited_for_before_the_next_one() -> None:
    steps = with_network_agents("neutron-openvswitch-agent", "neutron-l3-agent", "neutron-sriov-nic-agent")
    assert [(step.compute, step.group) for step in steps] == [("cmp2", "cmp2"), ("cmp1", "cmp1")]
    for step in steps:
        names = ("neutron-l3-agent", "neutron-openvswitch-agent")
        assert step.agents == (*names, "neutron-sriov-nic-agent")
        assert step.units == (*names, "neutron-sriov-agent")
        assert step.needs == (f"computes.{step.server}.confirm",)


def test_agents_that_are_off_or_do_not_report_to_neutron_s_database_are_not_waited_for() -> None:
    assert not with_network_agents("neutron-openvswitch-agent", enabled=False)
    assert not with_network_agents("neutron-ovn-metadata-agent", "ovn-controller", "neutron-dhcp-agent")


def test_a_database_host_without_daemons_is_neither_stopped_nor_given_any() -> None:
    """The APIs' packages are there for their commands, and masked, as the remedy of its refusal says."""
    cloud = cloud_in(HERE / "zed-small")
    ctl1 = cloud.host("ctl1")
    masked = tuple(unit.model_copy(update={"active": "inactive", "enabled": "masked"}) for unit in ctl1.units)
    db1 = ctl1.model_copy(update={"name": "db1", "groups": ("control", "database"), "units": masked})
    ctl1 = ctl1.model_copy(update={"groups": tuple(one for one in ctl1.groups if one != "database")})
    plan = planned(cloud.model_copy(update={"hosts": (db1, ctl1, *cloud.hosts[1:])}))
    stops = {step.host: step for step in plan.steps() if isinstance(step, StopServices)}
    assert stops["db1"].stop == stops["db1"].block == ()
    for command in (stops["db1"].apply(), stops["db1"].revert()):
        assert command
        assert "systemctl stop" not in command.script
        assert "systemctl start" not in command.script
        assert "reset-failed" not in command.script
    started = {step.host: step.units for step in plan.steps() if isinstance(step, StartServices)}
    assert "db1" not in started
    workers = [step for step in plan.steps() if isinstance(step, StartServices) and step.host == "ctl1"]
    assert any("neutron-periodic-workers" in step.units for step in workers)
