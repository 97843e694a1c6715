import pytest

from skipstone.errors import InputError
from skipstone.lab.release import REPORTING, Project, load_release, parse_without, release_names
from skipstone.lab.topology import GROUPS, TOPOLOGIES, Role, load_topology

EVERYTHING = frozenset(Project)


@pytest.mark.parametrize("name", release_names())
def test_every_release_is_complete(name: str) -> None:
    release = load_release(name)
    assert release.name == name
    assert set(release.roles) == set(Role)
    assert set(release.optional) == EVERYTHING
    for role in Role:
        assert len(set(release.packages(role, EVERYTHING))) == len(release.packages(role, EVERYTHING))


@pytest.mark.parametrize("name", release_names())
def test_every_release_has_agents_that_report(name: str) -> None:
    release = load_release(name)
    units = {unit for role in Role for unit in release.units(role, EVERYTHING)}
    assert units >= REPORTING


def test_optional_projects_are_on_the_controller_only() -> None:
    release = load_release("zed")
    assert "heat-engine" in release.units(Role.CONTROLLER, EVERYTHING)
    assert "heat-engine" not in release.units(Role.COMPUTE, EVERYTHING)
    assert "heat-engine" not in release.packages(Role.CONTROLLER, frozenset({Project.CINDER}))


def test_zed_has_no_service_role() -> None:
    assert not load_release("zed").service_role


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="zzz") as caught:
        load_release("zzz")
    assert "zed" in caught.value.remedy
    with pytest.raises(InputError, match="huge") as caught:
        load_topology("huge")
    assert "small" in caught.value.remedy
    with pytest.raises(InputError, match="nova") as caught:
        parse_without("nova,heat")
    assert "cinder" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "left"),
    [("", EVERYTHING), ("heat", {Project.CINDER}), (" cinder , heat ", set()), ("cinder,", {Project.HEAT})],
)
def test_projects_that_stay(text: str, left: set[Project]) -> None:
    assert parse_without(text) == left


def test_the_small_topology_has_one_controller_and_two_computes() -> None:
    topology = load_topology("small")
    assert topology.controller.name == "ctl1"
    assert [node.name for node in topology.computes] == ["cmp1", "cmp2"]
    assert set(GROUPS) == set(Role)
    with pytest.raises(InputError, match="cmp9") as caught:
        topology.node("cmp9")
    assert "cmp2" in caught.value.remedy


def test_the_wide_topology_has_more_computes_and_more_on_each() -> None:
    small, wide = load_topology("small"), load_topology("wide")
    assert len(wide.computes) * wide.instances >= 8
    assert wide.memory > small.memory
    assert wide.nodes[: len(small.nodes)] == small.nodes


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_addresses_of_hosts_are_in_the_management_network(name: str) -> None:
    topology = load_topology(name)
    networks = topology.management.network, topology.provider.network
    assert all(node.address.startswith("10.77.0.") for node in topology.nodes)
    assert not networks[0].overlaps(networks[1])
