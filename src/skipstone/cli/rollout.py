"""The options of ``skipstone plan`` that say how computes are taken: in which waves, and how many at once."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from skipstone.plan.rollout import Rollout

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--sample",
        metavar="N|HOST,...",
        default="1",
        show_default=True,
        help="How many computes come first, or which; those with the fewest instances, where only N is said.",
    ),
    click.option(
        "--wave",
        "waves",
        multiple=True,
        metavar="SIZE",
        help="Size of the next wave after the sample, as a number or as a part of all computes (10%);"
        " what is left over is one more.  [default: all others; from 20 computes on 10% first]",
    ),
    click.option(
        "--down",
        metavar="SIZE",
        default="1",
        show_default=True,
        help="At most so many computes are down at the same time: from the first step on one to its last.",
    ),
    click.option("--down-per-zone", metavar="SIZE", help="The same, of one availability zone of nova."),
    click.option("--down-per-aggregate", metavar="SIZE", help="The same, of one host aggregate."),
    click.option("--down-per-rack", metavar="SIZE", help="The same, of one `zone` of the inventory."),
    click.option(
        "--failures",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        metavar="N",
        help="A wave goes on while no more than N of its computes have failed; then the run stops.",
    ),
    click.option(
        "--postpone",
        "postponed",
        multiple=True,
        metavar="HOST",
        help="Leave a compute alone until all others are done, and gate `postponed` is approved.",
    ),
    click.option(
        "--window",
        "windows",
        multiple=True,
        metavar="WINDOW",
        help="No compute begins that would not be done before this maintenance window closes, such as"
        " 'mon-fri 22:00-05:00 Europe/Berlin'. The run waits for the next one.",
    ),
    click.option("--gate-every-wave", "every_wave", is_flag=True, help="Ask before every wave."),
)


def rollout_options(command: Command) -> Command:
    """Add the options to a command, which passes them to ``rollout_of``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def rollout_of(
    *,
    sample: str,
    waves: tuple[str, ...],
    failures: int,
    postponed: tuple[str, ...],
    windows: tuple[str, ...],
    every_wave: bool,
    down: str,
    **limits: str | None,
) -> "Rollout":
    """Return what the options say; raise InputError where one cannot be read."""
    from skipstone.plan.rollout import Rollout, Share
    from skipstone.plan.window import Window

    number = int(sample) if sample.isascii() and sample.isdigit() and int(sample) else None
    return Rollout(
        sample=number or 1,
        named=() if number else tuple(filter(None, sample.split(","))),
        waves=tuple(map(Share.parse, waves)),
        down=Share.parse(down),
        failures=failures,
        postponed=postponed,
        windows=tuple(map(Window.parse, windows)),
        every_wave=every_wave,
        **{name: Share.parse(text) if text else None for name, text in limits.items()},
    )
