"""A whole drain against a nova, a placement and a neutron that behave, and that do not."""

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from skipstone.drain.drain import check_drained, drain
from skipstone.drain.gear import DrainPaused, DrainRefused, DrainStopped, Gear, News, Phase, Stuck
from skipstone.drain.record import Event, Record, open_record
from skipstone.drain.returning import check_open
from skipstone.drain.targets import Rules
from skipstone.errors import RunStopped
from tests.unit.drain.conftest import CALM, Bench
from tests.unit.drain.courses import Course
from tests.unit.drain.test_record import room_for


def phases(result: Any) -> dict[str, str]:
    return {ending.name: str(ending.phase) for ending in result.endings}


def test_a_host_is_emptied_and_nova_sends_nothing_there(bench: Bench) -> None:
    ids = [bench.cloud.add(f"vm{n}") for n in range(4)]
    result = bench.drain()
    assert phases(result) == dict.fromkeys(("vm0", "vm1", "vm2", "vm3"), "moved")
    assert bench.cloud.hosts["cmp1"].guests == {}
    assert not bench.cloud.hosts["cmp1"].enabled
    assert "skipstone" in bench.cloud.hosts["cmp1"].reason
    assert all(list(bench.cloud.truth(id_).values()) == ["running"] for id_ in ids)
    assert {next(iter(bench.cloud.truth(id_))) for id_ in ids} == {"cmp2", "cmp3"}, "spread"
    assert bench.cloud.most_at_once <= 2


def asked_to_stop(bench: Bench, at: Phase, **more: Any) -> DrainStopped:
    """Drain, ask it to stop as the first instance comes to a phase, and return what it says."""

    async def work(gear: Gear) -> None:
        def hear(news: News) -> None:
            if news.phase is at:
                gear.stopping.set()

        await drain(replace(gear, tell=hear), "cmp1", bench.options(**more))

    with pytest.raises(DrainStopped) as stopped:
        bench.run(work)
    return stopped.value


def test_a_drain_that_is_asked_to_stop_sees_through_what_is_on_its_way(bench: Bench) -> None:
    ids = [bench.cloud.add(f"vm{n}") for n in range(6)]
    said = asked_to_stop(bench, Phase.MOVES)
    assert isinstance(said, DrainPaused)
    moved = [id_ for id_ in ids if "cmp1" not in bench.cloud.truth(id_)]
    assert 1 <= len(moved) <= 2, "as many as may be on their way at a time"
    assert f"{6 - len(moved)} of 6 instances are not moved; {len(moved)} are" in str(said)
    assert len(bench.drain().endings) == 6 - len(moved)
    assert bench.cloud.hosts["cmp1"].guests == {}


def test_a_drain_that_is_asked_to_stop_waits_for_nobody(bench: Bench) -> None:
    """Patience for an instance that its owner is at work on is a minute here."""
    bench.cloud.servers[bench.cloud.add("vm")]["OS-EXT-STS:task_state"] = "image_uploading"
    began = time.monotonic()
    assert isinstance(asked_to_stop(bench, Phase.WAITS), DrainPaused)
    assert time.monotonic() - began < CALM.busy / 2


def test_a_drain_that_is_stuck_is_not_paused(bench: Bench) -> None:
    bench.cloud.add("vm")
    bench.cloud.courses[bench.cloud.add("stuck")] = [Course.ON_BOTH]
    said = asked_to_stop(bench, Phase.STUCK)
    assert not isinstance(said, DrainPaused)


def test_a_repeated_drain_does_nothing(bench: Bench) -> None:
    bench.cloud.add("vm")
    bench.drain()
    asked = len(bench.cloud.requests)
    assert bench.drain().endings == ()
    assert len(bench.cloud.requests) == asked
    bench.run(lambda gear: check_drained(gear, "cmp1", bench.options()))


def test_instances_that_stay_are_no_hindrance(bench: Bench) -> None:
    bench.cloud.add("off", status="SHUTOFF")
    bench.cloud.add("on")
    assert phases(bench.drain()) == {"off": "stays", "on": "moved"}
    assert list(bench.cloud.hosts["cmp1"].guests.values()) == ["shut"]


