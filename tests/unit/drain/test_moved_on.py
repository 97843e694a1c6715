"""What an instance's owner, or another operator, does with it before the end of its attempt was seen."""

import pytest

from skipstone.drain.gear import DrainStopped
from skipstone.drain.record import open_record
from tests.unit.drain.conftest import Bench
from tests.unit.drain.courses import Course
from tests.unit.drain.test_drain import phases

pytestmark = pytest.mark.usefixtures("hurried")


def left_open(bench: Bench, **more: object) -> tuple[str, str, str]:
    """Move an instance without seeing its end; return its id, where it is, and the third host."""
    id_ = bench.cloud.add("vm", **more)  # type: ignore[arg-type]
    bench.hosts.silent.add("cmp1")
    with pytest.raises(DrainStopped):
        bench.drain(cold=True)
    bench.hosts.silent.clear()
    (target,) = {"cmp2", "cmp3"} & set(bench.cloud.truth(id_))
    return id_, target, "cmp3" if target == "cmp2" else "cmp2"


def expect_over(bench: Bench) -> None:
    with open_record(bench.record, "cmp1") as record:
        assert [trace.open for trace in record.chapter.traces.values()] == [None]
    assert bench.drain().endings == ()


def stopped_with(bench: Bench) -> str:
    with pytest.raises(DrainStopped) as stopped:
        bench.drain()
    return stopped.value.evidence


@pytest.mark.parametrize(("kind", "status"), [("resize", "confirmed"), ("evacuation", "done")])
def test_what_was_moved_on_is_gone(bench: Bench, kind: str, status: str) -> None:
    id_, _, other = left_open(bench)
    later = bench.cloud.moved_on(id_, other, kind, status)
    (ending,) = bench.drain().endings
    assert ending.phase == "gone"
    assert f"moved on, by its owner or somebody else: migration {later.id}" in ending.reason
    expect_over(bench)
    assert bench.bring_back().endings == ()


def test_a_resize_that_waits_for_its_owner_is_not_waited_for(bench: Bench) -> None:
    id_, target, other = left_open(bench)
    bench.cloud.moved_on(id_, other, "resize", "finished")
    assert bench.cloud.truth(id_) == {target: "shut", other: "running"}
    assert phases(bench.drain()) == {"vm": "gone"}
    expect_over(bench)
    assert bench.cloud.moves[-1].status == "finished", "nobody has confirmed it"


def test_nobody_confirms_an_owner_s_resize_where_the_move_was_cold(bench: Bench) -> None:
    id_, target, _ = left_open(bench, status="SHUTOFF")
    bench.cloud._confirm(id_)
    later = bench.cloud.moved_on(id_, target, "resize", "finished")
    bench.cloud.hosts[target].guests[id_] = "running"
    assert phases(bench.drain()) == {"vm": "gone"}
    assert later.status == "finished"


def test_what_was_unshelved_elsewhere_has_no_migration(bench: Bench) -> None:
    id_, _, other = left_open(bench)
    bench.cloud.moved_on(id_, other, "none")
    bench.cloud.moves.pop()
    (ending,) = bench.drain().endings
    assert ending.phase == "gone"
    assert f"running on {other}, where nova has it" in ending.reason
    expect_over(bench)


def test_where_it_is_now_must_say_so_if_nova_has_no_migration_of_it(bench: Bench) -> None:
    id_, _, other = left_open(bench)
    bench.cloud.moved_on(id_, other, "none")
    bench.cloud.moves.pop()
    bench.hosts.silent.add(other)
    assert f"{other}: no session" in stopped_with(bench)


def test_what_was_shelved_is_on_no_host(bench: Bench) -> None:
    id_, target, _ = left_open(bench)
    bench.cloud.hosts[target].guests.pop(id_)
    bench.cloud.allocated.pop(id_)
    bench.cloud.servers[id_] |= {"status": "SHELVED_OFFLOADED", "OS-EXT-SRV-ATTR:host": None}
    (ending,) = bench.drain().endings
    assert ending.phase == "gone"
    assert "shelved" in ending.reason
    expect_over(bench)


@pytest.mark.parametrize(
    ("status", "guest"),
    [("SUSPENDED", "shut"), ("RESCUE", "running"), ("SHELVED", "shut"), ("SOFT_DELETED", "shut")],
)
def test_what_its_owner_does_with_it_at_the_target_is_no_hindrance(
    bench: Bench, status: str, guest: str
) -> None:
    id_, target, _ = left_open(bench)
    bench.cloud.servers[id_]["status"] = status
    bench.cloud.hosts[target].guests[id_] = guest
    assert phases(bench.drain()) == {"vm": "moved"}
    expect_over(bench)


