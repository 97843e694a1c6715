"""``skipstone check``: every check put to a discovered cloud."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.tree import Tree

    from skipstone.catalog.catalog import Catalog
    from skipstone.catalog.release import Release
    from skipstone.checks.finding import Finding
    from skipstone.cloud.model import Cloud

PIPE_WIDTH = 240
"""Columns where there is no terminal: lines of evidence stay whole for grep."""

STYLES = {"inhibitor": "bold red", "unknown": "magenta", "warning": "yellow", "info": "dim"}


@click.command(
    epilog="""\b
Exit codes:
  0  nothing, or only information
  1  warnings
  2  an inhibitor, a question that could not be asked, or bad input
\b
Examples:
  skipstone check cloud.yaml                 is the cloud healthy as it stands
  skipstone check cloud.yaml --to 2025.1     can it go there
  skipstone check cloud.yaml --to 2025.1 --json | jq '.findings[].id'
"""
)
@click.argument("cloud_file", type=click.Path(path_type=Path))
@click.option("--to", "target_name", metavar="REL", help="Release to upgrade to.  [default: the cloud's own]")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def check(cloud_file: Path, target_name: str | None, *, as_json: bool) -> int:
    """Ask every check about a discovered cloud; nothing is connected to, nothing is changed."""
    from skipstone.catalog import load_catalog
    from skipstone.checks.examination import examine, verdict
    from skipstone.cloud.cloudfile import load_cloud

    catalog = load_catalog()
    cloud = load_cloud(cloud_file)
    target = _target(cloud, catalog, target_name)
    findings = examine(cloud, catalog, target)
    if as_json:
        data = {"cloud": cloud.name, "source": cloud.release, "target": target.codename}
        found = [finding.model_dump(mode="json") for finding in findings]
        click.echo(json.dumps(data | {"summary": _counts(findings), "findings": found}, indent=2))
    else:
        _show(cloud, target, findings)
    return verdict(findings)


def _target(cloud: Cloud, catalog: Catalog, name: str | None) -> Release:
    """Return the release that was asked for, or the cloud's own; raise InputError where that is not known."""
    from skipstone.checks.examination import release_of
    from skipstone.errors import InputError

    found = catalog.release(name) if name else release_of(cloud, catalog)
    if found is None:
        raise InputError(
            "the cloud's own release is not known", where=cloud.name, remedy="name the target with --to"
        )
    return found


def _counts(findings: tuple[Finding, ...]) -> dict[str, int]:
    """Return severity -> number of findings, the worst first, none left out."""
    return {severity: sum(f.severity == severity for f in findings) for severity in STYLES}


def _show(cloud: Cloud, target: Release, findings: tuple[Finding, ...]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.tree import Tree

    way = f"{escape(cloud.release or 'unknown')} → {target.codename}"
    tree = Tree(f"[bold]{escape(cloud.name)}[/]  {way}", guide_style="dim")
    for id_ in dict.fromkeys(finding.id for finding in findings):
        _add(tree, [finding for finding in findings if finding.id == id_])
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
    console.print(tree)
    shown = {(finding.id, finding.title): finding for finding in findings}
    words = [f"[{STYLES[word]}]{n} {word}[/]" for word, n in _counts(tuple(shown.values())).items() if n]
    places = f", in {len(findings)} places" if len(findings) > len(shown) else ""
    console.print("\n" + (", ".join(words) + places or "[green]nothing found[/]"))


def _add(tree: Tree, findings: list[Finding]) -> None:
    """Add the findings of one check: what, then where with the evidence, then what to do."""
    from rich.markup import escape

    for title in dict.fromkeys(finding.title for finding in findings):
        alike = [finding for finding in findings if finding.title == title]
        severity = alike[0].severity
        branch = tree.add(f"[{STYLES[severity]}]{severity}[/]  {escape(title)}  [cyan]{alike[0].id}[/]")
        for finding in alike:
            where = f"{escape(finding.where)}: " if finding.where else ""
            branch.add(f"{where}[dim]{escape(finding.evidence)}[/]")
        for remedy in dict.fromkeys(finding.remedy for finding in alike):
            branch.add(f"[green]→[/] {escape(remedy)}")
        for step in dict.fromkeys(finding.handled_by for finding in alike if finding.handled_by):
            branch.add(f"[green]✓[/] the plan does it: {step}")
