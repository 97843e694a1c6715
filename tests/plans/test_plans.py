"""Recorded clouds and the plans that they must give.

A new case is a directory with ``cloud.yaml`` and ``runbook-TARGET.md``; its every command counts. After a
wanted change:  SKIPSTONE_RECORD=1 pytest tests/plans
"""

import os
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from skipstone.catalog import load_catalog
from skipstone.checks.examination import examine
from skipstone.cloud.cloudfile import load_cloud
from skipstone.cloud.command import OPERATOR
from skipstone.cloud.model import AptSource, Cloud, Unit
from skipstone.errors import InputError
from skipstone.plan.plan import Plan
from skipstone.plan.planfile import load_plan, save_plan
from skipstone.plan.planner import make_plan, staying
from skipstone.plan.rollout import Rollout, Share
from skipstone.plan.strategies.in_place import Computes, Handling, Suites
from skipstone.plan.window import Window
from skipstone.steps.backup import DumpDatabases, DumpStoppedDatabases
from skipstone.steps.drain import DrainHost, ReturnInstances
from skipstone.steps.identity import GrantServiceRole
from skipstone.steps.installation import InstallPackages
from skipstone.steps.machine import TakeMachineSnapshot
from skipstone.steps.packages import DownloadPackages, KeepVersions, UpgradePackages
from skipstone.steps.reinstall import ReinstallHost
from skipstone.steps.services import StopServices, WaitForAgents, WaitForApi
from skipstone.steps.step import Impact, Reversibility
from skipstone.views.runbook import runbook

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("*/runbook-*.md"))


@cache
def cloud_in(directory: Path) -> Cloud:
    """Return a recorded cloud, which nothing changes."""
    return load_cloud(directory / "cloud.yaml")


@cache
def plan_of(case: Path) -> Plan:
    """Return the plan for a case's cloud and target."""
    catalog = load_catalog()
    target = catalog.release(case.stem.removeprefix("runbook-"))
    cloud = cloud_in(case.parent)
    return make_plan(cloud, catalog, target, findings=examine(cloud, catalog, target))


@pytest.fixture(params=CASES, ids=lambda case: f"{case.parent.name}-{case.stem}")
def case(request: pytest.FixtureRequest) -> Path:
    """Give each recorded runbook."""
    path: Path = request.param
    return path


def test_there_are_cases() -> None:
    assert CASES


def test_the_plan_has_exactly_these_commands(case: Path) -> None:
    found = runbook(plan_of(case))
    if os.environ.get("SKIPSTONE_RECORD"):
        case.write_text(found)
    assert found == case.read_text()