def test_somebody_s_migration_is_neither_followed_nor_aborted(bench: Bench) -> None:
    id_, _, other = left_open(bench)
    later = bench.cloud.moved_on(id_, other, "live-migration", "never-heard")
    assert f"migration {later.id}, which is none of this attempt's, is never-heard" in stopped_with(bench)
    later.status = "completed"
    assert phases(bench.drain()) == {"vm": "gone"}


def test_what_somebody_has_resized_and_brought_back_is_moved_again(bench: Bench) -> None:
    """It holds other resources than were written down."""
    id_, *_ = left_open(bench)
    bench.cloud.moved_on(id_, "cmp1", "resize")
    assert phases(bench.drain()) == {"vm": "moved"}
    assert "cmp1" not in bench.cloud.truth(id_)


def lost(bench: Bench, host: str) -> None:
    """Let a host's power fail."""
    bench.hosts.silent.add(host)
    bench.cloud.hosts[host].up = False


def test_a_target_that_stays_dead_is_done_with_once_it_is_fenced(bench: Bench) -> None:
    id_, target, other = left_open(bench)
    lost(bench, target)
    said = stopped_with(bench)
    assert "libvirt does not say" in said
    assert f"compute service set --down {target} nova-compute" in said
    bench.cloud.hosts[target].fenced = True
    assert f"nova has it on {target}, which is forced down: evacuate it" in stopped_with(bench)
    bench.cloud.moved_on(id_, other, "evacuation", "done")
    assert phases(bench.drain()) == {"vm": "gone"}
    expect_over(bench)


def test_what_was_evacuated_from_a_dead_target_is_done_with(bench: Bench) -> None:
    """Nova evacuates from a host whose service is down, too."""
    id_, target, other = left_open(bench)
    lost(bench, target)
    bench.cloud.moved_on(id_, other, "evacuation", "done")
    bench.hosts.silent.add(other)
    assert phases(bench.drain()) == {"vm": "gone"}


def test_what_moved_on_is_no_success_while_its_source_is_silent(bench: Bench) -> None:
    id_, _, other = left_open(bench)
    bench.cloud.moved_on(id_, other, "evacuation", "done")
    bench.hosts.silent.add("cmp1")
    assert "libvirt does not say" in stopped_with(bench)


def test_a_target_that_was_taken_out_of_the_cloud_is_done_with(bench: Bench) -> None:
    id_, target, other = left_open(bench)
    bench.cloud.moved_on(id_, other, "evacuation", "done")
    bench.cloud.hosts.pop(target)
    assert phases(bench.drain()) == {"vm": "gone"}
    expect_over(bench)


def test_what_is_back_from_a_target_that_is_fenced_is_moved_elsewhere(bench: Bench) -> None:
    id_ = bench.cloud.add("vm")
    bench.cloud.courses[id_] = [Course.TARGET_DIES]
    bench.hosts.silent.add("cmp2")
    bench.cloud.hosts["cmp3"].enabled = False
    assert "libvirt does not say" in stopped_with(bench)
    assert bench.cloud.requests == [(id_, "cmp2")]
    bench.cloud.hosts["cmp2"].fenced = True
    bench.cloud.hosts["cmp3"].enabled = True
    assert phases(bench.drain()) == {"vm": "moved"}
    assert bench.cloud.truth(id_) == {"cmp3": "running"}


def test_what_moved_on_before_its_return_is_told(bench: Bench) -> None:
    id_, target, other = left_open(bench)
    bench.cloud.moved_on(id_, other, "evacuation", "done")
    bench.cloud.hosts.pop(target)
    (ending,) = bench.bring_back().left
    assert "moved on" in ending.reason
    assert bench.bring_back().endings == ()


def test_a_way_home_from_a_host_that_was_taken_out_of_the_cloud(bench: Bench) -> None:
    id_ = bench.cloud.add("vm")
    (moved,) = bench.drain().endings
    bench.hosts.silent.add("cmp1")
    with pytest.raises(DrainStopped):
        bench.bring_back()
    bench.hosts.silent.clear()
    bench.cloud.hosts.pop(moved.target)
    assert phases(bench.bring_back()) == {"vm": "moved"}
    assert bench.cloud.truth(id_) == {"cmp1": "running"}
