"""Options that several verbs have, the same in each."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

inventory_option = click.option(
    "-i",
    "--inventory",
    "inventory_file",
    type=click.Path(path_type=Path),
    required=True,
    envvar="SKIPSTONE_INVENTORY",
    show_envvar=True,
    help="The cloud's hosts, and how to reach them: Skipstone's own YAML, or an Ansible inventory.",
)


def plan_option(*, required: bool) -> Callable[..., Any]:
    """Return the option that says in which plan's name something is done."""
    return click.option(
        "--plan",
        metavar="PLAN_ID",
        required=required,
        callback=_plan_id,
        help="The `id` in the file of the plan that this is a part of.",
    )


def _plan_id(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """Refuse a file's name: the plan's own steps would know nothing of what is done in that name."""
    del context, option
    if value and ("/" in value or value.endswith((".yaml", ".yml"))):
        raise click.BadParameter(f"{value} is a file; give the `id` that stands in it")
    return value
