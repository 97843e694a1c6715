"""Whether an instance is silent because of its owner: by nova's words, and against a cloud that breaks."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from skipstone.impact.icmp import Pinger
from skipstone.impact.measurement import measure
from skipstone.impact.owners import cause_of
from skipstone.impact.recording import FILE, Beat, LeftOut, Mark, Note, Recording
from skipstone.impact.sample import Kind, Reply, Sample
from skipstone.impact.spending import spend
from skipstone.impact.tally import Tally
from skipstone.run.budget import parse_budget
from tests.unit.impact.fake_cloud import FakeCloud
from tests.unit.impact.test_prober import probe, spec_of

SECOND = 1_000_000
START = 1_790_000_000 * SECOND
GAP = parse_budget("instance-gap=5s")
LOSS = parse_budget("instance-loss=10%")


def action(name: str, seconds: float, user: str | None = "ann") -> dict[str, Any]:
    at = datetime.fromtimestamp(START / SECOND, UTC) + timedelta(seconds=seconds)
    return {"action": name, "user_id": user, "start_time": at.strftime("%Y-%m-%dT%H:%M:%S.%f")}


def server(status: str, task: str | None = None) -> dict[str, Any]:
    return {"status": status, "OS-EXT-STS:task_state": task}


@pytest.mark.parametrize(
    ("actions", "now", "since"),
    [
        ([action("stop", -3)], server("SHUTOFF"), -3),
        ([action("stop", -3)], server("ACTIVE", "powering-off"), -3),
        ([action("stop", -300)], server("SHUTOFF"), -300),  # a guest that takes its time
        ([action("stop", 2)], server("SHUTOFF"), 0),  # nova's clock is a little ahead of ours
        ([action("stop", 40)], server("SHUTOFF"), 40),  # it was silent before: so long it counts
        ([action("delete", -1)], None, -1),
        ([action("shelve", -9), action("create", -900)], server("SHELVED_OFFLOADED"), -9),
        ([action("rebuild", -5)], server("REBUILD", "rebuilding"), -5),
        ([action("reboot", -5)], server("ACTIVE"), -5),
        ([action("stop", -9), action("detach_interface", -2)], server("SHUTOFF"), -9),
        ([action("stop", -9), action("stop", 30, user=None)], server("SHUTOFF"), -9),
    ],
)
def test_what_its_owner_did_explains_a_silence(
    actions: list[dict[str, Any]], now: dict[str, Any] | None, since: float
) -> None:
    cause = cause_of(actions, START, now)
    assert cause is not None
    assert (cause.since - START) / SECOND == since
    assert "by its owner (nova's user ann)" in cause.how


@pytest.mark.parametrize(
    ("actions", "now"),
    [
        ([], server("SHUTOFF")),
        ([action("create", -9000)], server("ACTIVE")),
        ([action("stop", 20, user=None)], server("SHUTOFF")),  # nova noticed that its process is gone
        ([action("stop", -90), action("start", -60)], server("ACTIVE")),
        ([action("stop", -90)], server("ACTIVE")),  # which failed
        ([action("stop", -9000)], server("SHUTOFF")),  # and it answered since
        ([action("reboot", -3000)], server("ACTIVE")),
        ([action("live-migration", -2)], server("ACTIVE")),
        ([action("migrate", -2)], server("RESIZE", "resize_migrating")),  # a drain's
    ],
)
def test_what_nobody_asked_for_is_the_upgrades(
    actions: list[dict[str, Any]], now: dict[str, Any] | None
) -> None:
    assert cause_of(actions, START, now) is None


def says(cloud: FakeCloud, *actions: dict[str, Any], status: str) -> None:
    cloud.lists["/compute/v2.1/servers/i1/os-instance-actions"] = {"instanceActions": list(actions)}
    cloud.lists["/compute/v2.1/servers/i1"] = {"server": server(status)}


def now(name: str) -> dict[str, Any]:
    return action(name, datetime.now(UTC).timestamp() - START / SECOND)


def asked(cloud: FakeCloud) -> int:
    """Return how often nova was asked what was done to an instance."""
    return sum(path.endswith("/os-instance-actions") for _, _, path in cloud.seen)


@pytest.fixture
def silence(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Give what makes the cloud's one instance silent: its page and its pings."""
    answers = Pinger.ping

    async def ping(self: Pinger, address: str, limit: float) -> bool:
        if "" not in cloud.broken:
            return await answers(self, address, limit)
        await asyncio.sleep(limit)
        return False

    monkeypatch.setattr(Pinger, "ping", ping)
    return lambda: cloud.broken.update({"": 503})


