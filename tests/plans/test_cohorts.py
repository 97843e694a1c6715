"""A plan whose alike hosts are planned once is the one that plans each host for itself."""

from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rich.console import Console

from skipstone.catalog import load_catalog
from skipstone.checks.examination import examine
from skipstone.cloud.model import Agent, Cloud, ConfigFile, Filesystem, Host, Instance
from skipstone.errors import SkipstoneError
from skipstone.plan.plan import Plan
from skipstone.plan.planfile import load_plan, plan_digest, save_plan
from skipstone.plan.planner import make_plan
from skipstone.plan.repeating import Repeat, entries_of
from skipstone.plan.rollout import Rollout, Share
from skipstone.plan.strategies.in_place import Computes, Handling, cohorts
from skipstone.views.tree import plan_tree
from tests.plans.test_plans import HERE, cloud_in

NAMES = (
    *("cmp1", "cmp11", "cmp111", "cmp2", "cmp12", "c", "cmp3.example.org", "cmp4.example.org"),
    *("nova", "nova-compute", "stop", "computes", "host", "id", "title", "true", "none", "n", "nn", "see"),
    *("5", "60", "e5", "bookworm", "trixie", "prepare", "libvirt", "var", "exact", "from-backup", "ctl"),
)
"""Some contain each other, some are words of commands, of keys, of values, or numbers."""


@st.composite
def own_facts(draw: st.DrawFn, host: Host, name: str) -> dict[str, Any]:
    """Whatever is left out of a kind: every host has its own."""
    number = draw(st.integers(1, 200))
    own = ConfigFile(path="/etc/nova/nova.conf.d/own.conf", sha256=f"{number:064}", size=9, left_out="")
    text = draw(st.sampled_from([f"[DEFAULT]\nmy_ip = 192.0.2.{number}\n", "[DEFAULT]\nvnc_port = 1\n"]))
    more = (own.model_copy(update={"text": text}),) if draw(st.integers(0, 3)) == 0 else ()
    return {
        "name": name,
        "address": f"192.0.2.{number}",
        "boot_id": str(number),
        "clock_offset": number / 100,
        "cpus": number,
        "memory_total": number << 30,
        "memory_available": number << 29,
        "filesystems": (Filesystem(mount="/", size=number << 34, free=number << 33),),
        "zone": draw(st.sampled_from([None, "r1", "r2"])),
        "config_files": (*host.config_files, *more),
    }


@st.composite
def computes(draw: st.DrawFn, name: str) -> tuple[Host, tuple[Agent, ...], int]:
    """A compute, what nova and neutron say of it, and how many instances it has."""
    cloud = cloud_in(HERE / "zed-small")
    model = cloud.host(draw(st.sampled_from(["cmp1", "cmp2"])))
    agent, ovs = (
        next(one for one in cloud.agents if one.binary == binary)
        for binary in ("nova-compute", "neutron-openvswitch-agent")
    )
    facts: dict[str, Any] = {
        "name": name,
        "snapshots": draw(st.sampled_from([model.snapshots, "", "copy", "lvm"])),
        "installed": draw(st.sampled_from([None, 1 << 30, 9 << 30])),
        "reinstall_hook": draw(st.sampled_from(["", "/usr/local/bin/again"])),
    }
    if draw(st.booleans()):
        facts["units"] = tuple(unit for unit in model.units if "openvswitch" not in unit.name)
    if draw(st.booleans()):
        facts["packages"] = tuple(one for one in model.packages if one.name != "openvswitch-switch")
    domain = draw(st.sampled_from(["", ".example.org"])) if "." not in name else ""
    says = {"host": f"{name}{domain}", "version": draw(st.sampled_from([66, 61, None])), "zone": "az1"}
    own = draw(st.sampled_from(["", ".example.org"])) if "." not in name else ""
    network = {"host": f"{name}{own}", "alive": draw(st.sampled_from([True, True, False]))}
    agents = (agent.model_copy(update=says), ovs.model_copy(update=network))
    return model.model_copy(update=facts), agents, draw(st.integers(0, 3))


