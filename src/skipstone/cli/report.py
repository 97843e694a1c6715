"""``skipstone report``: the report of a run, as a page, as JSON and in the terminal."""

from pathlib import Path

import click

from skipstone.errors import ExitCode

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(
    epilog="""\b
Examples:
  skipstone report                                    the summary of the latest run
  skipstone report -o report.html --json report.json
  skipstone report --junit report.xml                 for Jenkins and GitLab
  skipstone report --json | jq .summary
"""
)
@click.argument("run", required=False)
@click.option("-o", "--output", type=FILE, help="Write one HTML page that works offline.")
@click.option(
    "--json",
    "json_file",
    type=FILE,
    metavar="FILE",
    is_flag=False,
    flag_value="-",
    help="Write JSON; without a file, or with -, print it.",
)
@click.option("--junit", "junit_file", type=FILE, metavar="FILE", help="Write JUnit's XML.")
def report(
    run: str | None,
    *,
    output: Path | None,
    json_file: Path | None,
    junit_file: Path | None,
) -> int:
    """Write the report of RUN: times, outages, replies lost; of the latest where none is named.

    A run that is still going on is reported as far as it got.
    """
    from rich.console import Console

    from skipstone.run.directory import find_run
    from skipstone.settings import load_settings
    from skipstone.views.junit import write_junit
    from skipstone.views.page import write_page
    from skipstone.views.report import build_report, write_json
    from skipstone.views.summary import show_summary

    found = build_report(find_run(load_settings().runs, run))
    if output:
        write_page(found, output)
    if junit_file:
        write_junit(found, junit_file)
    if json_file == Path("-"):
        click.echo(found.model_dump_json(indent=1))
        return ExitCode.DONE
    if json_file:
        write_json(found, json_file)
    console = Console(highlight=False)
    console.print(show_summary(found))
    for path in filter(None, (output, json_file, junit_file)):
        console.print(f"written: {path}", soft_wrap=True)
    return ExitCode.DONE
