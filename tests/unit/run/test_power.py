"""Power is lost on the operator's machine: the journal ends earlier than what the hosts have done since."""

import asyncio
import copy
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from skipstone.plan.plan import Plan
from skipstone.run.fold import Fold
from skipstone.run.journal import SAID_AGAIN, read_events
from skipstone.run.runview import Event
from skipstone.run.state import Kind, RunState
from tests.unit.run.toy import Hosts, Rig, plan_of, toy


class Moment(NamedTuple):
    """What there was when the journal had an event: its directory, and the hosts."""

    base: Path
    hosts: Hosts


def plan() -> Plan:
    """Steps that are proven, done already, fail once, and one that comes after all of them."""
    steps = [
        toy("a", proof="see a", undo="undo a"),
        toy("b", check="is b done"),
        toy("c", resetting="reset c", transient=True),
    ]
    return plan_of([*steps, toy("d", "a", "b", "c")], [toy("e")])


def moments(tmp_path: Path) -> list[Moment]:
    """Carry the plan out, and return every moment of that."""
    found: list[Moment] = []
    hosts = Hosts(codes={"c": [1]})
    with Rig(tmp_path / "whole", hosts).runner(plan()) as (runner, journal):

        def keep(event: Event, _: Fold) -> None:
            base = tmp_path / f"at-{event.seq}"
            shutil.copytree(tmp_path / "whole/runs", base / "runs")
            found.append(Moment(base, copy.deepcopy(hosts)))

        journal.listeners.append(keep)
        assert asyncio.run(runner.run()).state is RunState.DONE
    return found[:-1]  # with its last event the run is over


def losses(moment: Moment) -> Iterator[int]:
    """Yield the events with which the journal may end: from the last that is on the disk on."""
    events = read_events(moment.base / "runs/toyplan-1/journal.db")
    for event in reversed(events):
        yield event.seq
        if event.kind not in SAID_AGAIN:
            break


def lose_power(moment: Moment, last: int, base: Path) -> None:
    shutil.copytree(moment.base, base)
    with closing(sqlite3.connect(base / "runs/toyplan-1/journal.db")) as file:
        file.execute("DROP TRIGGER events_last")
        file.execute("DELETE FROM events WHERE seq > ?", (last,))
        file.commit()


def test_whatever_the_journal_has_lost_nothing_is_done_twice(tmp_path: Path) -> None:
    lost = 0
    for moment in moments(tmp_path):
        for last in losses(moment):
            base = tmp_path / f"lost-{moment.base.name}-{last}"
            lose_power(moment, last, base)
            hosts = copy.deepcopy(moment.hosts)
            view = asyncio.run(Rig(base, hosts).apply(plan()))
            assert view.state is RunState.DONE, (moment.base.name, last)
            assert set(hosts.runs_per_job.values()) == {1}
            assert sorted(name.partition("/")[2] for name in hosts.ran) == ["a.1", "c.1", "c.2", "d.1", "e.1"]
            lost += 1
    assert lost > 30, "there were too few moments to say anything"


def test_what_is_meant_to_be_done_and_what_people_say_waits_for_the_disk() -> None:
    waits = {kind for kind in Kind if kind not in SAID_AGAIN}
    assert Kind.INTENT in waits
    assert {
        kind for kind in Kind if kind.startswith(("run-", "gate-", "stop-", "rollback-", "checkpoint"))
    } <= waits
    assert Kind.SKIPPED in waits
