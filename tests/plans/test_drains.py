"""What a plan says of drains: how long they take together, and what they may do with an instance."""

from typing import Any

import pytest

from skipstone.catalog import load_catalog
from skipstone.checks.examination import examine
from skipstone.cloud.model import Cloud, Instance
from skipstone.errors import InputError
from skipstone.plan.plan import Plan
from skipstone.plan.planner import make_plan
from skipstone.plan.rollout import Rollout, Share
from skipstone.plan.strategies.in_place import Computes, Handling
from skipstone.plan.window import Window
from skipstone.steps.drain import DrainHost, ReturnInstances
from tests.plans.test_cohorts import alike

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
