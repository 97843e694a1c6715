"""What ``skipstone config convert`` was asked for: the files, what they go into, where the result goes."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skipstone.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from skipstone.convert.conversion import Conversion
    from skipstone.convert.options import OptionHistory, ReleaseOptions

FILE = click.Path(path_type=Path, exists=True)
STDOUT = Path("-")
_PAGES = {".html", ".htm"}


@dataclass(frozen=True)
class Request:
    """What was asked for; ``named`` are the files and directories as given, ``sources`` all files in them.

    ``theirs`` and ``base`` are the distribution's new and old file, where named; without ``theirs`` a new one
    is looked for beside each source, if ``merge``.
    """

    named: tuple[Path, ...]
    sources: tuple[Path, ...]
    output: Path | None
    theirs: Path | None
    base: Path | None
    html: Path | None
    in_place: bool
    merge: bool

    def refuse_contradictions(self, *, as_json: bool) -> None:
        """Raise InputError for what cannot go together, before anything is converted."""
        expect_one_way(self.output, in_place=self.in_place)
        if self.theirs and (len(self.sources) > 1 or not self.merge):
            what = "several files cannot go into one" if self.merge else "--theirs and --no-merge contradict"
            raise InputError(what, where=str(self.theirs), remedy="convert one file, with --theirs alone")
        if self.base and not self.shipped:
            raise InputError("--base is of use with the new file", remedy="--theirs FILE")
        expect_page(self.html)
        if self.output == STDOUT:
            self._refuse_stdout(as_json=as_json)
        elif self.output:
            self._refuse_place(self.output)

    def _refuse_place(self, output: Path) -> None:
        several = len(self.sources) > 1 or any(path.is_dir() for path in self.named)
        if several and not output.is_dir():
            raise InputError(
                "several files are converted into a directory",
                where=str(output),
                evidence=", ".join(map(str, self.sources)),
                remedy="make it first",
            )
        if output.is_dir() and not several:
            raise InputError(
                "this is a directory", where=str(output), remedy=f"-o {output / self.named[0].name}"
            )

    def _refuse_stdout(self, *, as_json: bool) -> None:
        """Raise InputError where the new file must not go to stdout."""
        expect_stdout_free(as_json=as_json)
        if len(self.sources) > 1:
            raise InputError(
                "several files cannot go to stdout", where=str(self.named[0]), remedy="-o DIRECTORY"
            )
        if sys.stdout.isatty():
            raise InputError("the new file may hold passwords, and stdout is a terminal", remedy="-o FILE")

    @cached_property
    def shipped(self) -> Mapping[str, Path]:
        """The distribution's new file of each source that has one."""
        from skipstone.convert.source import shipped_beside

        if self.theirs:
            return {str(self.sources[0]): self.theirs}
        beside = {str(path): shipped_beside(path) for path in self.sources} if self.merge else {}
        return {name: path for name, path in beside.items() if path}

    def merged(
        self,
        conversions: Sequence["Conversion"],
        history: "OptionHistory",
        way: Sequence["ReleaseOptions"],
    ) -> tuple["Conversion", ...]:
        """Return the conversions, those with a new file of the distribution carried into it."""
        from skipstone.convert.merge import Shipped, merge
        from skipstone.convert.source import read

        base = read(self.base) if self.base else None
        new = {name: Shipped(str(path), read(path), base) for name, path in self.shipped.items()}
        return tuple(
            merge(each, new[each.name], history, way) if each.name in new else each for each in conversions
        )

    def write(self, conversions: Sequence["Conversion"], title: str) -> Mapping[str, Path]:
        """Write what was asked for, and return by file where the new one is, or the copy of the old."""
        from skipstone.convert import source

        written: dict[str, Path] = {}
        if self.in_place:
            changed = (each for each in conversions if each.changed)
            written = {each.name: source.replace(Path(each.name), each.text) for each in changed}
        elif self.output == STDOUT:
            sys.stdout.buffer.write(conversions[0].text.encode())
        elif self.output:
            places = source.places(self.sources, self.output)
            written = {each.name: places[Path(each.name)] for each in conversions}
            for each in conversions:
                source.write_new(written[each.name], each.text)
        if self.html:
            from skipstone.views.conversion_page import write_conversions

            write_conversions(conversions, title, self.html)
        return written


def expect_one_way(output: Path | None, *, in_place: bool) -> None:
    """Raise InputError where a new file would be written in two ways."""
    if output and in_place:
        raise InputError("-o and --in-place are two ways to write", remedy="give one of them")


def expect_stdout_free(*, as_json: bool) -> None:
    """Raise InputError where a new file would go where JSON goes."""
    if as_json:
        raise InputError("the new file and JSON cannot both go to stdout", remedy="-o FILE")


def print_changes(console: "Console", conversion: "Conversion", *, written: bool) -> None:
    """Print a conversion's remarks, and where nothing was ``written`` what would change."""
    from skipstone.views.conversion import remarks_table, side_by_side

    if conversion.remarks:
        console.print(remarks_table(conversion.remarks))
    if not conversion.changed:
        console.print("nothing changes")
    elif not written:
        console.print(side_by_side(conversion))


def expect_page(path: Path | None) -> None:
    """Raise InputError where a page would get a name that no browser opens."""
    if path and path.suffix not in _PAGES:
        raise InputError("this is no name of a page", where=str(path), remedy=f"{path}.html")
