"""Recorded clouds and the plans that they must give.

A new case is a directory with ``cloud.yaml`` and ``runbook-TARGET.md``; its every command counts. After a
wanted change:  SKIPSTONE_RECORD=1 pytest tests/plans
"""

import os
from itertools import pairwise
from pathlib import Path

import pytest

from skipstone.catalog import load_catalog
from skipstone.checks.examination import examine
from skipstone.cloud.cloudfile import load_cloud
from skipstone.cloud.command import OPERATOR
from skipstone.cloud.model import AptSource, Cloud
from skipstone.errors import InputError
from skipstone.plan.plan import Plan
from skipstone.plan.planfile import load_plan, save_plan
from skipstone.plan.planner import make_plan, staying
from skipstone.plan.strategies.in_place import Suites
from skipstone.steps.backup import DumpDatabases, DumpStoppedDatabases
from skipstone.steps.machine import TakeMachineSnapshot
from skipstone.steps.packages import KeepVersions, UpgradePackages
from skipstone.steps.step import Impact, Reversibility
from skipstone.views.runbook import runbook

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("*/runbook-*.md"))


def plan_of(case: Path) -> Plan:
    """Return the plan for a case's cloud and target."""
    catalog = load_catalog()
    target = catalog.release(case.stem.removeprefix("runbook-"))
    cloud = load_cloud(case.parent / "cloud.yaml")
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
        save_plan(plan_of(case), tmp_path / name)
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
    catalog, cloud = load_catalog(), load_cloud(HERE / "zed-small/cloud.yaml")
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
        for earlier, later in pairwise(stage.steps):
            assert later.needs == (earlier.id,)
    assert {step.id.split(".")[1] for step in sample.steps} == {"cmp2"}, "it has the fewest instances"


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
    recorded = load_cloud(HERE / "zed-small" / "cloud.yaml")
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


SUITES = Suites("bookworm-zed-backports", "bookworm-antelope-backports")


def on_another_archive(**changes: object) -> Cloud:
    """Return a cloud whose OpenStack comes from an archive beside Debian's own."""
    recorded = load_cloud(HERE / "zed-small" / "cloud.yaml")
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
    kept = {step.host: step for step in plan.steps() if isinstance(step, KeepVersions)}
    upgrades = [step for step in plan.steps() if isinstance(step, UpgradePackages)]
    assert upgrades
    for step in upgrades:
        assert kept[step.host].needs == (f"prepare.download.{step.host}",)
        assert (step.old_suite, step.new_suite, step.kept) == (*SUITES, True)
        assert step.reversibility is Reversibility.EXACT
        assert step.revert()
    assert plan.point_of_no_return
    assert plan.point_of_no_return.startswith("databases."), "the packages come back, not yet the databases"


def test_a_snapshot_is_preferred_to_versions() -> None:
    plan = plan_to_antelope(on_another_archive(snapshots="copy"), SUITES)
    assert not [step for step in plan.steps() if isinstance(step, KeepVersions)]
    assert plan.point_of_no_return is None


def test_a_suite_that_no_source_names() -> None:
    with pytest.raises(InputError, match="no package source names the suite bookworm-yoga"):
        plan_to_antelope(on_another_archive(snapshots=""), Suites("bookworm-yoga", "bookworm-zed"))
    with pytest.raises(InputError, match="so it cannot stay"):
        plan_to_antelope(on_another_archive(os=None), SUITES)
