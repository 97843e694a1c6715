"""What the source's databases hold of what users see, read before anything is carried."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from skipstone.catalog.serving import Resource
from skipstone.errors import SkipstoneError
from skipstone.rehearsal.databases import LoadedDatabase
from skipstone.rehearsal.server import PrivateServer, absence

ROWS_AT_MOST = 10_000
"""Rows of a kind that are compared: the first by their key."""

Key = tuple[str, ...]
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Held:
    """The rows of one kind; ``total`` counts those that are not read, too.

    ``left_out`` are fields that the old schema has not, and why; ``unread`` is why there are no rows at all.
    """

    resource: Resource
    rows: Mapping[Key, Row] = field(default_factory=dict)
    total: int = 0
    left_out: Mapping[str, str] = field(default_factory=dict)
    unread: str = ""


def key_of(resource: Resource, row: Row) -> Key:
    """Return what tells a row from the others of its kind."""
    return tuple(str(normal(row[name])) for name in resource.key)


def normal(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Return a value as databases and APIs both have it: without booleans, and lists without an order."""
    if isinstance(value, list):
        return sorted(map(str, value)) or None
    return int(value) if isinstance(value, bool) else value


def read(
    server: PrivateServer, databases: Iterable[LoadedDatabase], resource: Resource, limit: int = ROWS_AT_MOST
) -> Held:
    """Read one kind out of the databases that hold it."""
    fields, left_out = dict(resource.fields), dict[str, str]()
    names = [one.name for one in databases if one.known_as in resource.databases]
    while True:
        try:
            total = sum(_count(server, name, resource) for name in names)
            found = [row for name in names for row in _rows(server, name, resource, fields, limit)]
        except SkipstoneError as error:
            missing = _missing(error, fields)
            if not missing or set(missing) & set(resource.key):
                return Held(resource, unread=_reason(error))
            left_out |= dict.fromkeys(missing, _reason(error))
            fields = {name: sql for name, sql in fields.items() if name not in missing}
        else:
            rows = dict(sorted((key_of(resource, row), row) for row in found)[:limit])
            return Held(resource, rows, total, left_out)


def _count(server: PrivateServer, database: str, resource: Resource) -> int:
    return int(server.query(f"USE `{database}`; SELECT COUNT(*) FROM {resource.rows}")[0][0])


def _rows(
    server: PrivateServer, database: str, resource: Resource, fields: Mapping[str, str], limit: int
) -> list[Row]:
    pairs = ", ".join(f"'{name}', {sql}" for name, sql in fields.items())
    order = ", ".join(fields[name] for name in resource.key)
    asked = f"SELECT JSON_OBJECT({pairs}) FROM {resource.rows} ORDER BY {order} LIMIT {limit}"
    return [json.loads(row[0]) for row in server.query(f"USE `{database}`; {asked}")]


def _missing(error: SkipstoneError, fields: Mapping[str, str]) -> list[str]:
    """Return the fields that need a column which the schema has not."""
    column = re.search(r"ERROR 1054 .*Unknown column '([^']+)'", error.evidence)
    if column is None:
        return []
    whole = re.compile(rf"(?<![\w.]){re.escape(column[1])}(?!\w)")
    return [name for name, sql in fields.items() if whole.search(sql)]


def _reason(error: SkipstoneError) -> str:
    """Return what the server says, without its number and place; raise what is no old schema's fault."""
    said = absence(error)
    if said is None:
        raise error
    return said
