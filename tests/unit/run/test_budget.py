"""Budgets: what they say, what was spent of them, and what a run does about them."""

import asyncio
from pathlib import Path

import pytest

from skipstone.errors import InputError
from skipstone.impact.sample import Kind as Asked
from skipstone.impact.spending import spend
from skipstone.impact.tally import Felt
from skipstone.plan.plan import Gate
from skipstone.run.budget import Allowance, Budget, Measure, Spent, parse_budget
from skipstone.run.journal import read_events
from skipstone.run.state import Kind, RunState
from tests.unit.run.toy import Hosts, Rig, plan_of, toy, waiting_at_a_gate


@pytest.mark.parametrize(
    ("text", "name", "limit"),
    [
        ("api-writes=120s", "api-writes", 120),
        ("api-reads=2m", "api-reads", 120),
        ("api-writes:nova=1.5h", "api-writes:nova", 5400),
        ("instance-gap=5", "instance-gap", 5),
        ("instance-loss=0.1%", "instance-loss", 0.001),
        ("instance-gap:web=1=90 s", "instance-gap:web=1", 90),
        ("instance-reboots=0", "instance-reboots", 0),
    ],
)
def test_what_a_budget_says(text: str, name: str, limit: float) -> None:
    budget = parse_budget(text)
    assert budget.name == name
    assert budget.limit == pytest.approx(limit)


@pytest.mark.parametrize(
    "text",
    [
        "api-writes",
        "api-writes=",
        "api-writes=many",
        "instance-loss=5s",
        "api-reads=5%",
        "nothing=5s",
        "instance-reboots=5s",
        "instance-reboots=0.5",
        "instance-reboots=1%",
        "=5s",
        "api-reads=-1s",
    ],
)
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(InputError) as error:
        parse_budget(text)
    assert "for example: --budget" in error.value.remedy


def felt(kind: Asked, name: str, **figures: float) -> Felt:
    facts = {"asked": 1000, "bad": 0, "out": 0.0, "longest": 0.0, "total": 0.0, "gap": 0.0, "reboots": 0}
    return Felt(kind=kind, subject=f"{name}-id", name=name, target=name, **(facts | figures))  # type: ignore[arg-type]


def test_the_worst_of_them_counts_and_a_narrower_budget_stands_for_itself() -> None:
    every = [
        felt(Asked.WRITE, "nova", total=200.0, longest=100.0),
        felt(Asked.WRITE, "glance", total=90.0),
        felt(Asked.READ, "nova", total=999.0),
    ]
    wide, narrow = parse_budget("api-writes=100s"), parse_budget("api-writes:nova=300s")
    assert spend(every, [wide]) == [Spent(wide, 200, "nova")]
    assert spend(every, [wide, narrow]) == [Spent(wide, 90, "glance"), Spent(narrow, 200, "nova")]
    assert [one.broken for one in spend(every, [wide])] == [True]
    by_id = Budget(Measure.API_WRITES, 1, "nova-id")
    assert spend(every, [by_id])[0].value == 200


def test_of_an_instance_pings_count_and_http_only_where_there_are_none() -> None:
    every = [
        felt(Asked.PING, "web", gap=2.0, bad=1),
        felt(Asked.BOOT, "web", gap=9.0, bad=9),
        felt(Asked.BOOT, "quiet", gap=3.0, bad=0),
    ]
    gap, loss = parse_budget("instance-gap=5s"), parse_budget("instance-loss=0.1%")
    assert spend(every, [gap, loss]) == [Spent(gap, 3, "quiet"), Spent(loss, 0.0005)]


def test_a_single_reply_that_is_lost_early_breaks_no_share() -> None:
    loss = parse_budget("instance-loss=0.1%")
    assert not spend([felt(Asked.PING, "web", asked=500, bad=1)], [loss])[0].broken
    assert spend([felt(Asked.PING, "web", asked=1000, bad=2)], [loss])[0].broken
    assert spend([felt(Asked.PING, "web", asked=5, bad=1)], [parse_budget("instance-loss=0%")])[0].broken


