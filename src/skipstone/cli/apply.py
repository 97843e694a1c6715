"""``skipstone apply`` and ``skipstone resume``: carry out a plan, go on with a run."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from skipstone.cli.options import inventory_option

if TYPE_CHECKING:
    from skipstone.cli.application import Application, Options
    from skipstone.run.budget import Allowance

FILE = click.Path(path_type=Path)
APPROVE = click.option("--approve", metavar="GATE", multiple=True, help="Approve this gate beforehand.")
YES = click.option("--yes", is_flag=True, help="Do not ask; approve every gate.")
UNTIL = click.option("--until", metavar="STAGE", help="Stop when this stage is done.")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print how the run stands at the end as JSON.")

BUDGET = click.option(
    "--budget",
    "budgets",
    metavar="NAME=VALUE",
    multiple=True,
    help="Pause when users feel more than this: api-reads, api-writes (also api-writes:nova), instance-gap,"
    " pair-gap, disk-gap in s, m or h; instance-loss in %; instance-reboots, a number.",
)

SIGNALS = """
\b
Exit codes:
  0  done, or the stage of --until is reached
  2  refused: nothing was begun
  4  stopped: see the evidence

Ctrl-C lets the running steps end and begins no other; a second Ctrl-C leaves at once, while the hosts go on
with their jobs. In any case `skipstone resume`, or the same apply, goes on from there.
"""


@click.command(
    epilog=f"""\b
Examples:
  skipstone apply plan.yaml -i inventory.yaml
  skipstone apply plan.yaml -i inventory.yaml --approve begin --until prepare
  skipstone apply plan.yaml -i inventory.yaml --yes
  skipstone apply plan.yaml -i inventory.yaml --budget api-writes=10m --budget instance-gap=5s
{SIGNALS}"""
)
@click.argument("plan_file", type=FILE)
@inventory_option
@YES
@APPROVE
@UNTIL
@click.option("--fresh", is_flag=True, help="Begin a new run, where the last one of this plan is unfinished.")
@click.option("--measure/--no-measure", default=True, help="Probe APIs and instances meanwhile.")
@click.option(
    "--tcp-port",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="Also connect to this port of instances, five times a second.",
)
@click.option(
    "--instances",
    type=click.IntRange(0, 1000),
    metavar="N",
    help="Probe N instances at most, those first that are upgraded first; each is asked six times a second."
    " 0 is none, 1000 the most.  [default: 100]",
)
@BUDGET
@AS_JSON
def apply(
    plan_file: Path,
    inventory_file: Path,
    *,
    yes: bool,
    approve: tuple[str, ...],
    until: str | None,
    fresh: bool,
    measure: bool,
    tcp_port: int | None,
    instances: int | None,
    budgets: tuple[str, ...],
    as_json: bool,
) -> int:
    """Carry out a plan; continue where an earlier apply of it stopped."""
    from skipstone.cli.application import Options

    allowance = _allowance(budgets)
    options = Options(
        yes=yes,
        approve=approve,
        until=until,
        fresh=fresh,
        measure=measure,
        tcp_port=tcp_port,
        instances=instances,
        allowance=allowance,
    )
    return _application(plan_file, inventory_file, options).finish(as_json=as_json)


@click.command(
    epilog=f"""\b
Examples:
  skipstone resume
  skipstone resume --approve computes
  skipstone resume --budget api-writes=20m
  skipstone resume --accept-budget api-writes --reason "the window was extended, change 4711"

A run that a broken budget has paused goes on only where it is raised, or accepted with a reason.
{SIGNALS}"""
)
@click.argument("run", required=False)
@YES
@APPROVE
@UNTIL
@BUDGET
@click.option(
    "--accept-budget", "accepted", metavar="NAME", multiple=True, help="Go on although this budget is broken."
)
@click.option("--reason", "why", metavar="TEXT", default="", help="Why a budget is accepted or changed.")
@AS_JSON
def resume(
    run: str | None,
    *,
    yes: bool,
    approve: tuple[str, ...],
    until: str | None,
    budgets: tuple[str, ...],
    accepted: tuple[str, ...],
    why: str,
    as_json: bool,
) -> int:
    """Go on with RUN, whatever stopped it: the latest where none is named. A failed step is tried again."""
    from skipstone.cli.application import Options
    from skipstone.errors import InputError
    from skipstone.run.directory import expect_not_rolling_back, find_run
    from skipstone.settings import load_settings

    directory = find_run(load_settings().runs, run)
    view = directory.view()
    expect_not_rolling_back(view)
    if view.state.over:
        raise InputError(f"run {directory.run} is {view.state}: nothing is left to do", evidence=view.reason)
    measure, allowance = directory.origin().measure, _allowance(budgets, accepted, why)
    options = Options(yes=yes, approve=approve, until=until, measure=measure, allowance=allowance)
    application = _application(directory.plan, directory.inventory, options)
    return application.finish(as_json=as_json)


def _allowance(budgets: tuple[str, ...], accepted: tuple[str, ...] = (), why: str = "") -> "Allowance":
    from skipstone.errors import InputError
    from skipstone.run.budget import Allowance, parse_budget
    from skipstone.run.decision import operator_here

    if accepted and not why:
        raise InputError(
            "why is the broken budget accepted?",
            remedy="say it with --reason TEXT: it is kept in the journal",
        )
    if not budgets and not accepted:
        return Allowance()
    return Allowance(tuple(map(parse_budget, budgets)), accepted, operator_here(), why)


def _application(plan_file: Path, inventory_file: Path, options: "Options") -> "Application":
    from skipstone.cli.application import Application
    from skipstone.cloud.inventory import load_inventory
    from skipstone.plan.planfile import load_plan
    from skipstone.settings import load_settings
    from skipstone.views.terminal import terminal

    return Application(
        plan=load_plan(plan_file),
        inventory=load_inventory(inventory_file),
        settings=load_settings(),
        options=options,
        console=terminal(stderr=True),
    )
