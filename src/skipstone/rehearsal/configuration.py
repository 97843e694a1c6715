"""Configuration with which a release's commands work on the rehearsal's databases, and on nothing else."""

from collections.abc import Iterable
from pathlib import Path

from skipstone.catalog import Service
from skipstone.rehearsal.databases import LoadedDatabase
from skipstone.rehearsal.server import PrivateServer

NO_BROKER = "fake:///"


def write_configuration(
    server: PrivateServer, service: Service, databases: Iterable[LoadedDatabase], directory: Path
) -> Path:
    """Write a service's file into a directory of its own, and return it; the options are older than Ocata."""
    directory.mkdir(parents=True, exist_ok=True)
    names = {one.known_as: one.name for one in databases}
    sections = {"DEFAULT": [f"transport_url = {NO_BROKER}", f"state_path = {directory}"]}
    sections["oslo_concurrency"] = [f"lock_path = {directory}"]
    for database in service.databases:
        if database.connection is not None and database.name in names:
            section, _, option = database.connection.partition("/")
            # a % is interpolation to some of the readers
            url = server.url(names[database.name]).replace("%", "%%")
            sections.setdefault(section, []).append(f"{option} = {url}")
    text = "\n\n".join("\n".join([f"[{name}]", *lines]) for name, lines in sections.items())
    path = directory / f"{service.name}.conf"
    path.write_text(text + "\n")
    return path
