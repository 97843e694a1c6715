"""``skipstone config``: configuration carried from one release to another."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skipstone.cli.conversion import FILE, STDOUT, Request, print_changes
from skipstone.cli.policy import policy
from skipstone.cli.validation import Said, exit_code, judged, print_judgement, texts_of, validate, validator
from skipstone.errors import ExitCode

if TYPE_CHECKING:
    from skipstone.convert.conversion import Conversion


@click.group()
def config() -> None:
    """Carry configuration from one release to another; no cloud is needed.

    \b
    Example:
      skipstone config convert nova.conf --service nova --from zed --to 2025.1 -o nova.conf.new
      skipstone config policy policy.json --service nova --from zed --to 2025.1 -o policy.yaml
      skipstone config validate nova.conf.new --service nova --release 2025.1
    """  # noqa: D301 - \b is click's mark for text that is not to be wrapped


config.add_command(policy)
config.add_command(validate)


@config.command()
@click.argument("files", type=FILE, nargs=-1, required=True)
@click.option("--service", required=True, metavar="S", help="Service whose file it is: nova, neutron, ...")
@click.option("--from", "source", required=True, metavar="REL", help="Release that the file is from.")
@click.option("--to", "target", required=True, metavar="REL", help="Release that the file shall be for.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="New file (or directory); - is stdout.")
@click.option("--in-place", is_flag=True, help="Replace the file; a copy of the old one is kept beside it.")
@click.option("--keep-behaviour", "keep", is_flag=True, help="Write the old default where it changed.")
@click.option("--theirs", type=FILE, help="The distribution's new file: yours is carried into it.")
@click.option("--base", type=FILE, help="The distribution's old file, which yours was made from.")
@click.option("--no-merge", is_flag=True, help="Leave FILE.dpkg-dist and FILE.ucf-dist alone.")
@click.option("--html", type=click.Path(path_type=Path), help="Write remarks and both versions as a page.")
@click.option("--validate", "judge", is_flag=True, help="Have the new files judged by REL's own code.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, made of the same object.")
def convert(
    *,
    files: tuple[Path, ...],
    service: str,
    source: str,
    target: str,
    output: Path | None,
    theirs: Path | None,
    base: Path | None,
    html: Path | None,
    in_place: bool,
    keep: bool,
    no_merge: bool,
    judge: bool,
    as_json: bool,
) -> ExitCode:
    """Carry configuration FILES, read as one in this order, from one release to another.

    A FILE is an oslo.config file with its FILE.d, a directory of *.conf, an api-paste.ini, a uWSGI file or a
    systemd unit. Options that were renamed or moved are followed through every release in between; those that
    are gone become comments; comments, order and spacing stay. Every change has its reason. Where the
    distribution's new file is at hand, yours is carried into it. Without -o or --in-place nothing is written:
    what would change is shown. Exits with 1 where a person has to decide something.

    \b
    Examples:
      skipstone config convert nova.conf --service nova --from zed --to 2025.1
      skipstone config convert nova.conf --service nova --from zed --to 2025.1 --html nova.html
      skipstone config convert /etc/cinder/cinder.conf --service cinder --from zed --to 2025.1 --in-place
      skipstone config convert neutron.conf ml2_conf.ini --service neutron --from zed --to 2025.1 -o new/
    """  # noqa: D301 - \b is click's mark for text that is not to be wrapped
    from skipstone.catalog.loader import load_catalog
    from skipstone.convert import source as sources
    from skipstone.convert.carrying import carry
    from skipstone.convert.options import load_history
    from skipstone.convert.recognition import refuse_stranger

    texts = sources.gather(*files)
    request = Request(files, tuple(texts), output, theirs, base, html, in_place, merge=not no_merge)
    request.refuse_contradictions(as_json=as_json)
    catalog = load_catalog()
    history = load_history(catalog.service(service).name)
    way = history.between(catalog.release(source), catalog.release(target))
    named = {str(path): text for path, text in texts.items()}
    refuse_stranger(named, history, catalog.release(source))
    toolchain = validator(catalog.release(target)) if judge else None
    conversions = request.merged(carry(named, history, way, keep=keep), history, way)
    titles = (catalog.release(each).title for each in (source, target))
    said = judged(texts_of(conversions), toolchain, history) if toolchain else None
    written = request.write(conversions, f"{history.service}, {' to '.join(titles)}")
    if as_json:
        _print_json(conversions, written, request, said)
    elif output != STDOUT:
        _print(conversions, written, request, said)
    return max(
        exit_code(said or {}),
        *(ExitCode.WARNINGS if each.undecided else ExitCode.DONE for each in conversions),
    )


def _print_json(
    conversions: Sequence["Conversion"],
    written: Mapping[str, Path],
    request: Request,
    said: "Said | None",
) -> None:
    from skipstone.views.conversion import document, remark_document

    rows = [
        document(each)
        | {
            "merged": str(request.shipped.get(each.name, "")) or None,
            "kept" if request.in_place else "written": str(written.get(each.name, "")) or None,
            "validated": [*map(remark_document, said[each.name])] if said and each.name in said else None,
        }
        for each in conversions
    ]
    click.echo(json.dumps(rows, indent=2))


def _print(
    conversions: Sequence["Conversion"],
    written: Mapping[str, Path],
    request: Request,
    said: "Said | None",
) -> None:
    """Print the remarks, and where nothing was written what would change."""
    from skipstone.views.terminal import terminal

    console = terminal()
    for each in conversions:
        console.print(each.name, style="bold", markup=False)
        if each.name in request.shipped:
            new = request.shipped[each.name]
            console.print(f"carried into the distribution's new file: {new}", markup=False)
        print_changes(console, each, written=bool(written))
        print_judgement(console, (said or {}).get(each.name), "the new release")
        if each.name in written:
            told = "replaced; the old file is" if request.in_place else "written:"
            console.print(f"{told} {written[each.name]}", markup=False, soft_wrap=True)