@st.composite
def clouds(draw: st.DrawFn) -> Cloud:
    """A cloud of few kinds of computes, with odd names."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=7, max_size=10, unique=True))
    kinds = draw(st.lists(computes("?"), min_size=1, max_size=2))
    recorded = cloud_in(HERE / "zed-small")
    hosts, agents, instances = list[Host](), list[Agent](), list[Instance]()
    for name in names:
        alone = draw(st.integers(0, 7)) == 0
        host, found, count = draw(computes(name)) if alone else draw(st.sampled_from(kinds))
        own = draw(own_facts(host, name))
        assert own.keys() == cohorts.OWN
        hosts.append(host.model_copy(update=own))
        agents += (agent.model_copy(update={"host": agent.host.replace("?", name)}) for agent in found)
        instances += (
            Instance(id=f"{name}{number}", name="vm", project="p", host=agents[-2].host, status="ACTIVE")
            for number in range(count)
        )
    others = {
        "hosts": tuple(host for host in recorded.hosts if not host.unit("nova-compute")),
        "agents": tuple(agent for agent in recorded.agents if not agent.host.startswith("cmp")),
    }
    return recorded.model_copy(
        update={
            "hosts": (*others["hosts"], *hosts),
            "agents": (*others["agents"], *agents),
            "instances": tuple(instances),
            "hypervisors": (),
        }
    )


@st.composite
def wishes(draw: st.DrawFn, cloud: Cloud) -> dict[str, Any]:
    """What an operator asks for."""
    names = [host.name for host in cloud.hosts if host.unit("nova-compute")]
    postponed = draw(st.lists(st.sampled_from(names), max_size=5, unique=True))
    return {
        "rollout": Rollout(postponed=tuple(postponed), down=Share.parse(draw(st.sampled_from(["1", "50%"])))),
        "handling": Handling(
            draw(st.sampled_from([*Computes, Computes.STAY, Computes.DRAIN])), returning=draw(st.booleans())
        ),
    }


def planned(cloud: Cloud, **wishes: Any) -> Plan | str:
    catalog = load_catalog()
    target = catalog.release("2025.1")
    findings = tuple(one for one in examine(cloud, catalog, target) if one.severity != "inhibitor")
    try:
        return make_plan(cloud, catalog, target, findings=findings, **wishes)
    except SkipstoneError as error:
        return repr(error)


def told(plan: Plan) -> list[object]:
    """Return what is said of a plan without a look at its steps themselves."""
    console = Console(width=200, record=True, file=StringIO())
    console.print(plan_tree(plan))
    seconds = [stage.seconds for stage in plan.stages]
    return [plan_digest(plan), plan.point_of_no_return, plan.estimate, seconds, console.export_text()]


def each_for_itself(cloud: Cloud, **wishes: Any) -> Plan | str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cohorts, "_kind", lambda _, host: host.name)
        return planned(cloud, **wishes)


def repeats(plan: Plan) -> int:
    return sum(isinstance(one, Repeat) for stage in plan.stages for one in entries_of(stage.steps))


@settings(
    deadline=None,
    max_examples=20,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a plan is made in a second: none to make it small
)
@given(st.data())
def test_it_is_the_plan_of_each_host_for_itself(data: st.DataObject) -> None:
    cloud = data.draw(clouds())
    asked = data.draw(wishes(cloud))
    together, apart = planned(cloud, **asked), each_for_itself(cloud, **asked)
    if isinstance(apart, str) or isinstance(together, str):
        assert together == apart
        return
    assert repeats(apart) == 0
    with TemporaryDirectory() as base:
        one, two = Path(base) / "one" / "plan.yaml", Path(base) / "two" / "plan.yaml"
        for path, plan in ((one, together), (two, apart)):
            path.parent.mkdir()
            save_plan(plan, path)
        assert one.read_bytes() == two.read_bytes()
        loaded = load_plan(one)
    assert told(together) == told(loaded) == told(apart)
    assert [*together.steps()] == [*loaded.steps()] == [*apart.steps()]
    assert together == loaded == apart


def alike(*names: str, **facts: object) -> Cloud:
    """Return the recorded cloud with computes of these names, alike but for what goes by the name."""
    recorded = cloud_in(HERE / "zed-small")
    agents = [agent for agent in recorded.agents if agent.host == "cmp1"]
    return recorded.model_copy(
        update={
            "hosts": (
                recorded.host("ctl1"),
                *(recorded.host("cmp1").model_copy(update={"name": name, **facts}) for name in names),
            ),
            "agents": (
                *(agent for agent in recorded.agents if not agent.host.startswith("cmp")),
                *(agent.model_copy(update={"host": name}) for name in names for agent in agents),
            ),
        }
    )


def test_of_hosts_that_are_alike_two_are_planned() -> None:
    few, more = planned(alike("cmp1", "cmp2")), planned(alike("cmp1", "cmp2", "cmp3", "cmp11"))
    assert isinstance(few, Plan)
    assert isinstance(more, Plan)
    assert repeats(few) == 0
    rest = len([*more.steps()]) - len([*few.steps()])
    # in full: conversions, a look at the backups, and in the second wave the group of a second host
    group = sum(step.group == "cmp1" for step in few.steps())
    assert repeats(more) == rest - 2 - 2 - group > 0


def test_who_writes_or_shows_a_plan_makes_no_step_of_a_repeat(tmp_path: Path) -> None:
    plan = planned(alike("cmp1", "cmp2", "cmp3", "cmp4"))
    assert isinstance(plan, Plan)
    save_plan(plan, tmp_path / "plan.yaml")
    for each in (plan, load_plan(tmp_path / "plan.yaml")):
        assert repeats(each) > 0
        plan_tree(each)
        assert not [stage.name for stage in each.stages if "_made" in getattr(stage.steps, "__dict__", ())]


def test_a_host_that_is_called_as_a_word_of_commands_is_no_model() -> None:
    cloud = alike("nova", "cmp1", "cmp2", "cmp3", "libvirt", "cmp4")
    together, apart = planned(cloud), each_for_itself(cloud)
    assert isinstance(together, Plan)
    assert isinstance(apart, Plan)
    assert repeats(together) > 0
    assert [*together.steps()] == [*apart.steps()]
