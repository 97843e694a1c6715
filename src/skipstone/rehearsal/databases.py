"""Whose the loaded databases are, and at which release: told by their tables, whatever they are called."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from skipstone.catalog import Catalog, Release
from skipstone.errors import InputError
from skipstone.rehearsal.server import PrivateServer

CELL0 = "00000000-0000-0000-0000-000000000000"
API, MAIN, FIRST = "nova_api", "nova", "nova_cell0"
"""Nova's databases, as the catalog calls them: the API's, those of cells, and that of cell0."""

NO_BROKER = "none:///"


@dataclass(frozen=True)
class LoadedDatabase:
    """One database of the rehearsal: its name there, whose it is, and the heads it was found at.

    ``known_as`` is the catalog's name; several cells of nova have the same.
    """

    name: str
    service: str
    known_as: str
    heads: tuple[str, ...]


def identify(
    server: PrivateServer, catalog: Catalog, tables: dict[str, list[str]]
) -> tuple[tuple[LoadedDatabase, ...], tuple[str, ...]]:
    """Return the services' databases in the catalog's order, and the names of those that are nobody's.

    ``tables`` are those of each loaded database. Raise InputError where two databases are the same service's.
    """
    whose = {name: _whose(catalog, set(found)) for name, found in tables.items()}
    named = {name: known for name, known in whose.items() if known is not None}
    named |= _cells(server, named)
    _expect_one_each(named)
    order = [database.name for service in catalog.services for database in service.databases]
    found = [
        LoadedDatabase(name, _service(catalog, known), known, heads(server, name, tables[name]))
        for name, known in sorted(named.items(), key=lambda item: (order.index(item[1]), item[0]))
    ]
    return tuple(found), tuple(sorted(set(tables) - set(named)))


def release_of(catalog: Catalog, databases: Iterable[LoadedDatabase]) -> tuple[Release, ...]:
    """Return the releases whose schemas all these databases have, the newest last; empty where none has."""
    possible = [set(catalog.releases_at(schema_of(catalog, one.known_as), one.heads)) for one in databases]
    return tuple(sorted(set[Release].intersection(*possible))) if possible else ()


def schema_of(catalog: Catalog, known_as: str) -> str:
    """Return the key of a database's heads in the release files."""
    return next(
        database.schema_
        for service in catalog.services
        for database in service.databases
        if database.name == known_as
    )


def heads(server: PrivateServer, name: str, tables: Iterable[str]) -> tuple[str, ...]:
    """Return alembic's revisions, or sqlalchemy-migrate's numbers where there are none."""
    tables, found = list(tables), set[str]()
    if "alembic_version" in tables:  # alembic_version_fwaas and its like are of other projects
        found = {row[0] for row in server.query(f"SELECT version_num FROM `{name}`.alembic_version")}
    if not found and "migrate_version" in tables:
        rows = server.query(f"SELECT version FROM `{name}`.migrate_version")
        found = {f"migrate:{row[0]}" for row in rows}
    return tuple(sorted(found))


def tables_of(server: PrivateServer, database: str) -> list[str]:
    """Return a database's tables, in order."""
    asked = (
        "SELECT table_name FROM information_schema.tables"
        f" WHERE table_schema = '{database}' AND table_type = 'BASE TABLE' ORDER BY 1"
    )
    return [row[0] for row in server.query(asked)]


def redirect_cells(server: PrivateServer, databases: Iterable[LoadedDatabase]) -> None:
    """Let nova's cells lead to the rehearsal's own databases, and to no broker.

    ``nova-manage db sync`` follows these addresses, which are production's. Raise InputError where the
    database of a cell is not here, or two have the same name.
    """
    here = {one.name for one in databases}
    for one in databases:
        if one.known_as != API:
            continue
        cells = _cell_rows(server, one.name, [each.name for each in databases if each.known_as == MAIN])
        _expect_own_names(one.name, cells)
        for uuid, _, name in cells:
            if name not in here:
                raise InputError(
                    f"the database of a cell of nova is not among the dumps: {name}",
                    where=f"{one.name}.cell_mappings",
                    evidence=f"cell {uuid}",
                    remedy="dump that database too",
                )
            server.query(
                f"UPDATE `{one.name}`.cell_mappings SET transport_url = '{NO_BROKER}',"
                f" database_connection = '{server.url(name)}' WHERE uuid = '{uuid}'"
            )


def _whose(catalog: Catalog, tables: set[str]) -> str | None:
    """Return the catalog's name of a database; nova's, which held placement's tables once, win."""
    fitting = [
        database.name
        for service in catalog.services
        for database in service.databases
        if set(database.known_by) <= tables and database.name != FIRST
    ]
    return fitting[-1] if fitting else None


def _service(catalog: Catalog, known_as: str) -> str:
    return next(s.name for s in catalog.services for database in s.databases if database.name == known_as)


def _cells(server: PrivateServer, named: dict[str, str]) -> dict[str, str]:
    """Return which of nova's main databases is cell0's; by its name where no mapping tells."""
    mains = [name for name, known in named.items() if known == MAIN]
    apis = [name for name, known in named.items() if known == API]
    firsts = {name for api in apis for uuid, _, name in _cell_rows(server, api, ()) if uuid == CELL0}
    firsts = (firsts & set(mains)) or {name for name in mains if name.endswith("cell0")}
    return dict.fromkeys(firsts, FIRST)


def _cell_rows(server: PrivateServer, api: str, mains: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return the cells' uuids, and their databases' servers and names.

    A template's own path means the one of ``mains`` that no other cell names, if there is one.
    """
    query = f"SELECT uuid, SUBSTRING_INDEX(database_connection, '?', 1) FROM `{api}`.cell_mappings"
    rows = [(uuid, *url.rpartition("/")[::2]) for uuid, url in server.query(query)]
    named = {name for _, _, name in rows}
    main = min(mains, key=named.__contains__, default="")
    return [(uuid, _place(rest), main if name == "{path}" else name) for uuid, rest, name in rows]


def _expect_own_names(api: str, cells: Iterable[tuple[str, str, str]]) -> None:
    """Raise InputError where databases of two servers have the same name: only one of them can be here."""
    places = dict[str, str]()
    for uuid, place, name in cells:
        if places.setdefault(name, place) != place:
            raise InputError(
                f"two cells of nova have databases of the same name on different servers: {name}",
                where=f"{api}.cell_mappings",
                evidence=f"{places[name]}/{name}; of cell {uuid}: {place}/{name}",
                remedy=f"rehearse dumps: let that cell's database_connection in the dump of {api} end in"
                f" {place}/{name}_2, and dump its database without --databases into {name}_2.sql",
            )


def _place(url: str) -> str:
    """Return the host and port of a URL, without the port that is every MariaDB's."""
    return url.rpartition("@")[2].rpartition("/")[2].lower().removesuffix(":3306")


def _expect_one_each(named: dict[str, str]) -> None:
    for name, known in named.items():
        others = [other for other, same in named.items() if same == known and other != name]
        if others and known != MAIN:
            raise InputError(
                f"two databases are those of {known}",
                where=name,
                evidence=others[0],
                remedy="leave the dump of the one that is meant; the other is not touched by an upgrade",
            )