def test_the_same_cloud_gives_the_same_bytes(case: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        save_plan(plan_of.__wrapped__(case), tmp_path / name)
    one, two = (tmp_path / "one").read_text(), (tmp_path / "two").read_text()
    assert one.splitlines()[1:] == two.splitlines()[1:]  # the first line names the file
    assert load_plan(tmp_path / "one") == plan_of(case)


def test_needs_name_earlier_steps_of_the_same_stage(case: Path) -> None:
    for stage in plan_of(case).stages:
        earlier: set[str] = set()
        for step in stage.steps:
            assert set(step.needs) <= earlier, f"{step.id} needs what does not come before it"
            earlier.add(step.id)


def test_step_ids_are_unique(case: Path) -> None:
    ids = [step.id for step in plan_of(case).steps()]
    assert len(ids) == len(set(ids))


def test_nothing_is_felt_before_the_control_plane_stops(case: Path) -> None:
    stages = {stage.name: stage for stage in plan_of(case).stages}
    for name in ("backup", "prepare"):
        assert {step.impact for step in stages[name].steps} == {Impact.NONE}
        assert Reversibility.NONE not in {step.reversibility for step in stages[name].steps}


def test_every_database_is_proven_and_dumped_before_it_is_migrated(case: Path) -> None:
    plan = plan_of(case)
    order = [step.id for step in plan.steps()]
    migrated = [index for index, name in enumerate(order) if name.startswith("databases.")]
    assert order.index("backup.databases.restored") < order.index("stop.dump") < min(migrated)


def test_a_large_database_is_dumped_by_table_and_the_plan_says_so() -> None:
    catalog, cloud = load_catalog(), cloud_in(HERE / "zed-small")
    target = catalog.release("2025.1")
    databases = tuple(
        one.model_copy(update={"size": 5 << 30 if one.name == "nova" else one.size})
        for one in cloud.databases
    )
    large = cloud.model_copy(update={"databases": databases})
    plan = make_plan(large, catalog, target, findings=examine(large, catalog, target))
    dumps = [step for step in plan.steps() if isinstance(step, DumpDatabases | DumpStoppedDatabases)]
    assert [step.by_table for step in dumps] == [("nova",), ("nova",)]
    for step in dumps:
        assert "nova: by table" in step.title
        assert "--by-table=nova" in step.apply().script


def test_computes_follow_one_another_after_a_sample(case: Path) -> None:
    plan = plan_of(case)
    sample, others = (stage for stage in plan.stages if stage.name in {"sample", "computes"})
    for stage in (sample, others):
        hosts = [step.id.split(".")[1] for step in stage.steps]
        assert hosts == sorted(hosts, key=hosts.index), "a host's steps stand together"
        assert [step.group for step in stage.steps] == hosts
        assert stage.lanes == {"down": 1}
        assert set(stage.groups.values()) == {("down",)}
        for earlier, later in pairwise(stage.steps):
            assert later.needs == ((earlier.id,) if later.group == earlier.group else ())
    assert {step.id.split(".")[1] for step in sample.steps} == {"cmp2"}, "it has the fewest instances"


def rolled_out(rollout: Rollout) -> Plan:
    """Return the plan for the Zed cloud that an operator's policy gives."""
    catalog, cloud = load_catalog(), cloud_in(HERE / "zed-small")
    target = catalog.release("2025.1")
    return make_plan(cloud, catalog, target, findings=examine(cloud, catalog, target), rollout=rollout)


def test_a_postponed_compute_is_not_touched_before_its_gate_and_what_needs_it_comes_after() -> None:
    plan = rolled_out(Rollout(postponed=("cmp1",)))
    names = [stage.name for stage in plan.stages]
    assert names[names.index("sample") :] == [
        *("sample", "verify-computes", "postponed", "verify-postponed", "finish"),
    ]
    assert [gate.before for gate in plan.gates][-1] == "postponed"
    touched = {stage.name for stage in plan.stages if any(step.host == "cmp1" for step in stage.steps)}
    assert touched == {"postponed", "finish"}
    everything = {step.id for step in rolled_out(Rollout()).steps()}
    assert {step.id for step in plan.steps()} - everything == {
        *("verify-postponed.agents.nova", "verify-postponed.agents.neutron"),
    }
    assert everything <= {step.id for step in plan.steps()}, "nothing is left out, it only comes later"
    waits = [step for step in plan.steps() if isinstance(step, WaitForAgents) and "postponed" not in step.id]
    assert not [line for step in waits for line in step.lines if "cmp1" in line]
    assert "computes-postponed" in {finding.id for finding in plan.findings}


def test_a_window_that_no_compute_fits_is_refused() -> None:
    with pytest.raises(InputError, match="no maintenance window is long enough for cmp"):
        rolled_out(Rollout(windows=(Window.parse("22:00-22:03 UTC"),)))
    stages = rolled_out(Rollout(windows=(Window.parse("22:00-23:00 UTC"),))).stages
    assert [stage.name for stage in stages if stage.windows] == ["sample", "computes"]


def test_a_policy_survives_the_plan_file(tmp_path: Path) -> None:
    rollout = Rollout(down=Share(2), failures=1, windows=(Window.parse("sat 01:30-05:00 Europe/Berlin"),))
    plan = rolled_out(rollout)
    save_plan(plan, tmp_path / "plan.yaml")
    assert load_plan(tmp_path / "plan.yaml") == plan


def test_a_person_is_asked_before_the_point_of_no_return_and_never_while_the_apis_are_down(
    case: Path,
) -> None:
    plan = plan_of(case)
    names = [stage.name for stage in plan.stages]
    gates = [names.index(gate.before) for gate in plan.gates]
    assert gates[0] == 0
    stages = {step.id: number for number, stage in enumerate(plan.stages) for step in stage.steps}
    if plan.point_of_no_return:
        assert any(gate <= stages[plan.point_of_no_return] for gate in gates[1:])
    down = range(names.index("stop") + 1, names.index("verify") + 1)
    assert not set(gates) & set(down)


def test_a_machine_of_a_hypervisor_is_marked_kept_and_left(tmp_path: Path) -> None:
    catalog = load_catalog()
    target = catalog.release("epoxy")
    recorded = cloud_in(HERE / "zed-small")
    hooked = {"snapshots": "hook", "snapshot_hook": "/etc/skipstone/vm-snapshot"}
    hosts = tuple(
        host if host.unit("nova-compute") else host.model_copy(update=hooked) for host in recorded.hosts
    )
    cloud = recorded.model_copy(update={"hosts": hosts})
    plan = make_plan(cloud, catalog, target, findings=examine(cloud, catalog, target))
    steps = {step.id: step for step in plan.steps()}
    keeper = next(step for step in steps.values() if isinstance(step, TakeMachineSnapshot))
    name, control = keeper.id, keeper.machine
    assert [keeper.host, *keeper.holds(), keeper.hook] == [OPERATOR, control, hooked["snapshot_hook"]]
    assert [steps[f"{name}.settle"].host, steps[f"{name}.leave"].host] == [control, control]
    assert keeper.needs == (f"{name}.settle",)
    assert steps[f"{name}.leave"].needs == (name,)
    assert f"{name}.leave" in steps["stop.dump"].needs, "nothing is written before the machine is kept"
    assert plan.point_of_no_return is None
    save_plan(plan, tmp_path / "plan.yaml")
    assert load_plan(tmp_path / "plan.yaml") == plan


ANEW = Path("zed-small") / "reinstall-2025.1.md"
INSTALLER = "/etc/skipstone/install-compute"


def with_installer(cloud: Cloud, **more: Any) -> Cloud:
    """Return a cloud whose computes have a hook that installs them anew."""
    hosts = tuple(
        host.model_copy(update={"reinstall_hook": INSTALLER, **more}) if host.unit("nova-compute") else host
        for host in cloud.hosts
    )
    return cloud.model_copy(update={"hosts": hosts})


def anew(cloud: Cloud, **more: Any) -> Plan:
    """Return the plan that installs every compute anew."""
    catalog, recorded = load_catalog(), cloud_in(HERE / "zed-small")
    target = catalog.release("2025.1")
    handling = Handling(**{"computes": Computes.REINSTALL, "returning": True, **more})
    return make_plan(cloud, catalog, target, findings=examine(recorded, catalog, target), handling=handling)


def test_a_compute_that_is_installed_anew_has_exactly_these_commands() -> None:
    plan = anew(with_installer(cloud_in(HERE / "zed-small")))
    sample = tuple(stage for stage in plan.stages if stage.name == "sample")
    found = runbook(plan.model_copy(update={"stages": sample, "findings": ()}))
    if os.environ.get("SKIPSTONE_RECORD"):
        (HERE / ANEW).write_text(found)
    assert found == (HERE / ANEW).read_text()


def test_a_compute_is_emptied_and_kept_before_it_is_installed_anew(tmp_path: Path) -> None:
    plan = anew(with_installer(cloud_in(HERE / "zed-small")))
    own = [step for step in plan.steps() if step.group == "cmp2"]
    order = [step.id.rpartition(".")[2] for step in own]
    assert [name for name in order if name not in {"configuration", "deploy"}] == [
        *("drain", "stop", "keep", "reinstall", "restore", "packages", "settle", "start", "confirm"),
        *("agents", "identity", "forget", "return"),
    ]
    assert order.index("deploy") < order.index("keep"), "the configuration comes back converted"
    assert all(later.needs == (earlier.id,) for earlier, later in pairwise(own))
    assert all(step.empty for step in own if isinstance(step, DrainHost))
    touched = {step.id for step in plan.steps() if step.host == "cmp2"} - {step.id for step in own}
    assert not [name for name in touched if "download" in name or "versions" in name]
    assert plan.point_of_no_return == "computes.cmp2.reinstall"
    assert [gate.id for gate in plan.gates if gate.before == "sample"] == ["sample"]
    save_plan(plan, tmp_path / "plan")
    assert load_plan(tmp_path / "plan") == plan


def test_only_the_target_s_packages_are_asked_for() -> None:
    plan = anew(with_installer(cloud_in(HERE / "zed-small")))
    step = next(step for step in plan.steps() if isinstance(step, InstallPackages))
    assert step.add == ("neutron-openvswitch-agent", "nova-compute")
    assert {"nova-compute-kvm", "qemu-system-x86", "openvswitch-switch"} <= set(step.also)
    assert not {"systemd", "python3", "openssh-server"} & set(step.also), "the image has its own"
    assert step.blocked == ("neutron-openvswitch-agent", "nova-compute")


def test_what_forbids_to_install_a_compute_anew_is_told_at_once() -> None:
    recorded = cloud_in(HERE / "zed-small")
    with pytest.raises(InputError) as refused:
        anew(recorded, on_stuck="leave")
    for told in ("cmp1: the inventory names no reinstall_hook", "cmp2: the inventory", "--on-stuck leave"):
        assert told in refused.value.evidence
    groups = with_installer(recorded, groups=("compute", "network"))
    with pytest.raises(InputError) as refused:
        anew(groups)
    assert "cmp1: it is in the groups network too" in refused.value.evidence


@pytest.mark.parametrize("name", ["neutron-l3-agent", "ceph-osd@3", "mariadb"])
def test_a_compute_that_carries_more_is_not_installed_anew(name: str) -> None:
    recorded = with_installer(cloud_in(HERE / "zed-small"))
    unit = Unit(name=name, load="loaded", active="active", sub="running", enabled="enabled")
    hosts = tuple(
        host.model_copy(update={"units": (*host.units, unit)}) if host.name == "cmp1" else host
        for host in recorded.hosts
    )
    with pytest.raises(InputError) as refused:
        anew(recorded.model_copy(update={"hosts": hosts}))
    assert f"cmp1: more than a compute runs there: {name}" in refused.value.evidence
    assert "cmp2" not in refused.value.evidence


def test_the_only_compute_is_not_installed_anew() -> None:
    recorded = with_installer(cloud_in(HERE / "zed-small"))
    hosts = tuple(host for host in recorded.hosts if host.name != "cmp1")
    with pytest.raises(InputError) as refused:
        anew(recorded.model_copy(update={"hosts": hosts}))
    assert "cmp2: it is the only compute" in refused.value.evidence


def test_where_debian_stays_a_compute_installed_anew_keeps_no_versions() -> None:
    cloud = with_installer(on_another_archive(snapshots=""))
    catalog = load_catalog()
    target = staying(cloud, catalog.release("antelope"))
    handling = Handling(Computes.REINSTALL)
    findings = examine(cloud, catalog, target)
    plan = make_plan(cloud, catalog, target, suites=SUITES, findings=findings, handling=handling)
    assert {step.host for step in plan.steps() if isinstance(step, KeepVersions)} == {"ctl1"}
    installs = [step for step in plan.steps() if isinstance(step, InstallPackages)]
    assert {(step.old_suite, step.new_suite) for step in installs} == {SUITES}
    hooks = [step for step in plan.steps() if isinstance(step, ReinstallHost)]
    assert {(step.debian, step.release) for step in hooks} == {("bookworm", "2023.1")}


SUITES = Suites("bookworm-zed-backports", "bookworm-antelope-backports")


def on_another_archive(**changes: object) -> Cloud:
    """Return a cloud whose OpenStack comes from an archive beside Debian's own."""
    recorded = cloud_in(HERE / "zed-small")
    path = "/etc/apt/sources.list.d/openstack.list"
    source = AptSource(path=path, suites=(SUITES.old,), text=f"deb http://archive.example/ {SUITES.old} main")
    hosts = (
        host.model_copy(update={"apt_sources": (*host.apt_sources, source), **changes})
        for host in recorded.hosts
    )
    return recorded.model_copy(update={"hosts": tuple(hosts)})


def plan_to_antelope(cloud: Cloud, suites: Suites) -> Plan:
    catalog = load_catalog()
    target = staying(cloud, catalog.release("antelope"))
    return make_plan(cloud, catalog, target, suites=suites, findings=examine(cloud, catalog, target))


def test_where_the_system_stays_the_versions_are_kept_and_come_back() -> None:
    plan = plan_to_antelope(on_another_archive(snapshots=""), SUITES)
    keeping = [step for step in plan.steps() if isinstance(step, KeepVersions)]
    kept = {step.host: step for step in keeping if step.id.startswith("prepare.")}
    again = {step.host: step.id for step in keeping if not step.id.startswith("prepare.")}
    assert kept.keys() == again.keys()
    stops = {step.host: step for step in plan.steps() if isinstance(step, StopServices)}
    assert again["ctl1"] in stops["ctl1"].needs, "before its services stop, it is looked once more"
    assert [step.id for step in plan.steps() if again["cmp1"] in step.needs] == ["computes.cmp1.record"]
    upgrades = [step for step in plan.steps() if isinstance(step, UpgradePackages)]
    assert upgrades
    for step in upgrades:
        assert kept[step.host].needs == (f"prepare.download.{step.host}",)
        assert (step.old_suite, step.new_suite, step.kept) == (*SUITES, True)
        assert step.reversibility is Reversibility.EXACT
        assert step.revert()
    assert plan.point_of_no_return
    assert plan.point_of_no_return.startswith("databases."), "the packages come back, not yet the databases"


def test_what_was_fetched_is_looked_for_once_more_before_anything_stops() -> None:
    plan = plan_to_antelope(on_another_archive(snapshots=""), SUITES)
    fetches = {step.id: step for step in plan.steps() if isinstance(step, DownloadPackages)}
    first, again = fetches["prepare.download.ctl1"], fetches["stop.download.ctl1"]
    assert again.apply() == first.apply()
    assert first.revert()
    assert not again.revert(), "what lies there was fetched by the first one, too"
    needing = [step.id for step in plan.steps() if again.id in step.needs]
    assert needing == ["stop.versions.ctl1", "stop.workloads", "stop.services.ctl1"]
    later = [step.id for step in plan.steps() if "computes.cmp1.download" in step.needs]
    assert later == ["computes.cmp1.versions"], "days may lie between"


def test_a_snapshot_is_preferred_to_versions() -> None:
    plan = plan_to_antelope(on_another_archive(snapshots="copy"), SUITES)
    assert not [step for step in plan.steps() if isinstance(step, KeepVersions)]
    assert plan.point_of_no_return is None


def test_a_suite_that_no_source_names() -> None:
    with pytest.raises(InputError, match="no package source names the suite bookworm-yoga"):
        plan_to_antelope(on_another_archive(snapshots=""), Suites("bookworm-yoga", "bookworm-zed"))
    with pytest.raises(InputError, match="so it cannot stay"):
        plan_to_antelope(on_another_archive(os=None), SUITES)


def drained(case: Path, **more: Any) -> Plan:
    """Return the plan for a case whose computes are drained."""
    catalog = load_catalog()
    target = catalog.release(case.stem.removeprefix("runbook-"))
    cloud = cloud_in(case.parent)
    handling = Handling(Computes.DRAIN, **more)
    return make_plan(cloud, catalog, target, findings=examine(cloud, catalog, target), handling=handling)


def test_a_drained_compute_is_emptied_first_and_opened_last(case: Path) -> None:
    plan = drained(case)
    for host in {step.compute for step in plan.steps() if isinstance(step, DrainHost)}:
        own = [step for step in plan.steps() if step.id.startswith(f"computes.{host}.")]
        chain = [step for step in own if not step.id.endswith(".configuration")]
        assert isinstance(chain[0], DrainHost)
        assert isinstance(chain[-1], ReturnInstances)
        assert all(step.needs for step in chain[1:])
    assert any(isinstance(step, DrainHost) for step in plan.steps())


def test_drains_come_after_the_role_that_neutron_wants(case: Path) -> None:
    kinds = [type(step) for step in drained(case).steps()]
    if GrantServiceRole in kinds:
        assert kinds.index(GrantServiceRole) < kinds.index(DrainHost)
    assert kinds.index(WaitForApi) < kinds.index(DrainHost)


def test_after_the_first_drain_nothing_moves_instances_back(case: Path) -> None:
    plan = drained(case)
    drains = [step for step in plan.steps() if isinstance(step, DrainHost)]
    if case.parent.name != "victoria-small":  # which has no snapshots, so it is past that point before
        assert plan.point_of_no_return == drains[1].id
    assert [step.reversibility for step in drains[:2]] == [Reversibility.EXACT, Reversibility.NONE]
    gate = next(gate for gate in plan.gates if gate.id == "computes")
    assert any(stage.name == gate.before and drains[1] in stage.steps for stage in plan.stages)


def test_instances_come_back_where_that_is_asked_for(case: Path) -> None:
    returns = [step for step in drained(case, returning=True).steps() if isinstance(step, ReturnInstances)]
    assert returns
    assert all(step.moving and step.reversibility is Reversibility.NONE for step in returns)


def test_limits_on_migrations_are_told_to_every_drain_and_return(case: Path, tmp_path: Path) -> None:
    plan = drained(case, returning=True, migrations=6, per_target=2)
    moving = [step for step in plan.steps() if isinstance(step, DrainHost | ReturnInstances)]
    assert moving
    for step in moving:
        for command in filter(None, (step.apply(), step.revert())):
            assert "--at-once 6 --per-target 2" in command.script
    save_plan(plan, tmp_path / "plan")
    assert load_plan(tmp_path / "plan") == plan
    usual = [step for step in drained(case).steps() if isinstance(step, DrainHost)]
    assert not [step for step in usual if "--at-once" in step.apply().script]


def test_a_plan_with_drains_is_read_again(case: Path, tmp_path: Path) -> None:
    plan = drained(case, returning=True, on_stuck="leave")
    save_plan(plan, tmp_path / "plan")
    assert load_plan(tmp_path / "plan") == plan


def test_the_only_compute_is_not_drained(case: Path) -> None:
    catalog = load_catalog()
    target = catalog.release(case.stem.removeprefix("runbook-"))
    cloud = cloud_in(case.parent)
    only = next(host for host in cloud.hosts if host.unit("nova-compute"))
    left = tuple(host for host in cloud.hosts if host == only or not host.unit("nova-compute"))
    small = cloud.model_copy(update={"hosts": left})
    with pytest.raises(InputError, match="only compute"):
        make_plan(small, catalog, target, findings=(), handling=Handling(Computes.DRAIN))
    auto = make_plan(small, catalog, target, findings=(), handling=Handling(Computes.AUTO))
    assert not any(isinstance(step, DrainHost) for step in auto.steps())
    assert any("there is no other compute" in step.title for step in auto.steps())


@pytest.mark.parametrize("group", ["database", "broker"])
def test_a_compute_that_holds_the_database_or_the_broker_is_refused(case: Path, group: str) -> None:
    catalog, cloud = load_catalog(), cloud_in(case.parent)
    compute = next(host for host in cloud.hosts if host.unit("nova-compute"))
    both = compute.model_copy(update={"groups": (*compute.groups, group)})
    hosts = tuple(both if host == compute else host for host in cloud.hosts)
    target = catalog.release(case.stem.removeprefix("runbook-"))
    with pytest.raises(InputError, match=f"{compute.name} runs nova-compute, and the {group}"):
        make_plan(cloud.model_copy(update={"hosts": hosts}), catalog, target, findings=())


def test_a_control_host_that_also_runs_instances_is_refused(case: Path) -> None:
    catalog, cloud = load_catalog(), cloud_in(case.parent)
    agent = next(host.unit("nova-compute") for host in cloud.hosts if host.unit("nova-compute"))
    hosts = tuple(
        host.model_copy(update={"units": (*host.units, agent)}) if host.unit("nova-scheduler") else host
        for host in cloud.hosts
    )
    target = catalog.release(case.stem.removeprefix("runbook-"))
    with pytest.raises(InputError, match="nova-scheduler"):
        make_plan(cloud.model_copy(update={"hosts": hosts}), catalog, target, findings=())
