"""``skipstone verify``: looks at a cloud from outside, and compares with an earlier look."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from skipstone.cli.options import inventory_option
from skipstone.errors import ExitCode

if TYPE_CHECKING:
    from skipstone.cloud.inventory import Inventory
    from skipstone.impact.exercise import Choice
    from skipstone.impact.verification import Look, Trial, Verification

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(
    epilog="""\b
Exit codes:
  0  the same, or better
  1  differences that users or the upgrade's own moves explain
  2  bad input
  4  something is lost, broken or not what it was
\b
Examples:
  skipstone verify -i inventory.yaml --save before.json
  skipstone verify -i inventory.yaml --against before.json
  skipstone verify -i inventory.yaml --against before.json --deep --json
"""
)
@inventory_option
@click.option("--save", type=FILE, help="Write what was seen, to compare with later.")
@click.option("--against", type=FILE, help="Compare with what was saved earlier.")
@click.option(
    "--deep", is_flag=True, help="Also try the cloud out: build, reach, migrate, remove an instance."
)
@click.option("--image", help="Image of the instance that --deep builds.  [default: one in use]")
@click.option("--flavor", help="Its flavor.  [default: the smallest]")
@click.option("--network", help="The external network of its floating IP.  [default: the first]")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison, or what was seen, as JSON.")
def verify(
    inventory_file: Path,
    *,
    save: Path | None,
    against: Path | None,
    deep: bool,
    image: str | None,
    flavor: str | None,
    network: str | None,
    as_json: bool,
) -> int:
    """Look at a cloud from outside and compare with an earlier look.

    It asks the public APIs and the instances: ping and boot-id. Without --deep it changes nothing.
    """
    from skipstone.cli.measuring import look_from_outside
    from skipstone.cloud.inventory import load_inventory
    from skipstone.impact.exercise import Choice
    from skipstone.impact.verification import compare, load_look, save_look

    if not (save or against or deep):
        raise click.UsageError("say --save FILE, --against FILE or --deep")
    inventory = load_inventory(inventory_file)
    before = load_look(against) if against else None
    look = look_from_outside(inventory)
    if save:
        save_look(look, save)
    trials: tuple[Trial, ...] = ()
    if deep:
        trials = _try_out(inventory, Choice(image, flavor, network))
    if before is None and not trials:
        return _show_look(look, as_json=as_json)
    return _show(compare(before or look, look, trials), as_json=as_json)


def _try_out(inventory: "Inventory", choice: "Choice") -> tuple["Trial", ...]:
    from skipstone.impact.exercise import exercise

    def tell(text: str) -> None:
        click.echo(f"trying: {text}", err=True)

    return exercise(inventory.cloud, inventory.clouds_file, choice, tell)


def _show_look(look: "Look", *, as_json: bool) -> int:
    from rich.console import Console

    from skipstone.views.verification import show_look

    if as_json:
        click.echo(look.model_dump_json(indent=1))
    else:
        Console(highlight=False).print(show_look(look))
    return ExitCode.WARNINGS if look.unasked else ExitCode.DONE


def _show(verification: "Verification", *, as_json: bool) -> int:
    from rich.console import Console

    from skipstone.views.verification import show_verification

    if as_json:
        click.echo(verification.model_dump_json(indent=1))
    else:
        Console(highlight=False).print(show_verification(verification))
    return verification.exit_code