@pytest.mark.parametrize("status", ["SHUTOFF", "SUSPENDED", "SHELVED", "SOFT_DELETED"])
def test_where_nothing_may_stay_what_is_off_refuses_the_drain(bench: Bench, status: str) -> None:
    bench.cloud.add("off", status=status)
    bench.cloud.add("on")
    with pytest.raises(DrainRefused) as refused:
        bench.drain(empty=True)
    assert "its disks go" in refused.value.evidence
    assert refused.value.remedy.endswith("--cold")
    assert bench.cloud.requests == []
    assert bench.cloud.hosts["cmp1"].enabled


def test_an_unconfirmed_resize_to_elsewhere_has_its_old_disk_here(bench: Bench) -> None:
    """Nova has the instance on its new host; only placement still counts the migration here."""
    bench.cloud.add("vm")
    bench.cloud.allocated["a-migration"] = {"rp-cmp1": {"VCPU": 1}}
    with pytest.raises(DrainRefused) as refused:
        bench.drain(empty=True)
    assert "a-migration" in refused.value.evidence
    assert bench.cloud.requests == []
    del bench.cloud.allocated["a-migration"]
    assert phases(bench.drain(empty=True)) == {"vm": "moved"}
    bench.run(lambda gear: check_drained(gear, "cmp1", bench.options(empty=True)))


def test_a_guest_that_nova_does_not_know_is_something_on_the_host(bench: Bench) -> None:
    bench.cloud.hosts["cmp1"].guests["left-over"] = "shut"
    bench.drain()
    with pytest.raises(DrainStopped) as stopped:
        bench.drain(empty=True)
    assert "libvirt still has left-over there" in stopped.value.evidence


def test_what_is_off_is_moved_with_consent_and_confirmed(bench: Bench) -> None:
    id_ = bench.cloud.add("off", status="SHUTOFF")
    assert phases(bench.drain(cold=True)) == {"off": "moved"}
    assert bench.cloud.servers[id_]["status"] == "SHUTOFF"
    assert list(bench.cloud.truth(id_).values()) == ["shut"]
    assert "cmp1" not in bench.cloud.truth(id_)


def test_an_owners_wish_to_be_moved_cold_is_followed(bench: Bench) -> None:
    id_ = bench.cloud.add("vm", metadata={"skipstone:drain": "cold"})
    assert phases(bench.drain()) == {"vm": "moved"}
    assert [one.kind for one in bench.cloud.moves] == ["migration"]
    assert list(bench.cloud.truth(id_).values()) == ["running"]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"metadata": {"skipstone:drain": "never"}}, "its owner forbids it"),
        ({"status": "VERIFY_RESIZE"}, "resize confirm"),
        ({"status": "ERROR"}, "nova says ERROR"),
        ({"ram": 9000}, "no room: MEMORY_MB 9000 needed"),
    ],
)
def test_what_cannot_be_moved_refuses_the_drain_before_anything(
    bench: Bench, more: dict[str, Any], why: str
) -> None:
    bench.cloud.add("free")
    bench.cloud.add("fixed", **more)
    with pytest.raises(DrainRefused) as refused:
        bench.drain()
    assert why in refused.value.evidence
    assert bench.cloud.hosts["cmp1"].enabled
    assert bench.cloud.requests == []
    assert bench.record.read_text() == ""


def test_what_cannot_be_moved_can_be_left(bench: Bench) -> None:
    id_ = bench.cloud.add("fixed", metadata={"skipstone:drain": "never"})
    bench.cloud.add("free")
    result = bench.drain(stuck=Stuck.LEAVE)
    assert phases(result) == {"fixed": "left", "free": "moved"}
    assert list(bench.cloud.truth(id_)) == ["cmp1"]
    bench.run(lambda gear: check_drained(gear, "cmp1", bench.options()))


def test_room_is_counted_for_all_of_them_together(bench: Bench) -> None:
    for n in range(3):
        bench.cloud.add(f"vm{n}", ram=5000)
    with pytest.raises(DrainRefused, match="1 of 3 instances cannot be moved"):
        bench.drain()


def test_a_host_that_is_to_be_drained_too_is_avoided(bench: Bench) -> None:
    for n in range(3):
        bench.cloud.add(f"vm{n}")
    known = frozenset(bench.cloud.hosts)
    bench.drain(rules=Rules(known=known, avoided=frozenset({"cmp2"})))
    assert {target for _, target in bench.cloud.requests} == {"cmp3"}


