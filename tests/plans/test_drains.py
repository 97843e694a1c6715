"""What a plan says of drains: how long they take together, and what they may do with an instance."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from skipstone.catalog import load_catalog
from skipstone.checks.examination import examine
from skipstone.cli.drain import drain
from skipstone.cli.plan import plan as plan_verb
from skipstone.cloud.model import Cloud, Instance
from skipstone.errors import InputError
from skipstone.plan.plan import Plan
from skipstone.plan.planfile import load_plan, save_plan
from skipstone.plan.planner import make_plan
from skipstone.plan.rollout import Rollout, Share
from skipstone.plan.strategies.in_place import Computes, Handling
from skipstone.plan.window import Window
from skipstone.steps.drain import DrainHost, ReturnInstances
from skipstone.views.runbook import runbook
from tests.plans.test_cohorts import alike
from tests.plans.test_plans import HERE

ALL = Share(100, percent=True)


def full(hosts: int, each: int) -> Cloud:
    """Return a cloud with so many computes, and so many instances on each."""
    names = [f"cmp{number}" for number in range(hosts)]
    instances = tuple(
        Instance(id=f"{name}-{number}", name="vm", project="p", host=name, status="ACTIVE")
        for name in names
        for number in range(each)
    )
    return alike(*names).model_copy(update={"instances": instances})


def planned(cloud: Cloud, down: int, window: str = "", **more: Any) -> Plan:
    """Return the plan that drains so many hosts at a time."""
    catalog = load_catalog()
    target = catalog.release("2025.1")
    findings = tuple(one for one in examine(cloud, catalog, target) if one.severity != "inhibitor")
    windows = (Window.parse(window),) if window else ()
    rollout = Rollout(down=Share(down), waves=(ALL,), windows=windows)
    handling = Handling(**{"computes": Computes.DRAIN, **more})
    return make_plan(cloud, catalog, target, findings=findings, handling=handling, rollout=rollout)


def drains(plan: Plan) -> list[DrainHost]:
    return [step for step in plan.steps() if isinstance(step, DrainHost)]


FULL = full(60, 20)
"""Of fifty hosts a thousand instances have to move."""


def test_drains_of_a_wave_wait_for_each_others_migrations() -> None:
    plan = planned(FULL, 50)
    first, *_, last = drains(plan)
    assert first.estimate == 15 + 20 * 60 / 2, "the sample is alone"
    assert last.estimate == 15 + 1000 * 60 / 4
    assert last.deadline > 2 * last.estimate
    (wave,) = (stage for stage in plan.stages if stage.name == "computes")
    assert wave.seconds[last.compute] > last.estimate
    assert wave.estimate > 59 * 20 * 60 / 4, "no sooner than the migrations let it"


def test_more_migrations_at_a_time_make_drains_shorter() -> None:
    wide = planned(FULL, 50, migrations=100, per_target=10)
    assert drains(wide)[-1].estimate == 15 + 20 * 60 / 2


def test_instances_that_come_back_wait_for_each_other_too() -> None:
    back = [step for step in planned(FULL, 50, returning=True).steps() if isinstance(step, ReturnInstances)]
    assert back[-1].estimate == 10 + 1000 * 60 / 4


def test_a_window_has_to_have_room_for_what_a_drain_waits_for() -> None:
    planned(FULL, 50, "22:00-05:00 UTC")
    planned(FULL, 4, "22:00-00:00 UTC")
    planned(FULL, 50, "22:00-00:00 UTC", computes=Computes.STAY)
    with pytest.raises(InputError, match="no maintenance window is long enough") as refused:
        planned(FULL, 50, "22:00-00:00 UTC")
    assert "50 hosts are drained at a time, with 4 migrations: fewer (--down)" in refused.value.remedy


SMALL = full(2, 1)


def test_what_a_drain_may_do_is_in_its_commands_and_in_its_title(tmp_path: Path) -> None:
    plan = planned(SMALL, 1, returning=True, cold=True, force_complete=True)
    for step in drains(plan):
        check, apply, revert = step.is_done().script, step.apply().script, step.revert().script
        assert " --cold --check" in check
        assert " --cold --on-stuck pause --force-complete ||" in apply
        assert "skipstone return" in revert
        assert " --force-complete ||" in revert
        assert "--cold" not in revert, "what is off comes back in any case"
        host = step.compute
        assert step.title == (
            f"Move the instances of {host}, also those that are off, to other computes;"
            " a migration that does not end is forced to complete"
        )
        assert step.title in runbook(plan)
    returns = [step for step in plan.steps() if isinstance(step, ReturnInstances)]
    assert all(step.apply().script.count(" --force-complete ||") == 1 for step in returns)
    assert all(step.title.endswith("forced to complete") for step in returns)
    save_plan(plan, tmp_path / "plan")
    assert load_plan(tmp_path / "plan") == plan


def test_unless_asked_a_drain_moves_nothing_cold_and_forces_nothing() -> None:
    for step in drains(planned(SMALL, 1)):
        assert "--cold" not in step.apply().script
        assert "--force-complete" not in step.apply().script
        assert not {"cold", "force_complete"} & step.model_dump().keys()
        assert step.title == f"Move the instances of {step.compute} to other computes"


def test_the_options_are_those_of_the_drain() -> None:
    known = {option.name: option for option in drain.params}
    for option in plan_verb.params:
        if option.name in {"on_stuck", "cold", "force_complete"}:
            assert option.opts == known[option.name].opts
            assert option.default == known[option.name].default


def test_what_is_asked_for_is_in_the_plan() -> None:
    path = HERE / "zed-small" / "cloud.yaml"
    asked = ("--computes", "drain", "--cold", "--force-complete", "--return-instances")
    done = CliRunner().invoke(plan_verb, [str(path), "--to", "2025.1", "--json", *asked])
    assert done.exit_code == 0, done.output
    moving = [
        step
        for stage in json.loads(done.stdout)["stages"]
        for step in stage["steps"]
        if step.get("kind") in {"drain-host", "return-instances"}
    ]
    assert [step["force_complete"] for step in moving] == [True] * len(moving)
    assert [step["cold"] for step in moving if step["kind"] == "drain-host"] == [True, True]