def test_an_instance_that_its_owner_stops_counts_no_more_from_then_on(
    cloud: FakeCloud, tmp_path: Path, silence: Callable[[], None]
) -> None:
    async def during() -> None:
        await asyncio.sleep(1)
        says(cloud, now("stop"), status="SHUTOFF")
        silence()
        await asyncio.sleep(5)

    impact = probe(spec_of(cloud, tmp_path), tmp_path, during)
    (instance,) = impact.instances
    for stream in (instance.ping, instance.boot):
        assert stream is not None
        assert (stream.bad, stream.outages) == (0, ())
    (line,) = impact.left_out
    assert line.startswith("vm1: stopped by its owner (nova's user ann) at ")
    assert asked(cloud) == 1
    tally = Tally()
    tally.advance(tmp_path)
    assert not any(one.broken for one in spend(tally.felt(), [GAP, LOSS]))
    assert tally.left_out == [line]


def test_an_instance_that_an_upgrade_has_stopped_counts_and_nova_is_asked_seldom(
    cloud: FakeCloud, tmp_path: Path, silence: Callable[[], None]
) -> None:
    async def during() -> None:
        await asyncio.sleep(1)
        says(cloud, action("create", 0), action("stop", 9, user=None), status="SHUTOFF")
        silence()
        await asyncio.sleep(5)

    impact = probe(spec_of(cloud, tmp_path), tmp_path, during)
    (instance,) = impact.instances
    assert instance.ping is not None
    assert instance.ping.longest > 3
    assert impact.left_out == ()
    assert asked(cloud) == 1


def test_while_nova_does_not_answer_it_counts_and_is_judged_when_it_does(
    cloud: FakeCloud, tmp_path: Path, silence: Callable[[], None]
) -> None:
    async def during() -> None:
        await asyncio.sleep(1)
        says(cloud, now("delete"), status="ACTIVE")
        del cloud.lists["/compute/v2.1/servers/i1"]
        silence()
        cloud.broken["compute"] = 503
        await asyncio.sleep(4)
        with Recording.open(tmp_path) as recording:
            assert not recording.left_out()
        del cloud.broken["compute"]
        await asyncio.sleep(6)

    impact = probe(spec_of(cloud, tmp_path), tmp_path, during)
    (line,) = impact.left_out
    assert line.startswith("vm1: deleted by its owner")
    assert impact.instances[0].boot is not None
    assert impact.instances[0].boot.bad == 0


def test_what_was_counted_before_it_was_known_is_counted_anew(tmp_path: Path) -> None:
    """Tally and report agree, also on an outage before the owner's word, and on what canaries say of it."""
    tally = Tally()
    with Recording.create(tmp_path) as recording:
        recording.note(Note(START, Mark.BEGAN, ""))
        ping = recording.probe(Kind.PING, "i1", "vm1", "10.0.0.1").id
        pair = recording.probe(Kind.PAIR, "i2", "vm2 \u2192 vm1", "10.0.0.1").id
        other = recording.probe(Kind.PING, "i2", "vm2", "10.0.0.2").id
        for second in range(60):
            at = START + second * SECOND
            reply = Reply.GOOD if second < 10 else Reply.BAD
            samples = [Sample(ping, at, 900, reply), Sample(pair, at, 0, reply)]
            recording.write([*samples, Sample(other, at, 900, Reply.GOOD)], [Beat(at, 0, 0)])
        tally.advance(tmp_path)
        assert [one.broken for one in spend(tally.felt(), [GAP, LOSS])] == [True, True]
        recording.leave_out([LeftOut("i1", START + 12 * SECOND, "vm1: stopped", ("10.0.0.1",))])
        tally.advance(tmp_path)
        assert not any(one.out for one in tally.felt())
        assert [one.text for one in spend(tally.felt(), [GAP])] == ["vm1 3.0 s of 5.0 s"]
        tally.save(tmp_path)
        recording.note(Note(START + 60 * SECOND, Mark.ENDED, ""))
    tally = Tally.load(tmp_path)
    tally.advance(tmp_path)
    impact = measure(tmp_path)
    found = {one.subject: one for one in tally.felt() if one.kind is Kind.PING}
    for vm in impact.instances:
        assert vm.ping is not None
        assert found[vm.id].bad == vm.ping.bad
        assert found[vm.id].gap == pytest.approx(vm.ping.longest_gap, abs=0.001)
    assert impact.pairs[0].bad == 2
    assert impact.left_out == ("vm1: stopped",)


def test_a_recording_of_an_earlier_version_leaves_nothing_out(tmp_path: Path) -> None:
    with Recording.create(tmp_path) as recording:
        recording.note(Note(START, Mark.BEGAN, ""))
    with closing(sqlite3.connect(tmp_path / FILE)) as file:
        file.execute("DROP TABLE left_out")
    assert measure(tmp_path).left_out == ()
