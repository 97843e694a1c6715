"""Databases with years of content: made by a release's own commands, filled by its own code.

``content/fill_SERVICE.py`` is run by the release's Python; it does the same in every release, but
where the release's own code asks for something else.
"""

import grp
import os
import pwd
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from skipstone.catalog.service import Service
from tests.toolchain.synced import Synced

CONTENT = Path(__file__).with_name("content")
CELLS = {"cell1": "nova", "cell2": "nova_cell2"}
"""Nova's cells, and their databases."""

KEYS = """
[fernet_tokens]
key_repository = {0}/fernet
[fernet_receipts]
key_repository = {0}/fernet
"""
PREPARED = (
    "keystone-manage {config} fernet_setup {owner}",
    "keystone-manage {config} bootstrap --bootstrap-password secret",
)
"""What an installation guide tells to do after keystone's sync."""

UNTYPED_UNTIL = "2019.1"
"""The last release, Stein, in which a volume need not have a type."""


class Seeded(Synced):
    """The databases of one release, with content."""

    def seed(self) -> None:
        """Make and fill every database; raise AssertionError with the output where the release refuses."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(self._seed, self.services()))

    def dump(self, directory: Path) -> None:
        """Write a dump of each database into a directory."""
        for (name,) in self.server.rows("SHOW DATABASES"):
            if name not in {"information_schema", "mysql", "performance_schema", "sys"}:
                with (directory / f"{name}.sql").open("wb") as output:
                    argv = self._program("mariadb-dump", "--single-transaction", "--databases", name)
                    subprocess.run(argv, check=True, stdout=output)

    def _seed(self, service: Service) -> None:
        self.sync(service)
        config = self.directory / f"{service.name}.conf"
        more: tuple[str, ...] = ()
        if service.name == "keystone":
            self._prepare(config)
        elif service.name == "nova":
            self._make_cells(config)
            more = tuple(CELLS)
        elif service.name == "cinder" and self.toolchain.release.version <= UNTYPED_UNTIL:
            more = ("--untyped",)
        script = CONTENT / f"fill_{service.name}.py"
        program = self.toolchain.python(service.name, (str(script), str(config), *more))
        self._finish(program.argv, program.environment)

    def _prepare(self, config: Path) -> None:
        with config.open("a") as text:
            text.write(KEYS.format(self.directory))
        user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
        owner = f"--keystone-user {user} --keystone-group {group}"
        for line in PREPARED:
            words = line.format(config=f"--config-file {config}", owner=owner).split()
            self._run("keystone", tuple(words))

    def _make_cells(self, config: Path) -> None:
        """Make a second cell's database, as empty as the first's is by now, and tell the API of both."""
        for cell, database in CELLS.items():
            own = self.directory / f"nova-{cell}.conf"
            own.write_text(config.read_text().replace(self.server.url("nova"), self.server.url(database)))
            command = ("nova-manage", "--config-file", str(own))
            if database != "nova":
                self._copy("nova", database)
            address = ("--name", cell, "--transport-url", f"rabbit://{cell}.example/")
            self._run("nova", (*command, "cell_v2", "create_cell", *address))

    def _copy(self, source: str, copy: str) -> None:
        self.create(copy)
        dumped = subprocess.run(self._program("mariadb-dump", source), check=True, capture_output=True)
        subprocess.run(self._program("mariadb", copy), check=True, input=dumped.stdout)

    def _program(self, name: str, *arguments: str) -> tuple[str, ...]:
        return (name, "--no-defaults", f"--socket={self.server.socket}", "-uroot", *arguments)