def test_nothing_goes_to_an_older_hypervisor(bench: Bench) -> None:
    bench.cloud.add("vm")
    bench.cloud.hosts["cmp1"].version = 10000000
    bench.cloud.hosts["cmp3"].version = 10000000
    bench.drain()
    assert bench.cloud.requests[-1][1] == "cmp3"


def test_anti_affinity_is_kept_within_one_drain(bench: Bench) -> None:
    ids = [bench.cloud.add(f"vm{n}") for n in range(2)]
    bench.cloud.groups = [{"policy": "anti-affinity", "members": ids}]
    bench.drain()
    assert len({target for _, target in bench.cloud.requests}) == 2


@pytest.mark.parametrize("course", [Course.TARGET_DIES, Course.NO_VALID_HOST, Course.REFUSED])
def test_a_failed_migration_is_tried_on_another_host(bench: Bench, course: Course) -> None:
    id_ = bench.cloud.add("vm")
    bench.cloud.courses[id_] = [course]
    assert phases(bench.drain()) == {"vm": "moved"}
    targets = [target for _, target in bench.cloud.requests]
    assert len(targets) == 2
    assert targets[0] != targets[1]
    assert bench.cloud.truth(id_) == {targets[1]: "running"}


def test_nova_s_own_words_are_the_evidence(bench: Bench) -> None:
    id_ = bench.cloud.add("vm")
    bench.cloud.courses[id_] = [Course.NO_VALID_HOST, Course.NO_VALID_HOST]
    with pytest.raises(DrainStopped) as stopped:
        bench.drain()
    assert stopped.value.evidence.count("No valid host was found.") == 2
    assert bench.cloud.truth(id_) == {"cmp1": "running"}


@pytest.mark.usefixtures("hurried")
def test_what_never_ends_is_aborted_and_tried_elsewhere_once(bench: Bench) -> None:
    id_ = bench.cloud.add("vm")
    bench.cloud.courses[id_] = [Course.NEVER_ENDS] * 5
    bench.patience = bench.patience.__class__(**{**vars(bench.patience), "begin": 0.4})
    with pytest.raises(DrainStopped) as stopped:
        run_with_frozen_bytes(bench)
    assert [one.status for one in bench.cloud.moves] == ["cancelled", "cancelled"]
    assert len({one.target for one in bench.cloud.moves}) == 2
    assert "nothing has crossed" in stopped.value.evidence
    assert bench.cloud.truth(id_) == {"cmp1": "running"}


def run_with_frozen_bytes(bench: Bench, **more: Any) -> Any:
    """Drain a cloud in which the bytes of a migration come to a stop."""
    step = bench.cloud._step

    def frozen(one: Any) -> None:
        if one.course is not Course.NEVER_ENDS or one.forced or one.step < 4:
            step(one)

    bench.cloud._step = frozen  # type: ignore[method-assign]
    return bench.drain(**more)


@pytest.mark.usefixtures("hurried")
def test_what_never_ends_is_completed_by_force_where_allowed(bench: Bench) -> None:
    id_ = bench.cloud.add("vm")
    bench.cloud.courses[id_] = [Course.NEVER_ENDS]
    result = run_with_frozen_bytes(bench, force_complete=True)
    assert phases(result) == {"vm": "moved"}
    assert bench.cloud.moves[0].forced


@pytest.mark.usefixtures("hurried")
def test_what_never_ends_is_moved_cold_where_that_is_the_rule(bench: Bench) -> None:
    id_ = bench.cloud.add("vm")
    bench.cloud.courses[id_] = [Course.NEVER_ENDS, Course.NEVER_ENDS]
    result = run_with_frozen_bytes(bench, stuck=Stuck.COLD)
    assert phases(result) == {"vm": "moved"}
    assert [one.kind for one in bench.cloud.moves] == ["live-migration", "live-migration", "migration"]


def test_an_error_with_a_healthy_guest_is_mended(bench: Bench) -> None:
    id_ = bench.cloud.add("vm")
    bench.cloud.courses[id_] = [Course.ERROR_AT_TARGET]
    assert phases(bench.drain()) == {"vm": "moved"}
    assert bench.cloud.servers[id_]["status"] == "ACTIVE"
    assert Event.MENDED in events(bench)


