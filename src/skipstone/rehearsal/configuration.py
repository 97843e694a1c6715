"""Configuration with which a release's commands work on the rehearsal's databases, and on nothing else."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from skipstone.catalog import Service
from skipstone.rehearsal.databases import LoadedDatabase
from skipstone.rehearsal.server import PrivateServer

NO_BROKER = "fake:///"


def write_configurations(
    server: PrivateServer,
    service: Service,
    databases: Iterable[LoadedDatabase],
    directory: Path,
    options: Mapping[str, str] | None = None,
) -> tuple[Path, ...]:
    """Write a service's files into a directory of its own, and return them.

    One is enough but for a nova of several cells: its commands see the cell that their configuration names,
    so each cell has one of its own. The options are older than Ocata; ``options`` adds to them, by
    ``section/option``.
    """
    directory.mkdir(parents=True, exist_ok=True)
    return tuple(
        _write(server, service, names, _place(service, directory, number), options or {})
        for number, names in enumerate(_combinations(tuple(databases)))
    )


def _combinations(databases: tuple[LoadedDatabase, ...]) -> Iterator[dict[str, str]]:
    """Yield the catalog's names of databases and their own names, once for each cell."""
    names = {one.known_as: one.name for one in reversed(databases)}
    yield names
    for one in databases:
        if one.name != names[one.known_as]:
            yield names | {one.known_as: one.name}


def _place(service: Service, directory: Path, number: int) -> Path:
    name = Path(service.config_files[0])
    return directory / (f"{name.stem}-{number}.conf" if number else name.name)


def _write(
    server: PrivateServer, service: Service, names: dict[str, str], path: Path, options: Mapping[str, str]
) -> Path:
    sections = {"DEFAULT": [f"transport_url = {NO_BROKER}", f"state_path = {path.parent}"]}
    sections["oslo_concurrency"] = [f"lock_path = {path.parent}"]
    for database in service.databases:
        if database.connection is not None and database.name in names:
            section, _, option = database.connection.partition("/")
            # a % is interpolation to some of the readers
            url = server.url(names[database.name]).replace("%", "%%")
            sections.setdefault(section, []).append(f"{option} = {url}")
    for place, value in options.items():
        section, _, option = place.partition("/")
        sections.setdefault(section, []).append(f"{option} = {value}")
    text = "\n\n".join("\n".join([f"[{name}]", *lines]) for name, lines in sections.items())
    path.touch(mode=0o600)
    path.write_text(text + "\n")
    return path
