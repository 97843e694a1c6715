"""``skipstone config validate``: configuration judged by a release's own code."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skipstone.errors import ExitCode, InputError

if TYPE_CHECKING:
    from rich.console import Console

    from skipstone.catalog.release import Release
    from skipstone.convert.conversion import Conversion
    from skipstone.convert.options import OptionHistory
    from skipstone.convert.remark import Remark
    from skipstone.toolchain.virtualenv import VirtualenvToolchain

Said = Mapping[str, Sequence["Remark"]]
"""What a release says of each file that it reads."""

FILE = click.Path(path_type=Path, exists=True)


@click.command()
@click.argument("files", type=FILE, nargs=-1, required=True)
@click.option("--service", required=True, metavar="S", help="Service that reads them: nova, neutron, ...")
@click.option("--release", "wanted", required=True, metavar="REL", help="Release that shall read them.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, made of the same object.")
def validate(*, files: tuple[Path, ...], service: str, wanted: str, as_json: bool) -> ExitCode:
    """Have configuration FILES judged by a release: by its oslo-config-validator, and by loading them.

    Its toolchain has to be built (`skipstone toolchain build REL`); it takes some seconds. FILES are read as
    one configuration, in this order; a FILE brings its FILE.d, a directory its *.conf. Names of options are
    told, never values. Exits with 1 where the release does not know an option or cannot read a value.

    \b
    Examples:
      skipstone config validate nova.conf.new --service nova --release 2025.1
      skipstone config validate neutron.conf ml2_conf.ini --service neutron --release 2025.1 --json
    """  # noqa: D301 - \b is click's mark for text that is not to be wrapped
    from skipstone.catalog.loader import load_catalog
    from skipstone.convert import source as sources
    from skipstone.convert.options import load_history
    from skipstone.convert.recognition import refuse_stranger

    catalog = load_catalog()
    release, history = catalog.release(wanted), load_history(catalog.service(service).name)
    history.between(release, release)
    toolchain = validator(release)
    texts = {str(path): text for path, text in sources.gather(*files).items()}
    refuse_stranger(texts, history, release)
    said = judged(texts, toolchain, history)
    if not said:
        raise InputError("none of these files is one that oslo.config reads", where=", ".join(texts))
    if as_json:
        click.echo(json.dumps(document(said), indent=2))
    else:
        _print(said, texts, release)
    return exit_code(said)


def validator(release: "Release") -> "VirtualenvToolchain":
    """Return the toolchain of a release; raise InputError where it is not built."""
    from skipstone.settings import load_settings
    from skipstone.validation.validation import validator_of

    return validator_of(release, load_settings())


def judged(texts: Mapping[str, str], toolchain: "VirtualenvToolchain", history: "OptionHistory") -> Said:
    """Return what a release says of those of the texts that oslo.config reads; their copies do not stay."""
    from skipstone.convert.forms import Form, form_of
    from skipstone.validation.validation import validate as ask

    options = {name: text for name, text in texts.items() if form_of(text) is Form.OPTIONS}
    if not options:
        return {}
    with _copies(options) as files:
        return ask(files, toolchain, history.service, history.at(str(toolchain.release)))


def exit_code(said: Said) -> ExitCode:
    """Return what the shell is told: whether somebody has to decide something."""
    from skipstone.convert.remark import Weight

    due = any(each.matter.weight is Weight.DECIDE for remarks in said.values() for each in remarks)
    return ExitCode.WARNINGS if due else ExitCode.DONE


def document(said: Said) -> list[dict[str, object]]:
    """Return what programs get: no value of a file is in it."""
    from skipstone.views.conversion import remark_document

    return [{"file": name, "remarks": [*map(remark_document, remarks)]} for name, remarks in said.items()]


def print_judgement(console: "Console", remarks: Sequence["Remark"] | None, title: str) -> None:
    """Print what a release says of a file; nothing where it was not asked."""
    from skipstone.views.conversion import remarks_table

    if remarks:
        console.print(f"{title} says of it:")
        console.print(remarks_table(remarks))
    elif remarks is not None:
        console.print(f"{title} reads it without a complaint")


def _print(said: Said, texts: Mapping[str, str], release: "Release") -> None:
    from skipstone.views.terminal import terminal

    console = terminal()
    for name in texts:
        console.print(name, style="bold", markup=False)
        if name in said:
            print_judgement(console, said[name], release.title)
        else:
            console.print("oslo.config does not read it; not judged")


def texts_of(conversions: Sequence["Conversion"]) -> Mapping[str, str]:
    """Return the new files."""
    return {each.name: each.text for each in conversions}


@contextmanager
def _copies(texts: Mapping[str, str]) -> Iterator[Mapping[str, Path]]:
    """Give files with these texts that their owner alone can read, for as long as the context lasts."""
    with tempfile.TemporaryDirectory(prefix="skipstone-") as directory:  # mode 700
        files = {name: Path(directory) / f"{number}.conf" for number, name in enumerate(texts)}
        for name, path in files.items():
            path.write_bytes(texts[name].encode())
        yield files
