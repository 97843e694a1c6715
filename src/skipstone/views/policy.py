"""A converted policy for people and programs: the files, and who loses or gains what."""

from collections.abc import Iterator, Mapping
from io import StringIO
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

from skipstone.convert.judgement import title
from skipstone.convert.policy.conversion import PolicyConversion
from skipstone.convert.policy.effects import Effect, Effects, Turn, grouped, named
from skipstone.views.conversion import document as file_document

_WIDE = 140
_STYLES = {Turn.LOST: "red", Turn.GAINED: "green"}


def document(
    conversion: PolicyConversion, effects: Effects, written: Mapping[str, Path], word: str
) -> dict[str, Any]:
    """Return what programs get."""
    return {
        "service": conversion.service,
        "files": [
            file_document(each) | {word: str(written.get(each.name, "")) or None} for each in conversion.files
        ],
        "enforced": {
            stage.release.release: {
                "new_defaults": stage.enforcement.new_defaults,
                "scope": stage.enforcement.scope,
            }
            for stage in conversion.stages
        },
        "effects": [_effect(each) for each in effects.changed],
        "untold": list(effects.untold),
        "asked": effects.asked,
    }


def effects_text(conversion: PolicyConversion, effects: Effects) -> str:
    """Return who loses or gains what, as text."""
    output = StringIO()
    console = Console(file=output, width=_WIDE)
    for line in effects_lines(conversion, effects):
        console.print(line)
    return "\n".join(line.rstrip() for line in output.getvalue().strip().splitlines())


def effects_lines(conversion: PolicyConversion, effects: Effects) -> Iterator[RenderableType]:
    """Yield who loses or gains what, the same changes together."""
    first, last = (title(conversion.stages[end].release.release) for end in (0, -1))
    count = f"{len(effects.changed)} of {effects.asked} operations are for others than before"
    yield Text(f"\nWho may do what, {first} to {last}: {count}", style="bold")
    yield from _enforced(conversion)
    for turn, whom, found in grouped(effects.changed):
        yield Text(f"{turn.value}: ", style=_STYLES[turn]) + Text(named(whom), style="bold")
        for release, those in groupby(
            sorted(found, key=lambda each: (each.since, each.name)), lambda each: each.since
        ):
            names = ", ".join(_called(each) for each in those)
            yield Padding(Text(f"since {title(release)}: {names}"), (0, 0, 0, 4))
    if effects.untold:
        yield Text(f"cannot be told, since another server is asked: {', '.join(effects.untold)}")


def _enforced(conversion: PolicyConversion) -> Iterator[Text]:
    """Yield what oslo.policy enforces from which release on."""
    stages = conversion.stages
    for before, after in pairwise(stages):
        release, old, new = title(after.release.release), before.enforcement, after.enforcement
        if new.new_defaults and not old.new_defaults:
            yield Text(f"since {release}: deprecated defaults do not count beside the new ones any more")
        if new.scope and not old.scope:
            yield Text(f"since {release}: tokens of a scope that a rule is not for are refused")


def _called(effect: Effect) -> str:
    return effect.name if effect.old == effect.name else f"{effect.name} (was {effect.old})"


def _effect(effect: Effect) -> dict[str, Any]:
    turns = {
        turn.value: [
            {"persona": who.persona.name, "objects": who.owner.value} for who in effect.turns.get(turn, ())
        ]
        for turn in Turn
    }
    return {
        "rule": effect.name,
        "was": effect.old,
        "since": effect.since,
        "operations": [f"{each.method} {each.path}" for each in effect.operations],
        **turns,
    }
