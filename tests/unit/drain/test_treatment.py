"""Every state of an instance has a treatment, and none that runs is moved against its nature or its owner."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skipstone.drain.model import Flavor, Group, Instance
from skipstone.drain.treatment import STATUSES, Treatment, treat

# nova/api/openstack/common.py, _STATE_MAP with its default texts, 2026.1: what the API can say
NOVA = {
    *("ACTIVE", "BUILD", "DELETED", "ERROR", "HARD_REBOOT", "MIGRATING", "PASSWORD", "PAUSED", "REBOOT"),
    *("REBUILD", "RESCUE", "RESIZE", "REVERT_RESIZE", "SHELVED", "SHELVED_OFFLOADED", "SHUTOFF"),
    *("SOFT_DELETED", "SUSPENDED", "UNKNOWN", "VERIFY_RESIZE"),
}


def instance(status: str = "ACTIVE", **more: Any) -> Instance:
    power = {"PAUSED": 3, "SHUTOFF": 4}.get(status, 1)
    given: dict[str, Any] = {"flavor": Flavor(1024, 1), "power": power}
    return Instance("id", "vm", "cmp1", status, **(given | more))


def test_every_status_of_nova_is_known() -> None:
    assert STATUSES == NOVA


@pytest.mark.parametrize(
    ("status", "treatment"),
    [
        ("ACTIVE", Treatment.LIVE),
        ("PAUSED", Treatment.LIVE),
        *((status, Treatment.STAYS) for status in ("SHUTOFF", "SUSPENDED", "SHELVED", "SHELVED_OFFLOADED")),
        *((status, Treatment.STAYS) for status in ("RESCUE", "SOFT_DELETED", "DELETED")),
        *((status, Treatment.WAITS) for status in ("BUILD", "REBUILD", "REBOOT", "HARD_REBOOT", "PASSWORD")),
        *((status, Treatment.WAITS) for status in ("RESIZE", "REVERT_RESIZE", "MIGRATING")),
        *(
            (status, Treatment.BLOCKS)
            for status in ("VERIFY_RESIZE", "ERROR", "UNKNOWN", "NEWER_THAN_WE_ARE")
        ),
    ],
)
def test_each_status_has_its_treatment(status: str, treatment: Treatment) -> None:
    judged = treat(instance(status))
    assert judged.treatment is treatment
    assert judged.reason


@pytest.mark.parametrize(
    ("more", "treatment"),
    [
        ({"task": "rebooting"}, Treatment.WAITS),
        ({"power": 4}, Treatment.WAITS),
        ({"locked": True}, Treatment.LIVE),
        ({"metadata": {"skipstone:drain": "never"}}, Treatment.BLOCKS),
        ({"metadata": {"skipstone:drain": "Cold "}}, Treatment.COLD),
        ({"metadata": {"skipstone:drain": "sometimes"}}, Treatment.BLOCKS),
        ({"nics": ("normal", "direct-physical")}, Treatment.BLOCKS),
        ({"nics": ("direct",)}, Treatment.BLOCKS),
        ({"nics": ("direct",), "metadata": {"skipstone:drain": "live"}}, Treatment.LIVE),
        ({"nics": ("direct-physical",), "metadata": {"skipstone:drain": "live"}}, Treatment.BLOCKS),
        ({"flavor": Flavor(1, 1, extra={"pci_passthrough:alias": "gpu:1"})}, Treatment.BLOCKS),
        ({"flavor": Flavor(1, 1, extra={"resources:VGPU": "1"})}, Treatment.BLOCKS),
        ({"flavor": Flavor(1, 1, extra={"hw:cpu_policy": "dedicated"})}, Treatment.LIVE),
        ({"group": Group("affinity", frozenset({"id", "other"}))}, Treatment.BLOCKS),
        ({"group": Group("affinity", frozenset({"id"}))}, Treatment.LIVE),
        ({"group": Group("soft-affinity", frozenset({"id", "other"}))}, Treatment.LIVE),
    ],
)
def test_what_runs_is_moved_unless_it_cannot_or_must_not(more: dict[str, Any], treatment: Treatment) -> None:
    assert treat(instance(**more)).treatment is treatment


def test_what_is_off_moves_only_with_consent() -> None:
    off, never = instance("SHUTOFF"), instance("SHUTOFF", metadata={"skipstone:drain": "never"})
    assert treat(off).treatment is Treatment.STAYS
    assert treat(off, cold=True).treatment is Treatment.COLD
    assert treat(never, cold=True).treatment is Treatment.STAYS


@given(
    status=st.sampled_from(sorted(NOVA)),
    task=st.none() | st.sampled_from(["migrating", "deleting", "powering-off"]),
    power=st.integers(0, 7),
    wish=st.sampled_from(["", "live", "cold", "never", "?"]),
    cold=st.booleans(),
)
def test_nothing_is_moved_that_nova_would_refuse(
    status: str, task: str | None, power: int, wish: str, *, cold: bool
) -> None:
    judged = treat(instance(status, task=task, power=power, metadata={"skipstone:drain": wish}), cold=cold)
    if judged.treatment is Treatment.LIVE:
        assert status in {"ACTIVE", "PAUSED"}
    if judged.treatment is Treatment.COLD:
        assert status in {"ACTIVE", "SHUTOFF"}
        assert cold or wish == "cold"
    if judged.treatment in {Treatment.LIVE, Treatment.COLD}:
        assert task is None
        assert wish not in {"never", "?"}