def test_instances_that_booted_anew_are_counted_and_named() -> None:
    every = [
        felt(Asked.PING, "web", gap=20.0),
        felt(Asked.BOOT, "web", reboots=1),
        felt(Asked.BOOT, "quiet"),
        felt(Asked.BOOT, "own", reboots=1),
    ]
    none, own = parse_budget("instance-reboots=0"), parse_budget("instance-reboots:own=1")
    assert spend(every, [none]) == [Spent(none, 2, "web, own")]
    spent = spend(every, [none, own])
    assert [one.broken for one in spent] == [True, False]
    assert [one.text for one in spent] == ["web 1 of 0", "own 1 of 1"]


def test_what_is_not_measured_is_not_spent() -> None:
    for text in ("api-reads=1s", "instance-gap=1s", "instance-loss=1%", "pair-gap=1s", "disk-gap=1s"):
        assert not spend([], [parse_budget(text)])[0].broken


WRITES = parse_budget("api-writes=120s")


def test_a_run_that_waits_at_a_gate_is_paused_too(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Hosts(), allowance=Allowance((WRITES,), who="ann"))
    plan = plan_of([toy("a")], [toy("b")], gates=[Gate(id="middle", title="go on", before="stage2")])

    async def run() -> None:
        with rig.runner(plan) as (runner, journal):
            running = asyncio.create_task(runner.run())
            await waiting_at_a_gate(journal)
            runner.hold_back(Spent(WRITES, 130.0, "nova"))
            runner.hold_back(Spent(WRITES, 131.0, "nova"))  # said once
            view = await running
            assert view.state is RunState.STOPPED
            assert view.reason == "the budget api-writes is broken: nova 130.0 s of 120.0 s"
            assert [one.name for one in view.exceeded] == ["api-writes"]

    asyncio.run(run())
    kinds = [event.kind for event in read_events(tmp_path / "runs" / "toyplan-1" / "journal.db")]
    assert kinds.count(Kind.BUDGET_BROKEN) == 1


def test_what_an_owner_has_stopped_is_in_the_journal_once_and_changes_nothing_else(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Hosts())
    plan = plan_of([toy("a")], [toy("b")], gates=[Gate(id="middle", title="go on", before="stage2")])

    async def run() -> None:
        with rig.runner(plan) as (runner, journal):
            running = asyncio.create_task(runner.run())
            await waiting_at_a_gate(journal)
            before = journal.view
            runner.leave_out("vm1: stopped by its owner")
            runner.leave_out("vm1: stopped by its owner")
            assert journal.view.left_out == ("vm1: stopped by its owner",)
            assert journal.view.open_gate == before.open_gate
            assert (journal.view.state, journal.view.reason) == (before.state, before.reason)
            runner.ask_stop()
            await running
            runner.leave_out("vm2: deleted by its owner")  # said too late: nothing is written any more
            assert len(journal.view.left_out) == 1

    asyncio.run(run())


def test_what_is_accepted_pauses_no_more_and_what_is_given_anew_does(tmp_path: Path) -> None:
    hosts = Hosts()
    plan = plan_of([toy("a"), toy("b", "a"), toy("c", "b")])

    def once(allowance: Allowance, step: str) -> object:
        """Carry out with this allowance; the budget is broken while ``step`` runs."""
        rig = Rig(tmp_path, hosts, allowance=allowance)

        async def run() -> object:
            with rig.runner(plan) as (runner, _):
                hosts.on_run = lambda name: (
                    runner.hold_back(Spent(WRITES, 130.0, "nova")) if f"/{step}." in name else None
                )
                return await runner.run()

        return asyncio.run(run())

    def states(view: object) -> list[str]:
        return [str(step.state) for step in view.steps()]  # type: ignore[attr-defined]

    assert states(once(Allowance((WRITES,)), "a")) == ["done", "pending", "pending"]
    # raised, then broken again
    assert states(once(Allowance((WRITES,), why="more"), "b")) == ["done", "done", "pending"]
    last = once(Allowance(accepted=("api-writes",), who="ann", why="window"), "nothing")
    assert states(last) == ["done"] * 3
    (budget,) = last.budgets  # type: ignore[attr-defined]
    assert (budget.who, budget.why, budget.figures) == ("ann", "window", "nova 130.0 s of 120.0 s")
    assert budget.accepted
