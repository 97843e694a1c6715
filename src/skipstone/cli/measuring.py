"""What ``apply`` measures from outside: a look before and after, probes meanwhile, and the report."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from skipstone.errors import InputError, SkipstoneError
from skipstone.run.budget import Measure

if TYPE_CHECKING:
    from rich.console import Console

    from skipstone.cloud.inventory import Inventory
    from skipstone.cloud.model import Cloud
    from skipstone.impact.spec import ProbeSpec
    from skipstone.impact.verification import Look
    from skipstone.run.budget import Budget
    from skipstone.run.directory import RunDirectory


@dataclass(frozen=True)
class Measurement:
    """The measuring of one run, kept in the run's directory; what cannot be measured never stops a run.

    ``instances`` is how many are probed at most, ``waves`` the hosts as the plan takes them, the sample's
    first: where there are more instances, those of these hosts are chosen.
    """

    directory: "RunDirectory"
    inventory: "Inventory"
    console: "Console"
    budgets: "tuple[Budget, ...]" = ()
    tcp_port: int | None = None
    instances: int | None = None
    waves: tuple[tuple[str, ...], ...] = ()

    @contextmanager
    def probing(self, cloud: "Cloud | None") -> Iterator[None]:
        """Probe meanwhile, in another process, which outlives us where we are killed.

        ``cloud`` is None where the run goes on: the probes are then those of its beginning.
        """
        from skipstone.impact.process import start_probes, stop_probes
        from skipstone.impact.spec import INSTANCES, ProbeSpec, build_spec
        from skipstone.impact.versions import VERSIONS_BEFORE

        written = self.directory.impact / "spec.json"
        if cloud is None and not written.exists():
            yield
            return
        if cloud is not None:
            self.look("before.json")
            self.keep_versions(cloud, VERSIONS_BEFORE)
            spec = build_spec(
                cloud,
                self.inventory,
                instances=INSTANCES if self.instances is None else self.instances,
                waves=self.waves,
                tcp_port=self.tcp_port,
            )
            expect_measured(self.budgets, spec)
        else:
            spec = ProbeSpec.model_validate_json(written.read_text())
            expect_measured(self.budgets, spec)
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

    def keep_versions(self, cloud: "Cloud", name: str) -> None:
        """Keep the versions that a discovered cloud has under ``name``; say so where that fails."""
        from skipstone.impact.versions import save_versions, versions_of

        try:
            save_versions(versions_of(cloud), self.directory.path / name)
        except SkipstoneError as error:
            self.console.print(f"[yellow]versions not kept:[/] {error}; {error.evidence}")

    def look_after(self, discover: "Callable[[Inventory], Cloud]") -> None:
        """Look at the cloud from outside and at its hosts, once the run is done; say so where it fails."""
        from skipstone.apart import apart
        from skipstone.impact.versions import VERSIONS_AFTER, VERSIONS_BEFORE

        self.look("after.json")
        if not (self.directory.path / VERSIONS_BEFORE).exists():
            return
        try:
            self.keep_versions(apart(discover, self.inventory), VERSIONS_AFTER)
        except SkipstoneError as error:
            self.console.print(f"[yellow]versions after it are not known:[/] {error}; {error.remedy}")

    def restart(self) -> None:
        """Start the probes again with what they were to ask at first; harmless where they run."""
        from skipstone.impact.process import start_probes
        from skipstone.impact.spec import ProbeSpec

        written = (self.directory.impact / "spec.json").read_text()
        start_probes(ProbeSpec.model_validate_json(written), self.directory.impact)

    async def figures(self) -> list[str]:
        """Return what users have felt so far, for whoever decides at a gate."""
        try:
            return await asyncio.to_thread(self._figures)
        except SkipstoneError as error:
            return [f"what users have felt is not known: {error}"]

    def _figures(self) -> list[str]:
        from skipstone.cli.guarding import Guard
        from skipstone.impact.spending import spend
        from skipstone.views.felt import felt_lines, spent_lines

        felt = Guard.of(self.directory).look()
        return [*felt_lines(felt), *spent_lines(spend(felt, self.budgets))]

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


def expect_measured(budgets: "Iterable[Budget]", spec: "ProbeSpec") -> None:
    """Raise InputError where a budget is of what is not probed: it would never break."""
    services = {api.service for api in spec.apis}
    instances = {name for one in spec.instances for name in (one.id, one.name)}
    for budget in budgets:
        known = services if budget.measure in {Measure.API_READS, Measure.API_WRITES} else instances
        if budget.subject and budget.subject not in known:
            raise InputError(
                f"the budget {budget.name} is of what is not probed; nothing was begun",
                remedy=f"probed are: {', '.join(sorted(known)[:20]) or 'none'}; --instances N probes more",
            )


def look_from_outside(inventory: "Inventory") -> "Look":
    """Return what a cloud shows from outside; raise SkipstoneError where nothing can be asked."""
    from skipstone.catalog import load_catalog
    from skipstone.impact.credentials import CloudAccess
    from skipstone.impact.look import take_look

    access = CloudAccess.load(inventory.cloud, inventory.clouds_file)
    return asyncio.run(take_look(inventory.name, access, load_catalog()))
