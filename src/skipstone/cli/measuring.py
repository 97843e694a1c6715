"""What ``apply`` measures from outside: a look before and after, probes meanwhile, and the report."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from skipstone.errors import SkipstoneError

if TYPE_CHECKING:
    from rich.console import Console

    from skipstone.cloud.inventory import Inventory
    from skipstone.cloud.model import Cloud
    from skipstone.impact.verification import Look
    from skipstone.run.directory import RunDirectory


@dataclass(frozen=True)
class Measurement:
    """The measuring of one run, kept in the run's directory; what cannot be measured never stops a run."""

    directory: "RunDirectory"
    inventory: "Inventory"
    console: "Console"

    @contextmanager
    def probing(self, cloud: "Cloud | None") -> Iterator[None]:
        """Probe meanwhile, in another process, which outlives us where we are killed.

        ``cloud`` is None where the run goes on: the probes are then those of its beginning.
        """
        from skipstone.impact.process import start_probes, stop_probes
        from skipstone.impact.spec import ProbeSpec, build_spec

        written = self.directory.impact / "spec.json"
        if cloud is None and not written.exists():
            yield
            return
        if cloud is not None:
            self.look("before.json")
            spec = build_spec(cloud, self.inventory)
        else:
            spec = ProbeSpec.model_validate_json(written.read_text())
        start_probes(spec, self.directory.impact)
        try:
            yield
        finally:
            stop_probes(self.directory.impact)

    def look(self, name: str) -> None:
        """Look at the cloud from outside and keep what was seen under ``name``; say so where it fails."""
        from skipstone.apart import apart
        from skipstone.impact.verification import save_look

        self.console.print("looking at the cloud from outside")
        try:
            save_look(apart(look_from_outside, self.inventory), self.directory.path / name)
        except SkipstoneError as error:
            self.console.print(f"[yellow]not seen from outside:[/] {error}; {error.remedy}")

    async def figures(self) -> list[str]:
        """Return what users have felt so far, for whoever decides at a gate."""
        try:
            return await asyncio.to_thread(felt_so_far, self.directory.impact)
        except SkipstoneError as error:
            return [f"what users have felt is not known: {error}"]

    def report(self) -> tuple[Path, Path]:
        """Print what users felt, and write the report as a page and as data; return their paths."""
        from skipstone.views.page import write_page
        from skipstone.views.report import build_report, write_json
        from skipstone.views.summary import show_summary

        found = build_report(self.directory)
        page, data = self.directory.path / "report.html", self.directory.path / "report.json"
        write_page(found, page)
        write_json(found, data)
        self.console.print(show_summary(found))
        return page, data


def felt_so_far(recording: Path) -> list[str]:
    """Return a line for what APIs and one for what instances have shown of the upgrade."""
    from skipstone.impact.measurement import measure
    from skipstone.views.duration import duration

    found = measure(recording)
    outages = found.longest_outages.items()
    out = [f"{name} {duration(round(seconds))}" for name, seconds in outages if seconds >= 1]
    gaps = [one.ping.longest_gap for one in found.instances if one.ping]
    rebooted = [one.name for one in found.instances if one.rebooted]
    lines = [f"longest outage of each API so far: {', '.join(out) or 'none'}"]
    if gaps:
        reboots = f"rebooted: {', '.join(rebooted)}" if rebooted else "none rebooted"
        lines.append(f"{len(gaps)} instances: {reboots}, longest gap {max(gaps):.1f} s")
    return lines


def look_from_outside(inventory: "Inventory") -> "Look":
    """Return what a cloud shows from outside; raise SkipstoneError where nothing can be asked."""
    from skipstone.catalog import load_catalog
    from skipstone.impact.credentials import CloudAccess
    from skipstone.impact.look import take_look

    access = CloudAccess.load(inventory.cloud, inventory.clouds_file)
    return asyncio.run(take_look(inventory.name, access, load_catalog()))
