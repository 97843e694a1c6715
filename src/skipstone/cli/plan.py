"""``skipstone plan`` and ``skipstone runbook``."""

import json
from pathlib import Path
from typing import Any, Literal

import click

from skipstone.cli.rollout import rollout_of, rollout_options
from skipstone.errors import ExitCode

GATE_EXPIRES = 2 * 3600  # plan.plan's default, which would take a third of a second to import for --help
FILE = click.Path(path_type=Path)


@click.command(
    epilog="""\b
Examples:
  skipstone plan cloud.yaml --to 2025.1 -o plan.yaml
  skipstone plan cloud.yaml --to 2025.1 --rehearsal rehearsal.json -o plan.yaml
  skipstone plan cloud.yaml --to 2025.1 --keep-behaviour --leave '/etc/neutron/*'
  skipstone plan cloud.yaml --to 2025.1 --computes auto
  skipstone plan cloud.yaml --to 2025.1 --computes drain --force-complete --migrations 8
  skipstone plan cloud.yaml --to 2025.1 --computes reinstall --cold --return-instances
  skipstone plan cloud.yaml --to 2025.1 --sample 2 --wave 10% --down 5% --down-per-zone 1 --failures 3
  skipstone plan cloud.yaml --to 2025.1 --postpone cmp7 --window 'mon-fri 22:00-05:00 Europe/Berlin'
  skipstone plan cloud.yaml --to epoxy --json | jq '.stages[].name'
  skipstone plan cloud.yaml --to 2023.1 --suites bookworm-zed-backports=bookworm-antelope-backports
"""
)
@click.argument("cloud_file", type=FILE)
@click.option("--to", "target_name", required=True, metavar="REL", help="Release to upgrade to.")
@click.option(
    "--strategy",
    type=click.Choice(["in-place"]),
    default="in-place",
    show_default=True,
    help="How the hosts are upgraded.",
)
@click.option(
    "--gate-expires",
    type=click.IntRange(min=1),
    default=GATE_EXPIRES,
    show_default=True,
    metavar="SECONDS",
    help="How long a gate waits for an answer.",
)
@click.option(
    "--suites",
    metavar="OLD=NEW",
    help="The hosts stay on their Debian: the target's packages are in suite NEW of the archive whose"
    " suite OLD they use now.",
)
@click.option("--at-once", type=click.IntRange(min=1), metavar="N", help="At most N steps at the same time.")
@click.option(
    "--per-zone",
    type=click.IntRange(min=1),
    metavar="N",
    help="At most N steps at the same time on hosts of one zone (`zone` in the inventory: a rack).",
)
@rollout_options
@click.option(
    "--rehearsal",
    "rehearsal_file",
    type=FILE,
    metavar="FILE",
    help="The JSON that `skipstone rehearse -o` wrote: its times become estimates, its findings the plan's.",
)
@click.option("--keep-behaviour", "keep", is_flag=True, help="Write old defaults into configuration.")
@click.option(
    "--leave",
    multiple=True,
    metavar="GLOB",
    help="Do not convert these configuration files: another tool owns them.",
)
@click.option("--no-convert", is_flag=True, help="Convert no configuration at all.")
@click.option(
    "--computes",
    type=click.Choice(["stay", "drain", "reinstall", "auto"]),
    default="stay",
    show_default=True,
    help="Upgrade each compute under its instances; drain it before by live migration; drain it and let the"
    " inventory's reinstall_hook install it anew, which nothing undoes; or choose for each to stay or drain.",
)
@click.option(
    "--return-instances", "returning", is_flag=True, help="Bring back what was moved off a compute."
)
@click.option(
    "--on-stuck",
    type=click.Choice(["pause", "leave", "cold"]),
    default="pause",
    show_default=True,
    help="What a drain does with an instance that cannot be moved.",
)
@click.option("--cold", is_flag=True, help="A drain also moves instances that are off.")
@click.option(
    "--force-complete",
    is_flag=True,
    help="Let a drain's migration that does not end complete: post-copy where nova is configured for it, else"
    " the guest is paused for the rest.",
)
@click.option(
    "--migrations",
    type=click.IntRange(min=1),
    metavar="N",
    help="At most N migrations at a time in all, however many hosts are drained.  [default: 4]",
)
@click.option(
    "--migrations-per-target",
    "per_target",
    type=click.IntRange(min=1),
    metavar="N",
    help="At most N migrations at a time to one host.  [default: 1]",
)
@click.option("-o", "--output", type=FILE, help="Where to write the plan.  [default: plan.yaml]")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON; write it only with -o.")
def plan(
    cloud_file: Path,
    *,
    target_name: str,
    strategy: str,
    gate_expires: int,
    suites: str | None,
    at_once: int | None,
    per_zone: int | None,
    rehearsal_file: Path | None,
    keep: bool,
    leave: tuple[str, ...],
    no_convert: bool,
    computes: str,
    returning: bool,
    on_stuck: Literal["pause", "leave", "cold"],
    cold: bool,
    force_complete: bool,
    migrations: int | None,
    per_target: int | None,
    output: Path | None,
    as_json: bool,
    **rollout: Any,  # noqa: ANN401 - as ``rollout_of`` takes them
) -> int:
    """Write the plan that upgrades a discovered cloud; nothing is connected to, nothing is changed."""
    from skipstone.catalog import load_catalog
    from skipstone.checks.examination import examine
    from skipstone.cloud.cloudfile import load_cloud
    from skipstone.plan.configuration import Carrying
    from skipstone.plan.planfile import save_plan, to_data
    from skipstone.plan.planner import Limits, make_plan, staying
    from skipstone.plan.strategies.in_place import Computes, Handling, Suites
    from skipstone.rehearsal.report import load_rehearsal
    from skipstone.views.terminal import terminal
    from skipstone.views.tree import plan_tree

    catalog = load_catalog()
    cloud = load_cloud(cloud_file)
    target = catalog.release(target_name)
    if suites:
        old, _, new = suites.partition("=")
        if not old or not new:
            raise click.BadParameter("two suites are expected: OLD=NEW", param_hint="--suites")
        target = staying(cloud, target)
    findings = examine(cloud, catalog, target)
    made = make_plan(
        cloud,
        catalog,
        target,
        findings=findings,
        strategy=strategy,
        suites=Suites(old, new) if suites else None,
        gate_expires=gate_expires,
        limits=Limits(at_once, per_zone),
        carrying=Carrying(keep=keep, leave=("*",) if no_convert else leave),
        handling=Handling(
            Computes(computes),
            returning=returning,
            on_stuck=on_stuck,
            migrations=migrations,
            per_target=per_target,
            force_complete=force_complete,
            cold=cold,
        ),
        rollout=rollout_of(**rollout),
        rehearsal=load_rehearsal(rehearsal_file) if rehearsal_file else None,
    )
    path = output or (None if as_json else Path("plan.yaml"))
    if path:
        save_plan(made, path)
    if as_json:
        click.echo(json.dumps(to_data(made), indent=2))
        return ExitCode.DONE
    terminal().print(plan_tree(made))
    click.echo(f"\nwritten: {path}")
    click.echo(f"next:    skipstone runbook {path}")
    click.echo(f"         skipstone rehearse {path} -i INVENTORY   or   skipstone apply {path} -i INVENTORY")
    return ExitCode.DONE


@click.command(epilog="\b\nExample:\n  skipstone runbook plan.yaml > runbook.md")
@click.argument("plan_file", type=FILE)
def runbook(plan_file: Path) -> None:
    """Print a plan as Markdown with every command, to be read, or followed by hand."""
    from skipstone.plan.planfile import load_plan
    from skipstone.views.runbook import runbook as markdown

    click.echo(markdown(load_plan(plan_file)), nl=False)


@click.command(epilog="\b\nExample:\n  skipstone renew plan.yaml -o plan.yaml")
@click.argument("plan_file", type=FILE)
@click.option("-o", "--output", type=FILE, help="Where to write the renewed plan.  [default: nowhere]")
def renew(plan_file: Path, output: Path | None) -> None:
    """Show how this version of Skipstone changes the commands of a plan that another version made.

    With -o the plan is written anew. A run that was begun with it goes on: its steps and their parameters
    stay the same.
    """
    from skipstone.plan.planfile import renew_plan, save_plan

    made, difference = renew_plan(plan_file)
    click.echo(difference or "every command stays the same")
    if output:
        save_plan(made, output)
        click.echo(f"written: {output}", err=True)
