"""``skipstone config policy``: who may do what, carried from one release to another."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skipstone.cli.conversion import (
    FILE,
    STDOUT,
    expect_one_way,
    expect_page,
    expect_stdout_free,
    print_changes,
)
from skipstone.errors import ExitCode, InputError

if TYPE_CHECKING:
    from skipstone.convert.conversion import Conversion
    from skipstone.convert.option import Name
    from skipstone.convert.policy.conversion import PolicyConversion
    from skipstone.convert.policy.effects import Effects


@click.command()
@click.argument("file", type=FILE, nargs=-1, required=True)
@click.option("--service", required=True, metavar="S", help="Service whose policy it is: nova, neutron, ...")
@click.option("--from", "source", required=True, metavar="REL", help="Release that the files are from.")
@click.option("--to", "target", required=True, metavar="REL", help="Release that the files shall be for.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="New file (or directory); - is stdout.")
@click.option(
    "--in-place", is_flag=True, help="Replace the files; copies of the old ones are kept beside them."
)
@click.option("--config", "conf", type=FILE, help="The service's own file, for what its [oslo_policy] sets.")
@click.option("--new-defaults", "take", is_flag=True, help="Drop rules that only repeat old defaults.")
@click.option(
    "--html", type=click.Path(path_type=Path), help="Write remarks, both versions and effects as a page."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, made of the same objects.")
def policy(
    file: tuple[Path, ...],
    service: str,
    source: str,
    target: str,
    output: Path | None,
    *,
    conf: Path | None,
    in_place: bool,
    take: bool,
    html: Path | None,
    as_json: bool,
) -> ExitCode:
    """Carry policy FILEs (policy.yaml, policy.json, policy.d) from one release to another.

    Rules that were renamed are followed through every release in between; those that no request asks for and
    those that are the default anyway become comments with their reason; JSON becomes YAML. Who loses or gains
    what by it, and by the target's defaults, is told for each kind of token. Without -o or --in-place nothing
    is written. Give policy.yaml and policy.d together where both are read. Exits with 1 where a person has to
    decide something.

    \b
    Examples:
      skipstone config policy policy.json --service nova --from victoria --to 2025.1 -o policy.yaml
      skipstone config policy /etc/neutron/policy.yaml --service neutron --from zed --to 2025.1 --in-place
      skipstone config policy /dev/null --service glance --from zed --to 2025.1   # what new defaults alone do
    """  # noqa: D301 - \b is click's mark for text that is not to be wrapped
    from skipstone.catalog.loader import load_catalog
    from skipstone.convert import source as files
    from skipstone.convert.policy.catalog import load_rules
    from skipstone.convert.policy.conversion import convert
    from skipstone.convert.policy.effects import effects
    from skipstone.convert.policy.enforcement import enforcements

    catalog = load_catalog()
    history = load_rules(catalog.service(service).name)
    way = history.between(catalog.release(source), catalog.release(target))
    settings = _settings(conf, history.service, str(way[0].release)) if conf else {}
    enforced = enforcements(history.service, [each.release for each in way], settings)
    texts = {str(path): text for each in file for path, text in files.gather_policy(each).items()}
    _refuse_contradictions(list(texts), output, in_place=in_place, as_json=as_json)
    expect_page(html)
    done = convert(texts, history, way, enforced, take=take)
    found = effects(done.service, done.stages)
    written = _write(done.files, output, in_place=in_place)
    if html:
        from skipstone.views.conversion_page import write_conversions
        from skipstone.views.policy import effects_text

        name = f"{service}'s policy, {source} to {target}"
        write_conversions(done.files, name, html, effects=effects_text(done, found))
    if as_json:
        from skipstone.views.policy import document

        click.echo(json.dumps(document(done, found, written, "kept" if in_place else "written"), indent=2))
    elif output != STDOUT:
        _print(done, found, written, told="replaced; the old file is" if in_place else "written:")
    undecided = any(each.undecided for each in done.files)
    return ExitCode.WARNINGS if undecided else ExitCode.DONE


def _settings(conf: Path, service: str, release: str) -> Mapping["Name", str]:
    """Return what a release's configuration file sets of oslo.policy."""
    from skipstone.convert.inifile import parse
    from skipstone.convert.options import load_history
    from skipstone.convert.policy.enforcement import settings_of
    from skipstone.convert.source import read

    return dict(settings_of(parse(read(conf), str(conf)), load_history(service).at(release)))


def _refuse_contradictions(
    names: Sequence[str], output: Path | None, *, in_place: bool, as_json: bool
) -> None:
    """Raise InputError for options that cannot go together, before anything is written."""
    if output is None:
        return
    expect_one_way(output, in_place=in_place)
    if output == STDOUT:
        expect_stdout_free(as_json=as_json)
    if len(names) > 1 and not output.is_dir():
        raise InputError(
            "several files are converted into a directory", where=str(output), remedy="make it first"
        )


def _write(conversions: Sequence["Conversion"], output: Path | None, *, in_place: bool) -> Mapping[str, Path]:
    """Write what was asked for, and return by file where the new one is, or the copy of the old."""
    from skipstone.convert import source as files

    if in_place:
        changed = (each for each in conversions if each.changed)
        return {
            each.name: files.replace_policy(Path(each.name), _new_name(each.name), each.text)
            for each in changed
        }
    if output == STDOUT:
        click.echo(conversions[0].text, nl=False)
    if output is None or output == STDOUT:
        return {}
    paths = {each.name: output / _new_name(each.name) if output.is_dir() else output for each in conversions}
    files.expect_none(paths.values())
    for each in conversions:
        files.write_new(paths[each.name], each.text)
    return paths


def _new_name(name: str) -> str:
    """Return the name of a file that is YAML now."""
    path = Path(name)
    return f"{path.stem}.yaml" if path.suffix == ".json" else path.name


def _print(done: "PolicyConversion", found: "Effects", written: Mapping[str, Path], *, told: str) -> None:
    """Print the remarks, where nothing was written what would change, and who loses or gains what."""
    from skipstone.views.policy import effects_lines
    from skipstone.views.terminal import terminal

    console = terminal()
    for each in done.files:
        console.print(each.name, style="bold", markup=False)
        print_changes(console, each, written=bool(written))
        if each.name in written:
            console.print(f"{told} {written[each.name]}", markup=False, soft_wrap=True)
    for line in effects_lines(done, found):
        console.print(line)
