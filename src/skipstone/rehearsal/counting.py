"""Rows and bytes of the rehearsal's databases, before and after."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from skipstone.rehearsal.databases import LoadedDatabase, tables_of
from skipstone.rehearsal.server import PrivateServer


@dataclass(frozen=True)
class Counted:
    """One database: the rows of each table, and the bytes of all, as the server estimates them."""

    rows: Mapping[str, int]
    size: int


def count(server: PrivateServer, databases: Iterable[LoadedDatabase]) -> dict[str, Counted]:
    """Count the rows of every table, exactly: database -> what it holds."""
    return {one.name: Counted(_rows(server, one.name), _size(server, one.name)) for one in databases}


def _rows(server: PrivateServer, database: str) -> dict[str, int]:
    counts = [
        f"SELECT '{table}', COUNT(*) FROM `{database}`.`{table}`" for table in tables_of(server, database)
    ]
    return {table: int(rows) for table, rows in server.query(";\n".join(counts))}


def _size(server: PrivateServer, database: str) -> int:
    asked = (
        "SELECT IFNULL(SUM(data_length + index_length), 0) FROM information_schema.tables"
        f" WHERE table_schema = '{database}'"
    )
    return int(server.query(asked)[0][0])
