"""A plan and the cloud it meets: the same, changed, or silent."""

from datetime import UTC, datetime

import pytest

from skipstone.cloud.fingerprint import fingerprint_of
from skipstone.cloud.model import Asked, Cloud, Host, Package, Problem, Unit
from skipstone.errors import PlanRefused
from skipstone.plan.freshness import refuse_unless_fresh
from skipstone.plan.plan import Plan

UNIT = Unit(name="nova-api", load="loaded", active="active", sub="running", enabled="enabled")
HOST = Host(
    name="ctl1",
    address="192.0.2.1",
    groups=("control",),
    reachable=True,
    boot_id="one",
    packages=(Package(name="nova-api", version="1", source="nova"),),
    units=(UNIT,),
)
CLOUD = Cloud(name="lab", taken_at=datetime(2026, 1, 1, tzinfo=UTC), skipstone="0", hosts=(HOST,))
PLAN = Plan(
    id="p",
    skipstone="0",
    strategy="in-place",
    cloud="lab",
    source="zed",
    target="epoxy",
    stages=(),
    fingerprint=fingerprint_of(CLOUD),
)


def with_host(**changed: object) -> Cloud:
    return CLOUD.model_copy(update={"hosts": (HOST.model_copy(update=changed),)})


def test_what_comes_and_goes_does_not_count() -> None:
    stopped = UNIT.model_copy(update={"active": "inactive"})
    refuse_unless_fresh(PLAN, with_host(boot_id="two", memory_available=5, units=(stopped,)))


def test_a_change_is_named_by_place_and_aspect() -> None:
    newer = (Package(name="nova-api", version="2", source="nova"),)
    with pytest.raises(PlanRefused, match="stale") as caught:
        refuse_unless_fresh(PLAN, with_host(packages=newer, units=()), known=["run 1 has carried this out"])
    assert caught.value.evidence == "ctl1: packages, units\nrun 1 has carried this out"


def test_silence_is_not_taken_for_a_change() -> None:
    silent = Problem(asked=Asked.SSH, where="ctl1", what="no route", evidence="EHOSTUNREACH")
    cloud = with_host(reachable=False, packages=(), units=()).model_copy(update={"problems": (silent,)})
    with pytest.raises(PlanRefused, match="not known") as caught:
        refuse_unless_fresh(PLAN, cloud)
    assert "ctl1: no route EHOSTUNREACH" in (caught.value.evidence or "")
    assert "packages" not in (caught.value.evidence or "")
