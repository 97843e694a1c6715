"""Every command of ours that a page, a remedy or an example shows can be given as it stands there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from skipstone.cli.main import cli

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    {ROOT / "README.md", ROOT / "tools/demo", *ROOT.glob("docs/**/*.md")} - {*ROOT.glob("docs/adr/*")}
)
INLINE = re.compile(r"`skipstone ([^`]+)`")
LINE = re.compile(r"^\s*(?:sudo )?(?:\w+=\S+ )*skipstone (\S.*)$")
END = re.compile(r"\s(?:#|\||>|<|&&|;|   ).*$")
"""Where a shell's own words, or an explanation, follow a command."""

FREE = re.compile(r"\.\.|\[|VERB")


def commands(text: str) -> Iterator[tuple[str, bool]]:
    """Yield what is given to ``skipstone``, and whether it is a whole command, on a line of its own."""
    joined = re.sub(r"\\\n\s*", "", text)
    for line in joined.splitlines():
        if found := LINE.match(line):
            yield END.sub("", found[1] + " "), True
    for piece in INLINE.findall(re.sub(r"\s+", " ", text)):
        yield END.sub("", piece + " "), False


def shown() -> Iterator[tuple[str, str, bool]]:
    for page in PAGES:
        yield from ((page.name, *found) for found in commands(page.read_text()))
    for path in sorted((ROOT / "src/skipstone").rglob("*.py")):
        for piece in INLINE.findall(re.sub(r'"?\n\s*f?"?', "", path.read_text())):
            yield path.name, END.sub("", piece + " "), False


@pytest.mark.parametrize(("where", "text", "whole"), [*dict.fromkeys(shown())])
def test_it_can_be_given(where: str, text: str, whole: bool) -> None:
    del where
    words = shlex.split(text.replace("{", "").replace("}", ""))
    if FREE.search(text):
        pytest.skip("a form, not a command")
    command: click.Command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name = words.pop(0)
        found = command.get_command(context, name)
        assert found, f"there is no {name}"
        command, context = found, click.Context(found, parent=context, **found.context_settings)
    if isinstance(command, click.Group):
        return
    try:
        given, _, _ = command.make_parser(context).parse_args(words)
    except click.BadOptionUsage:
        if whole:
            raise
        return  # an option is named, and not given
    lacking = [one.name for one in command.params if one.required and not given.get(one.name)]
    assert not (whole and lacking)
