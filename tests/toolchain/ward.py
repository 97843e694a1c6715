"""One service's databases, made by a real release's commands, to be made ill and carried on."""

import subprocess
from collections.abc import Sequence

from skipstone.catalog import load_catalog
from skipstone.catalog.service import Purpose
from skipstone.rehearsal.configuration import write_configurations
from skipstone.rehearsal.databases import LoadedDatabase, heads, tables_of
from skipstone.rehearsal.guards import Guards
from skipstone.rehearsal.server import PrivateServer
from skipstone.settings import load_settings
from skipstone.toolchain.building import build
from skipstone.toolchain.toolchain import Toolchain

SECONDS = 900


class Ward:
    """The databases of a service that has one; every command runs with the code of a release."""

    def __init__(self, server: PrivateServer, service: str) -> None:
        self.server = server
        self.service = load_catalog().service(service)
        self.name = self.service.databases[0].name
        self.databases = (LoadedDatabase(self.name, service, self.name, ()),)
        self.guards = Guards(server, load_catalog(), self.databases)
        self.home = server.directory / "services" / service
        (self.configuration,) = write_configurations(server, self.service, self.databases, self.home)
        server.query(
            f"DROP DATABASE IF EXISTS {self.name};"
            f"CREATE DATABASE {self.name} CHARACTER SET utf8mb3 COLLATE utf8mb3_general_ci"
        )

    def lines(self, release: str, purpose: Purpose = Purpose.SYNC) -> list[tuple[str, ...]]:
        """Return the command lines of a release for a purpose."""
        found = self.service.invocations(purpose, load_catalog().release(release))
        return [line.argv([str(self.configuration)]) for line in found]

    def run(self, release: str, line: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run one command line with a release's code."""
        program = toolchain(release).command(self.service.name, tuple(line))
        return subprocess.run(
            program.argv,
            env={"HOME": str(self.home), "LC_ALL": "C.UTF-8", **program.environment},
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def sync(self, release: str) -> subprocess.CompletedProcess[str]:
        """Carry the schema to a release, up to the first command that fails."""
        for line in self.lines(release):
            done = self.run(release, line)
            if done.returncode:
                break
        return done

    def heads(self) -> tuple[str, ...]:
        """Return where the schema stands."""
        return heads(self.server, self.name, tables_of(self.server, self.name))

    def found(self, blocker: str) -> tuple[int, int]:
        """Return the rows that a blocker's guard finds before a stop, and after it."""
        asked = [one for one in self.service.blockers if one.id == blocker]
        before, after = self.guards.before(asked), self.guards.after(asked)
        return sum(trouble.rows for trouble in before), sum(trouble.rows for trouble in after)

    def mend(self, blocker: str) -> int:
        """Mend what a blocker's guard finds; return the rows that still offend."""
        asked = [one for one in self.service.blockers if one.id == blocker]
        left = self.guards.mend(self.guards.before(asked))
        return sum(trouble.rows for trouble in left if not trouble.mended)

    def query(self, statement: str) -> list[tuple[str, ...]]:
        """Ask the service's database."""
        return self.server.query(f"USE {self.name}; {statement}")


def toolchain(release: str) -> Toolchain:
    """Return a release's commands."""
    return build(load_catalog().release(release), load_settings())