@pytest.mark.usefixtures("hurried")
def test_what_a_migration_that_failed_at_its_end_has_left_is_taken_away(bench: Bench) -> None:
    id_ = bench.cloud.add("vm")
    bench.cloud.courses[id_] = [Course.RACE]
    [ending] = bench.drain().endings
    assert ending.phase is Phase.MOVED
    assert bench.cloud.moves[0].uuid not in bench.cloud.allocated
    assert bench.cloud.bindings["port-vm"] == {ending.target}
    assert {Event.MENDED, Event.TIDIED} <= set(events(bench))
    (back,) = bench.bring_back().endings
    assert back.phase is Phase.MOVED, "its directory is not in the way"


def test_an_error_with_the_guest_still_at_its_source_is_mended_and_tried_again(bench: Bench) -> None:
    id_ = bench.cloud.add("vm")
    bench.cloud.courses[id_] = [Course.ERROR_AT_SOURCE]
    assert phases(bench.drain()) == {"vm": "moved"}
    assert len(bench.cloud.moves) == 2
    assert "cmp1" not in bench.cloud.truth(id_)


@pytest.mark.usefixtures("hurried")
def test_what_a_failed_migration_leaves_behind_goes_before_the_next_one_begins(bench: Bench) -> None:
    """Else the instance would be counted on the first target for ever."""
    id_ = bench.cloud.add("vm")
    before = dict(next(iter(bench.cloud.allocated[id_].values())))
    bench.cloud.courses[id_] = [Course.LEFT_BEHIND]
    (ending,) = bench.drain().endings
    first, second = bench.cloud.moves
    assert first.target != second.target
    assert bench.cloud.allocated == {id_: {f"rp-{ending.target}": before}}
    assert bench.cloud.bindings["port-vm"] == {ending.target}
    assert {Event.MENDED, Event.TIDIED} <= set(events(bench))


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(
    ("course", "why"),
    [
        (Course.ON_BOTH, "on more than one host"),
        (Course.ON_NEITHER, "on neither host"),
        (Course.ERROR_AND_DEAD, "nova says ERROR, and the guest is present"),
        (Course.LEFTOVER_ALLOCATION, "placement still has resources held for the migration"),
        (Course.LEFTOVER_BINDING, "has another binding left, to cmp1"),
    ],
)
def test_what_does_not_fit_stops_with_the_evidence(bench: Bench, course: Course, why: str) -> None:
    id_ = bench.cloud.add("vm")
    bench.cloud.courses[id_] = [course]
    with pytest.raises(DrainStopped) as stopped:
        bench.drain()
    assert why in stopped.value.evidence
    assert Event.MENDED not in events(bench)
    assert len(bench.cloud.requests) == 1


def test_a_completed_migration_that_moved_nothing_is_no_success(bench: Bench) -> None:
    id_ = bench.cloud.add("vm")
    bench.cloud.courses[id_] = [Course.SILENTLY_BACK]
    bench.drain()
    assert len(bench.cloud.requests) == 2


def test_an_instance_that_its_owner_deletes_meanwhile_is_gone(bench: Bench) -> None:
    id_ = bench.cloud.add("vm")
    bench.cloud.courses[id_] = [Course.DELETED_MEANWHILE]
    assert phases(bench.drain()) == {"vm": "gone"}


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("host", ["cmp1", "cmp2"])
@pytest.mark.parametrize("way", ["silent", "broken"])
def test_a_libvirt_that_does_not_answer_is_never_a_success(bench: Bench, host: str, way: str) -> None:
    bench.cloud.hosts.pop("cmp3")
    bench.cloud.add("vm")
    getattr(bench.hosts, way).add(host)
    with pytest.raises(DrainStopped) as stopped:
        bench.drain()
    assert "libvirt does not say" in stopped.value.evidence
    told = [news.text for news in bench.news if news.phase is Phase.VERIFIES]
    assert any("libvirt does not say" in text for text in told), "while it is waited for, not only at the end"
    getattr(bench.hosts, way).clear()
    assert phases(bench.drain()) == {"vm": "moved"}
    assert len(bench.cloud.requests) == 1


def test_a_guest_that_nova_does_not_know_keeps_the_host_from_being_drained(bench: Bench) -> None:
    bench.cloud.add("vm")
    bench.cloud.hosts["cmp1"].guests["stranger"] = "running"
    with pytest.raises(DrainStopped) as stopped:
        bench.drain()
    assert "stranger runs there" in stopped.value.evidence
    assert Event.DRAINED not in events(bench)


