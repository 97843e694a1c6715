"""Every database of a release, made from nothing by its own commands on a real server."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from skipstone.catalog import load_catalog
from skipstone.catalog.service import Purpose, Service, ServiceDatabase
from skipstone.toolchain.toolchain import Toolchain
from tests.toolchain.mariadb import MariaDb

SECONDS = 900


class Synced:
    """The databases of one release; ``directory`` is for the services' configuration."""

    def __init__(self, toolchain: Toolchain, server: MariaDb, directory: Path) -> None:
        self.toolchain = toolchain
        self.server = server
        self.directory = directory

    def services(self) -> Iterator[Service]:
        """Yield the services that the toolchain has."""
        for service in load_catalog().services:
            if self.toolchain.version(service.name):
                yield service

    def sync(self, service: Service) -> None:
        """Create a service's databases and let its commands fill them, as the catalog writes them."""
        for database in service.databases:
            self.create(database.name)
        config = self._configure(service)
        lines = [
            line.argv([str(config)]) for line in service.invocations(Purpose.SYNC, self.toolchain.release)
        ]
        if service.name == "nova":
            cell0 = ("cell_v2", "map_cell0", "--database_connection", self.server.url("nova_cell0"))
            lines.insert(1, ("nova-manage", "--config-file", str(config), *cell0))
        for line in lines:
            self._run(service.name, line)

    def create(self, database: str) -> None:
        """Create an empty database, as installation guides of these years tell it."""
        self.server.rows(f"CREATE DATABASE {database} CHARACTER SET utf8mb3")

    def differences(self) -> list[str]:
        """Return where the heads in the databases are not those of the catalog."""
        return [
            text
            for service in self.services()
            for database in service.databases
            for text in self._difference(service.name, database)
        ]

    def _difference(self, service: str, database: ServiceDatabase) -> Iterator[str]:
        schema = self.toolchain.release.services[service].schema_
        found = self.server.heads(database.name)
        if not schema.is_head(database.schema_, tuple(found)):
            yield f"{database.name}: {sorted(found)}, in the catalog {schema.heads[database.schema_]}"

    def _configure(self, service: Service) -> Path:
        text = "[DEFAULT]\ntransport_url = rabbit://\nlog_file =\n"
        for database in service.databases:
            if database.connection:
                section, option = database.connection.split("/")
                text += f"[{section}]\n{option} = {self.server.url(database.name)}\n"
        path = self.directory / f"{service.name}.conf"
        path.write_text(text)
        return path

    def _run(self, service: str, line: tuple[str, ...]) -> None:
        program = self.toolchain.command(service, line, directories=[self.directory])
        self._finish(program.argv, program.environment)

    def _finish(self, argv: tuple[str, ...], environment: Mapping[str, str]) -> None:
        done = subprocess.run(
            argv,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(argv)}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
