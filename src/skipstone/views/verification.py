"""A verification in the terminal: what there is, what differs, what was tried."""

from collections import Counter
from collections.abc import Iterator, Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from skipstone.impact.verification import Difference, Look, Subject, Trial, Verification, Weight

WORDS: dict[Weight, tuple[str, str]] = {
    Weight.LOSS: ("lost or changed", "bold red"),
    Weight.EXPLAINABLE: ("explainable", "yellow"),
    Weight.EXPECTED: ("as expected", "green"),
}
"""Weight -> how it is said, and the style."""


def describe(difference: Difference) -> str:
    """Return one difference in words, without its subject and name."""
    if not difference.fact:
        if difference.before is None:
            return "new"
        return "gone" if difference.after is None else f"could not be asked: {difference.after}"
    before, after = (value or "nothing" for value in (difference.before, difference.after))
    return f"{difference.fact}: {before} → {after}"


def counted(counts: Mapping[Subject, int]) -> str:
    """Return how many there are of each: ``7 APIs, 1 instance``."""
    return ", ".join(f"{count} {subject}{'' if count == 1 else 's'}" for subject, count in counts.items())


def show_verification(verification: Verification) -> RenderableType:
    """Return the whole verification."""
    return Group(*_parts(verification))


def show_look(look: Look) -> RenderableType:
    """Return how many things one look saw, and what it could not ask."""
    seen = counted(Counter(thing.subject for thing in look.things))
    lines = [Text(f"{look.cloud}: {seen or 'nothing seen'}")]
    lines += [Text(f"not asked about {what}s: {why}", style="yellow") for what, why in look.unasked.items()]
    return Group(*lines)


def _parts(verification: Verification) -> Iterator[RenderableType]:
    counts = counted(verification.counts)
    yield Text(f"compared with {verification.before:%Y-%m-%d %H:%M} UTC: {counts}")
    if verification.differences:
        yield _differences(verification.differences)
    if verification.trials:
        yield _trials(verification.trials)
    losses, trials = len(verification.losses), [trial for trial in verification.trials if not trial.ok]
    if losses or trials:
        yield Text(f"{losses} losses, {len(trials)} failed trials", style="bold red")
    else:
        yield Text("nothing is lost", style="bold green")


def _differences(differences: tuple[Difference, ...]) -> Table:
    table = Table("", "what", "name", "difference", box=None, pad_edge=False)
    for one in differences:
        word, style = WORDS[one.weight]
        table.add_row(Text(word, style=style), one.subject, one.name or one.id, describe(one))
    return table


def _trials(trials: tuple[Trial, ...]) -> Table:
    table = Table("", "tried", "seconds", "", box=None, pad_edge=False)
    for trial in trials:
        mark = Text("works", style="green") if trial.ok else Text("fails", style="bold red")
        table.add_row(mark, trial.name, f"{trial.seconds:.1f}", trial.detail)
    return table