def test_tokens_may_expire(bench: Bench) -> None:
    id_ = bench.cloud.add("vm")
    step = bench.cloud._step

    def expiring(one: Any) -> None:
        bench.cloud.rejected.update(bench.cloud.tokens)
        step(one)

    bench.cloud._step = expiring  # type: ignore[method-assign]
    assert phases(bench.drain()) == {"vm": "moved"}
    assert "cmp1" not in bench.cloud.truth(id_)
    assert len(bench.cloud.tokens) > 2


class Killed(BaseException):
    """What kill -9 is here."""


@pytest.mark.parametrize("at", [Event.ANSWER, Event.ENDED])
def test_a_drain_that_is_killed_takes_its_migration_up_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, at: Event
) -> None:
    id_ = bench.cloud.add("vm")
    append = Record.append

    def dying(record: Record, kind: Event, /, **facts: object) -> None:
        if kind is at:
            raise Killed
        append(record, kind, **facts)

    with monkeypatch.context() as patched:
        patched.setattr(Record, "append", dying)
        with pytest.raises(Killed):
            bench.drain()
    assert phases(bench.drain()) == {"vm": "moved"}
    assert len(bench.cloud.requests) == 1
    assert "cmp1" not in bench.cloud.truth(id_)


def test_nothing_is_asked_of_nova_that_could_not_be_written_down(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.cloud.add("vm")
    append = Record.append

    def short_of_room(record: Record, kind: Event, /, **facts: object) -> None:
        with room_for(record.path, 40 if kind is Event.INTENT else 4096):
            append(record, kind, **facts)

    with monkeypatch.context() as patched:
        patched.setattr(Record, "append", short_of_room)
        with pytest.raises(RunStopped, match="cannot be written"):
            bench.drain()
    assert bench.cloud.requests == []
    assert phases(bench.drain()) == {"vm": "moved"}


def test_a_request_that_got_no_answer_is_looked_for_not_repeated(bench: Bench) -> None:
    id_ = bench.cloud.add("vm")
    bench.cloud.courses[id_] = [Course.LOST_ANSWER]
    assert phases(bench.drain()) == {"vm": "moved"}
    assert len(bench.cloud.requests) == 1


@pytest.mark.usefixtures("hurried")
def test_a_request_that_never_arrived_is_made_again_later(bench: Bench) -> None:
    id_ = bench.cloud.add("vm")
    bench.cloud.courses[id_] = [Course.LOST_REQUEST]
    assert phases(bench.drain()) == {"vm": "moved"}
    assert len(bench.cloud.requests) == 2


def test_a_paused_guest_stays_paused(bench: Bench) -> None:
    id_ = bench.cloud.add("vm", status="PAUSED")
    assert phases(bench.drain()) == {"vm": "moved"}
    assert list(bench.cloud.truth(id_).values()) == ["paused"]


@pytest.mark.usefixtures("hurried")
def test_what_others_are_at_work_on_is_waited_for(bench: Bench) -> None:
    id_ = bench.cloud.add("vm")
    bench.cloud.servers[id_]["OS-EXT-STS:task_state"] = "rebooting"
    with pytest.raises(DrainStopped) as stopped:
        bench.drain()
    assert "nova is at work on it: rebooting" in stopped.value.evidence
    assert bench.cloud.requests == []


def test_a_cloud_that_is_too_old_is_refused(bench: Bench) -> None:
    bench.cloud.offered = "2.79"
    with pytest.raises(Exception, match=r"2\.87 is needed"):
        bench.drain()


def test_all_comes_back_and_the_host_is_open(bench: Bench) -> None:
    ids = [bench.cloud.add(f"vm{n}") for n in range(3)]
    elsewhere = bench.cloud.add("other", host="cmp2")
    bench.drain()
    result = bench.bring_back()
    assert {ending.phase for ending in result.endings} == {Phase.MOVED}
    assert all(bench.cloud.truth(id_) == {"cmp1": "running"} for id_ in ids)
    assert bench.cloud.truth(elsewhere) == {"cmp2": "running"}
    assert bench.cloud.hosts["cmp1"].enabled
    assert bench.bring_back().endings == ()


def test_what_is_off_comes_back_too(bench: Bench) -> None:
    """One was moved so, and the other one's owner has stopped it meanwhile."""
    off, stopped = bench.cloud.add("off", status="SHUTOFF"), bench.cloud.add("vm")
    bench.drain(cold=True)
    [at] = bench.cloud.truth(stopped)
    bench.cloud.servers[stopped] |= {"status": "SHUTOFF", "OS-EXT-STS:power_state": 4}
    bench.cloud.hosts[at].guests[stopped] = "shut"
    assert phases(bench.bring_back()) == {"off": "moved", "vm": "moved"}
    assert bench.cloud.truth(off) == bench.cloud.truth(stopped) == {"cmp1": "shut"}
    bench.run(lambda gear: check_open(gear, "cmp1", instances=True))


def test_a_host_that_was_disabled_before_stays_so(bench: Bench) -> None:
    bench.cloud.hosts["cmp1"].enabled = False
    bench.cloud.hosts["cmp1"].reason = "broken fan"
    bench.cloud.add("vm")
    bench.drain()
    bench.bring_back(instances=False)
    assert not bench.cloud.hosts["cmp1"].enabled
    assert bench.cloud.hosts["cmp1"].reason == "broken fan"


def test_what_somebody_has_moved_on_is_let_be(bench: Bench) -> None:
    id_ = bench.cloud.add("vm")
    bench.drain()
    [here] = bench.cloud.truth(id_)
    other = "cmp3" if here == "cmp2" else "cmp2"
    bench.cloud.servers[id_]["OS-EXT-SRV-ATTR:host"] = other
    result = bench.bring_back()
    assert [ending.phase for ending in result.left] == [Phase.LEFT]
    assert "somebody has moved it on" in result.endings[0].reason


def test_what_failed_on_its_way_home_is_still_where_the_drain_has_put_it(bench: Bench) -> None:
    id_ = bench.cloud.add("vm")
    bench.drain()
    bench.cloud.courses[id_] = [Course.NO_VALID_HOST]
    with pytest.raises(DrainStopped):
        bench.bring_back()
    with pytest.raises(DrainStopped, match="not as before"):
        bench.run(lambda gear: check_open(gear, "cmp1", instances=True))
    assert [ending.phase for ending in bench.bring_back().endings] == [Phase.MOVED]
    assert bench.cloud.truth(id_) == {"cmp1": "running"}


@pytest.mark.usefixtures("hurried")
def test_a_drain_that_was_stopped_half_way_is_undone(bench: Bench) -> None:
    id_ = bench.cloud.add("vm")
    bench.hosts.silent.add("cmp1")
    with pytest.raises(DrainStopped):
        bench.drain()
    bench.hosts.silent.clear()
    assert "cmp1" not in bench.cloud.truth(id_)
    assert [ending.phase for ending in bench.bring_back().endings] == [Phase.MOVED]
    assert bench.cloud.truth(id_) == {"cmp1": "running"}
    assert len(bench.cloud.requests) == 2


def test_a_host_whose_agent_is_down_is_refused(bench: Bench) -> None:
    bench.cloud.add("vm")
    bench.cloud.hosts["cmp1"].up = False
    with pytest.raises(DrainRefused, match="nova-compute is down"):
        bench.drain()


def test_the_next_drain_of_a_host_is_a_new_chapter(bench: Bench) -> None:
    bench.cloud.add("vm")
    bench.drain()
    bench.bring_back()
    assert phases(bench.drain()) == {"vm": "moved"}
    with open_record(bench.record, "cmp1") as record:
        assert [trace.name for trace in record.chapter.away] == ["vm"]


def test_what_another_provider_of_the_host_has_is_nova_s_to_find(bench: Bench) -> None:
    """The bandwidth of a port is of a network card's provider, not of the host's own."""
    id_ = bench.cloud.add("vm")
    bench.cloud.allocated[id_]["rp-cmp1-nic"] = {"NET_BW_EGR_KILOBIT_PER_SEC": 1000}
    (ending,) = bench.drain().endings
    assert ending.phase is Phase.MOVED
    assert set(bench.cloud.allocated[id_]) == {f"rp-{ending.target}", f"rp-{ending.target}-nic"}
    assert phases(bench.bring_back()) == {"vm": "moved"}


def events(bench: Bench) -> list[str]:
    return [json.loads(line)["event"] for line in bench.record.read_text().splitlines()]
