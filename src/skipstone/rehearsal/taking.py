"""Databases that are made of another's tables: what a recipe of the catalog takes over, on the copies."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from skipstone.catalog import Catalog, Release
from skipstone.catalog.service import Recipe, Service, TakenTables
from skipstone.errors import SkipstoneError
from skipstone.rehearsal.databases import LoadedDatabase, tables_of
from skipstone.rehearsal.server import PrivateServer


@dataclass(frozen=True)
class Taking:
    """A database that was made of tables of ``origin``, as a recipe says."""

    recipe: Recipe
    database: LoadedDatabase
    origin: str
    tables: tuple[str, ...]


def take_over(
    server: PrivateServer,
    catalog: Catalog,
    databases: tuple[LoadedDatabase, ...],
    source: Release,
    target: Release,
) -> tuple[tuple[Taking, ...], tuple[LoadedDatabase, ...]]:
    """Make the databases of services that have none, where a recipe takes their tables from another's.

    Return what was taken, and all databases that there are now. The origin stays as it is. Raise
    SkipstoneError where the server refuses.
    """
    absent = [one for one in catalog.services if not any(own.service == one.name for own in databases)]
    takings = tuple(
        taking
        for service in absent
        for recipe in service.recipes
        if recipe.takes and recipe.takes.since <= source and recipe.lies_between(source, target)
        for taking in _take(server, service, recipe, recipe.takes, databases)
    )
    return takings, (*databases, *(one.database for one in takings))


def _take(
    server: PrivateServer,
    service: Service,
    recipe: Recipe,
    takes: TakenTables,
    databases: tuple[LoadedDatabase, ...],
) -> Iterator[Taking]:
    for one in databases:
        here = tables_of(server, one.name) if one.known_as == takes.database else []
        if (
            takes.known_by not in here
            or server.query(f"SELECT 1 FROM `{one.name}`.`{takes.known_by}` LIMIT 1") == []
        ):
            continue
        tables = tuple(table for table in takes.tables if table in here)
        made = service.databases[0]
        _copy(server, one.name, tables, made.name)
        yield Taking(recipe, LoadedDatabase(made.name, service.name, made.name, ()), one.name, tables)


def _copy(server: PrivateServer, origin: str, tables: tuple[str, ...], name: str) -> None:
    """Copy tables as their own script does: with their keys, by the client's dump."""
    # an empty one may be among the dumps: made for the extraction that did not come
    server.query(f"CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb3")
    dumping = ("mariadb-dump", *server.client()[1:], "--single-transaction", origin, *tables)
    with subprocess.Popen(dumping, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as dump:
        done = subprocess.run(server.client(name), stdin=dump.stdout, capture_output=True, check=False)
        said = dump.stderr.read() if dump.stderr else b""
    if dump.returncode or done.returncode:
        raise SkipstoneError(
            f"the tables of {name} could not be copied out of {origin}",
            where=", ".join(tables),
            evidence=(said + done.stderr).decode(errors="replace")[-600:].strip(),
        )
