"""Which computes are drained: pure, and with a reason for each."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skipstone.cloud.model import Agent, Cloud, ConfigFile, Host, Hypervisor, Instance
from skipstone.plan.strategies.in_place.fleet import Fleet
from skipstone.plan.strategies.in_place.method import Computes, Method, choose, convergence


def host(name: str, **more: Any) -> Host:
    facts: dict[str, Any] = {"address": name, "groups": ("compute",), "reachable": True}
    facts |= {"memory_total": 64, "memory_available": 40}
    return Host(name=name, **(facts | more))


def cloud(*hosts: Host, down: str = "", old: str = "", on: str = "cmp1") -> Cloud:
    return Cloud.model_validate(
        {
            "name": "c",
            "taken_at": "2026-01-01T00:00:00Z",
            "skipstone": "0",
            "hosts": hosts,
            "agents": [
                Agent(
                    service="nova",
                    binary="nova-compute",
                    host=f"{one.name}.example.org",
                    alive=one.name != down,
                    enabled=True,
                )
                for one in hosts
            ],
            "hypervisors": [
                Hypervisor(host=one.name, type="QEMU", version=6 if one.name == old else 7, running_vms=1)
                for one in hosts
            ],
            "instances": [Instance(id="i", name="vm", project="p", host=on, status="ACTIVE")],
        }
    )


def nova_conf(text: str) -> tuple[ConfigFile, ...]:
    return (ConfigFile(path="/etc/nova/nova.conf", sha256="0", size=1, text=text),)


ONE, TWO = host("cmp1"), host("cmp2")


def test_by_default_instances_stay() -> None:
    assert choose(Fleet(cloud(ONE, TWO), (ONE, TWO)), ONE, Computes.STAY, system=True).method is Method.STAY


def test_what_is_asked_for_is_done() -> None:
    choice = choose(Fleet(cloud(ONE, TWO), (ONE, TWO)), ONE, Computes.DRAIN, system=False)
    assert choice.method is Method.DRAIN


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "neither auto-converge nor post-copy"),
        ("[libvirt]\n# live_migration_permit_post_copy = true\n", "neither"),
        ("[libvirt]\nlive_migration_permit_post_copy = false\n", "neither"),
        ("[libvirt]\nlive_migration_permit_post_copy = True\n", "nova may use post-copy"),
        (
            "[libvirt]\nlive_migration_permit_post_copy=1\nlive_migration_permit_auto_converge = yes\n",
            "nova may slow it down (auto-converge) and use post-copy",
        ),
    ],
)
def test_what_nova_may_do_about_a_busy_guest_is_told(text: str, told: str) -> None:
    assert told in convergence(host("cmp1").model_copy(update={"config_files": nova_conf(text)}))


def test_a_host_is_installed_anew_only_where_that_is_said() -> None:
    choice = choose(Fleet(cloud(ONE, TWO), (ONE, TWO)), ONE, Computes.REINSTALL, system=True)
    assert choice.method is Method.REINSTALL
    assert choice.reasons == ("asked for: --computes reinstall",)
    auto = choose(Fleet(cloud(ONE, TWO), (ONE, TWO)), ONE, Computes.AUTO, system=True)
    assert auto.method is not Method.REINSTALL


def test_auto_drains_where_the_system_is_replaced() -> None:
    choice = choose(Fleet(cloud(ONE, TWO), (ONE, TWO)), ONE, Computes.AUTO, system=True)
    assert choice.method is Method.DRAIN
    assert "old QEMU" in choice.reasons[0]


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (cloud(ONE), "no other compute"),
        (cloud(ONE, TWO, down="cmp2"), "up and enabled"),
        (cloud(ONE, host("cmp2", reachable=False)), "up and enabled"),
        (cloud(ONE, TWO, old="cmp2"), "older"),
        (cloud(ONE, TWO, on="cmp2"), "no instance"),
        (cloud(ONE, host("cmp2", memory_available=8)), "less memory"),
        (cloud(host("cmp1", config_files=nova_conf('[pci]\ndevice_spec = {"a":1}')), TWO), "PCI"),
        (cloud(host("cmp1", config_files=nova_conf('[pci]\npassthrough_whitelist={"a":1}')), TWO), "PCI"),
    ],
)
def test_auto_leaves_instances_where_something_is_against_it(found: Cloud, why: str) -> None:
    choice = choose(Fleet(found, found.hosts), found.hosts[0], Computes.AUTO, system=True)
    assert choice.method is Method.STAY
    assert why in choice.reasons[0]


def test_auto_leaves_instances_where_the_system_stays() -> None:
    choice = choose(Fleet(cloud(ONE, TWO), (ONE, TWO)), ONE, Computes.AUTO, system=False)
    assert choice.method is Method.STAY
    assert "nothing needs the host empty" in choice.reasons[0]


def test_a_comment_is_no_pci_device() -> None:
    found = cloud(host("cmp1", config_files=nova_conf("[pci]\n#device_spec = x")), TWO)
    assert (
        choose(Fleet(found, found.hosts), found.hosts[0], Computes.AUTO, system=True).method is Method.DRAIN
    )


some_hosts = st.lists(
    st.tuples(st.integers(6, 8), st.sampled_from([None, 8, 40]), st.booleans(), st.booleans()), max_size=6
)


@given(found=some_hosts, at_least=st.integers(5, 9))
def test_what_others_have_together_is_what_each_of_them_has(
    found: list[tuple[int, int | None, bool, bool]], at_least: int
) -> None:
    hosts = tuple(
        host(f"cmp{number}", memory_available=memory, reachable=reachable)
        for number, (_, memory, reachable, _) in enumerate(found)
    )
    versions = {one.name: version for one, (version, *_) in zip(hosts, found, strict=True)}
    alive = {one.name: up for one, (*_, up) in zip(hosts, found, strict=True)}
    whole = cloud(*hosts)
    agents = tuple(
        agent.model_copy(update={"alive": alive[agent.host.partition(".")[0]]}) for agent in whole.agents
    )
    hypervisors = tuple(one.model_copy(update={"version": versions[one.host]}) for one in whole.hypervisors)
    fleet = Fleet(whole.model_copy(update={"agents": agents, "hypervisors": hypervisors}), hosts)
    for one in hosts:
        those = [
            other
            for other in hosts
            if other != one and other.reachable and alive[other.name] and versions[other.name] >= at_least
        ]
        known = [other.memory_available for other in those if other.memory_available is not None]
        room = fleet.others(one, at_least=at_least)
        assert (room.hosts, room.memory, room.unknown) == (len(those), sum(known), len(those) - len(known))
