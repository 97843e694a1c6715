from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from skipstone.errors import LabError
from skipstone.lab import readiness
from skipstone.lab.readiness import look, wait_ready

BOOT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
FRESH, STALE = "2026-11-21T12:00:30.000000", "2026-11-21 11:59:50"
EXPECTED = ("nova-compute on cmp1", "neutron-l3-agent on ctl1")


def cloud(compute_beat: str = FRESH, *, alive: bool = True, agents: bool = True) -> Any:
    compute = SimpleNamespace(binary="nova-compute", host="cmp1", state="up", updated_at=compute_beat)
    agent = SimpleNamespace(binary="neutron-l3-agent", host="ctl1", is_alive=alive, last_heartbeat_at=FRESH)
    server = SimpleNamespace(
        name="vm",
        id="1",
        status="ACTIVE",
        hypervisor_hostname="cmp1",
        addresses={"net": [{"addr": "172.20.0.5"}, {"addr": "10.88.0.5", "OS-EXT-IPS:type": "floating"}]},
    )
    return SimpleNamespace(
        service_catalog=[{"type": "compute", "endpoints": [{"url": "http://10.77.0.11:8774/v2.1"}]}],
        compute=SimpleNamespace(services=lambda: [compute], servers=lambda **_: [server]),
        network=SimpleNamespace(agents=lambda: [agent] if agents else []),
    )


@pytest.fixture(autouse=True)
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    bodies = {
        "http://10.77.0.11:8774/": b"{}",
        "http://10.88.0.5/": b"boot=b-1 tick=12 up=12.50\n",
    }

    def fetch(url: str, timeout: float = 4) -> bytes:
        del timeout
        if url not in bodies:
            raise ConnectionRefusedError("nobody listens")
        return bodies[url]

    monkeypatch.setattr(readiness, "fetch", fetch)
    return bodies


def test_a_cloud_that_is_well() -> None:
    seen = look(cloud(), EXPECTED, BOOT)
    assert seen.unwell() == []
    (instance,) = seen.instances
    assert (instance.address, instance.boot_id, instance.uptime_seconds) == ("10.88.0.5", "b-1", 12.5)


def test_a_heartbeat_from_before_the_boot_does_not_count() -> None:
    assert look(cloud(STALE), EXPECTED, BOOT).unwell() == [f"nova-compute on cmp1: last heartbeat {STALE}"]
    assert look(cloud(STALE), EXPECTED).unwell() == []


def test_an_agent_that_never_reported_is_missed() -> None:
    assert look(cloud(agents=False), EXPECTED, BOOT).unwell() == ["neutron-l3-agent on ctl1: never reported"]


def test_one_living_engine_of_heat_is_enough_and_a_dead_one_is_told() -> None:
    def heat(*rows: tuple[str, str | None]) -> Any:
        engines = [
            {"binary": "heat-engine", "host": "ctl1", "status": status, "updated_at": at, "created_at": STALE}
            for status, at in rows
        ]
        found = cloud()
        found.service_catalog.append(
            {"type": "orchestration", "endpoints": [{"url": "http://10.77.0.11:8774/v1"}]}
        )
        found.orchestration = SimpleNamespace(
            get=lambda _: SimpleNamespace(json=lambda: {"services": engines})
        )
        return found

    assert look(heat(("up", FRESH), ("down", STALE)), EXPECTED, BOOT).unwell() == []
    assert look(heat(("up", None)), EXPECTED, BOOT).unwell() == [
        f"heat-engine on ctl1: last heartbeat {STALE}"
    ]


def test_a_dead_agent_is_told() -> None:
    assert "neutron-l3-agent" in look(cloud(alive=False), EXPECTED, BOOT).unwell()[0]


def test_an_api_that_does_not_answer_is_told_and_nothing_more_is_asked(answers: dict[str, bytes]) -> None:
    answers.clear()
    seen = look(cloud(), EXPECTED, BOOT)
    assert [answer.well for answer in seen.apis] == [False]
    assert seen.agents == ()


def test_an_instance_that_does_not_serve_is_told(answers: dict[str, bytes]) -> None:
    answers["http://10.88.0.5/"] = b"<html>not ours</html>"
    assert look(cloud(), EXPECTED, BOOT).unwell() == ["instance vm (ACTIVE) does not serve"]


def test_keystone_that_fails_is_an_answer() -> None:
    class Broken:
        @property
        def service_catalog(self) -> list[object]:
            raise RuntimeError("no token")

    assert look(Broken(), EXPECTED).unwell() == ["identity: RuntimeError: no token"]


def test_waiting_ends_with_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "READY_SECONDS", 0)
    with pytest.raises(LabError) as caught:
        wait_ready(cloud(agents=False), EXPECTED, BOOT)
    assert caught.value.evidence == "neutron-l3-agent on ctl1: never reported"
