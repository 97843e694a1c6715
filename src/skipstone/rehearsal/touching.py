"""Which tables a command has worked on: rows that it read and wrote, and tables that it built anew.

From the server's own counters, which cost nothing to ask: ``userstat`` counts rows, and a table or an index
that InnoDB builds anew has another number.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from skipstone.rehearsal.server import PrivateServer

KEPT = 5
"""Tables of a command that are told: those with most work."""

_VERSIONS = ("alembic_version", "migrate_version")


@dataclass(frozen=True)
class Mark:
    """How far a table's counters are; ``shape`` changes with its columns and indexes."""

    read: int = 0
    written: int = 0
    shape: str = ""


@dataclass(frozen=True)
class Touched:
    """What a command did to one table (``nova.instances``)."""

    table: str
    read: int
    written: int
    altered: bool


Marks = Mapping[str, Mark]


def marks(server: PrivateServer, databases: Iterable[str]) -> Marks:
    """Return how far the counters of some databases' tables are."""
    names = ",".join(f"'{name}'" for name in databases)
    shapes = server.query(
        "SELECT REPLACE(t.name, '/', '.'), CONCAT_WS(' ', t.table_id, t.n_cols, COUNT(*), MAX(i.index_id))"
        " FROM information_schema.innodb_sys_tables t JOIN information_schema.innodb_sys_indexes i"
        f" USING (table_id) WHERE SUBSTRING_INDEX(t.name, '/', 1) IN ({names}) GROUP BY 1;"
    )
    rows = server.query(
        "SELECT CONCAT(table_schema, '.', table_name), rows_read, rows_changed"
        f" FROM information_schema.table_statistics WHERE table_schema IN ({names})"
    )
    counted = {table: (int(read), int(written)) for table, read, written in rows}
    return {table: Mark(*counted.get(table, (0, 0)), shape) for table, shape in shapes}


def touched(before: Marks, after: Marks) -> tuple[Touched, ...]:
    """Return the tables that were worked on in between, most work first."""
    found = []
    for table, now in after.items():
        then = before.get(table, Mark())
        one = Touched(table, now.read - then.read, now.written - then.written, now.shape != then.shape)
        if (one.read or one.written or one.altered) and not table.endswith(_VERSIONS):
            found.append(one)
    found.sort(key=lambda one: (-one.read - one.written, not one.altered, one.table))
    return tuple(found[:KEPT])
