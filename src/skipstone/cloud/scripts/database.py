"""What a database server holds: version, settings, schema heads, sizes, rows, the catalog's data questions.

Asked through root's socket, in read-only transactions. Two lists that no API gives come along: the versions
of nova's services, and the heat stacks of all projects.

Argument: ``databases`` (name -> the catalog's name for it), ``conditions`` (catalog's name -> id -> SQL that
counts), ``variables``, ``exact_below`` (rows, by estimate, up to which a table is counted), ``seconds`` (for
one statement).
"""
# ruff: noqa: S608 - names are quoted by name() and literals(), queries are the catalog's

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skipstone.cloud.scripts.reading import Answer, run

if TYPE_CHECKING:
    from collections.abc import Iterable

API_DATABASE, CELL0 = "nova_api", "00000000-0000-0000-0000-000000000000"
NUMBERS = ("int", "tinyint", "smallint", "mediumint", "bigint", "bit", "decimal")
Rows = list[list[str]]


class Client:
    """The server's own command-line client, in batches."""

    def __init__(self, seconds: int) -> None:
        program = shutil.which("mariadb") or shutil.which("mysql")
        if program is None:
            raise OSError("no mariadb or mysql client is installed")
        self._command = [program, "--batch", "--raw", "--skip-column-names", "--connect-timeout=10"]
        self._before = "SET SESSION TRANSACTION READ ONLY;\n"
        self.version = self.rows("SELECT VERSION()")[0][0]
        limit = (
            f"max_statement_time={seconds}"
            if "MariaDB" in self.version
            else f"max_execution_time={seconds}000"
        )
        self._before += f"SET SESSION {limit};\n"

    def rows(self, statement: str, database: str = "", *, go_on: bool = False) -> Rows:
        """Return the rows of a statement; with ``go_on`` those of the statements that did not fail."""
        options = ["--force"] if go_on else []
        where = [f"--database={database}"] if database else []
        text = run(
            *self._command,
            *options,
            *where,
            stdin=f"{self._before}{statement};\n",
            timeout=240,
            codes=(0, 1) if go_on else (0,),
        )
        # other separators of lines are a value's own
        return [line.split("\t") for line in text.split("\n")[:-1]]


def name(text: str) -> str:
    """Return a quoted identifier."""
    return "`" + text.replace("`", "``") + "`"


def literals(texts: Iterable[str]) -> str:
    """Return quoted strings, separated by commas."""
    return ", ".join("'" + text.replace("\\", "\\\\").replace("'", "''") + "'" for text in texts)


def settings(client: Client, names: list[str]) -> dict[str, str]:
    """Return those of the server's variables that exist."""
    return {row[0]: row[1] for row in client.rows("SHOW GLOBAL VARIABLES") if row[0] in names}


def size_of(directory: str) -> int:
    """Return the bytes of all files below a directory; those that vanish meanwhile count nothing."""
    total = 0
    for parent, _, names in os.walk(directory):
        for file in names:
            try:
                total += (Path(parent) / file).lstat().st_size
            except OSError:
                continue
    return total


def with_cells(client: Client, wanted: dict[str, str]) -> dict[str, str]:
    """Return the databases with nova's cells, whose names only nova's API database knows."""
    found = dict(wanted)
    for database in [actual for actual, known_as in wanted.items() if known_as == API_DATABASE]:
        urls = (
            f"SELECT uuid, SUBSTRING_INDEX(database_connection, '?', 1) FROM {name(database)}.cell_mappings"
        )
        for uuid, url in client.rows(urls):
            found.setdefault(url.rpartition("/")[2], "nova_cell0" if uuid == CELL0 else "nova")
    return found


def present(client: Client, wanted: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Return those of the databases that this server has, with their character sets."""
    rows = client.rows(
        "SELECT schema_name, default_character_set_name, default_collation_name"
        f" FROM information_schema.schemata WHERE schema_name IN ({literals(wanted or [''])})"
    )
    return {
        row[0]: {"known_as": wanted[row[0]], "charset": row[1], "collation": row[2], "size": 0, "tables": {}}
        for row in rows
    }


def add_tables(client: Client, databases: dict[str, dict[str, Any]]) -> None:
    """Add tables, with estimated rows, and sizes."""
    where = f"table_schema IN ({literals(databases)})"
    for schema, table, rows, size in client.rows(
        "SELECT table_schema, table_name, IFNULL(table_rows, 0), IFNULL(data_length + index_length, 0)"
        f" FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND {where}"
    ):
        databases[schema]["tables"][table] = {"name": table, "rows": int(rows), "exact": False}
        databases[schema]["size"] += int(size)
    for schema, table, column, kind in client.rows(
        "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns"
        f" WHERE column_name IN ('deleted', 'deleted_at') AND {where} ORDER BY column_name DESC"
    ):
        if table in databases[schema]["tables"]:
            databases[schema]["tables"][table]["mark"] = deleted_mark(column, kind)


def deleted_mark(column: str, kind: str) -> str:
    """Return the condition under which a row is soft-deleted: 1, its own id, a word, or a time."""
    if column == "deleted_at":
        return "deleted_at IS NOT NULL"
    return "deleted <> 0" if kind in NUMBERS else "deleted NOT IN ('', '0', 'False', 'false')"


def add_heads(client: Client, database: str, found: dict[str, Any]) -> None:
    """Add the schema heads: alembic's revisions, or sqlalchemy-migrate's number where there are none."""
    heads = []
    if "alembic_version" in found["tables"]:  # alembic_version_fwaas and its like are of other projects
        heads = [row[0] for row in client.rows("SELECT version_num FROM alembic_version", database)]
    if not heads and "migrate_version" in found["tables"]:
        rows = client.rows("SELECT version FROM migrate_version", database)
        heads = [f"migrate:{row[0]}" for row in rows]
    found["heads"] = sorted(set(heads))


def add_counts(client: Client, database: str, found: dict[str, Any], exact_below: int) -> None:
    """Count the rows of every table that is not very large, and the soft-deleted ones."""
    tables = [table for table in found["tables"].values() if table["rows"] < exact_below]
    statements = [
        f"SELECT {literals([table['name']])}, COUNT(*), {deleted_rows(table)} FROM {name(table['name'])}"
        for table in tables
    ]
    for table, rows, deleted in client.rows(";\n".join(statements), database, go_on=True):
        counted = {
            "rows": int(rows),
            "exact": True,
            "soft_deleted": None if deleted == "NULL" else int(deleted),
        }
        found["tables"][table].update(counted)


def deleted_rows(table: dict[str, Any]) -> str:
    """Return the expression that counts a table's soft-deleted rows, NULL where it has none by design."""
    return f"IFNULL(SUM({table['mark']}), 0)" if "mark" in table else "NULL"


def nova_services(client: Client, database: str) -> list[dict[str, Any]]:
    """Return nova's live service rows: the API does not tell their versions."""
    rows = client.rows(
        "SELECT host, `binary`, version FROM services WHERE deleted = 0 ORDER BY 2, 1", database
    )
    return [{"host": host, "binary": binary, "version": int(version)} for host, binary, version in rows]


def heat_stacks(client: Client, database: str) -> list[dict[str, str]]:
    """Return the live stacks, nested ones apart: heat's policy lets nobody list those of all projects."""
    rows = client.rows(
        "SELECT id, name, CONCAT(action, '_', status) FROM stack"
        " WHERE deleted_at IS NULL AND owner_id IS NULL ORDER BY 2, 1",
        database,
    )
    return [{"id": identifier, "name": name, "status": status} for identifier, name, status in rows]


def with_names(query: str, names: dict[str, str]) -> str:
    """Put the names of databases here in the place of the catalog's, as in {nova_api}."""
    for actual, known_as in names.items():
        query = query.replace(f"{{{known_as}}}", name(actual))
    return query


def count(client: Client, database: str, query: str) -> int | None:
    """Return the number that a query counts; None where this schema has not what it asks about."""
    try:
        return int(client.rows(query, database)[0][0])
    except OSError as error:
        if re.search(r"ERROR (1049|1054|1146) ", str(error)):  # no such database, column, table
            return None
        raise


def ask_database(
    answer: Answer, client: Client, database: str, found: dict[str, Any], wanted: dict[str, Any]
) -> None:
    """Ask everything about one database."""
    answer.attempt(f"schema heads of {database}", lambda: add_heads(client, database, found))
    answer.attempt(f"rows of {database}", lambda: add_counts(client, database, found, wanted["exact_below"]))
    if found["known_as"] == "nova":
        services = answer.attempt(f"services of {database}", lambda: nova_services(client, database))
        answer.facts["nova_services"].extend(services or [])
    if found["known_as"] == "heat":
        answer.ask("heat_stacks", lambda: heat_stacks(client, database))
    for identifier, query in wanted["conditions"].get(found["known_as"], {}).items():
        question = functools.partial(count, client, database, with_names(query, answer.facts["names"]))
        number = answer.attempt(f"condition {identifier} in {database}", question)
        if number is not None:
            counted = answer.facts["conditions"]
            counted[identifier] = counted.get(identifier, 0) + number


def ask_server(answer: Answer, client: Client, wanted: dict[str, Any]) -> None:
    """Ask everything about a server that answers."""
    answer.facts.update(version=client.version, conditions={}, nova_services=[])
    answer.ask("variables", lambda: settings(client, wanted["variables"]))
    answer.ask("datadir_size", lambda: size_of(answer.facts["variables"]["datadir"]))
    names = answer.attempt("cells", lambda: with_cells(client, wanted["databases"])) or wanted["databases"]
    answer.facts["names"] = names
    databases = answer.ask("databases", lambda: present(client, names)) or {}
    if databases:
        answer.attempt("tables", lambda: add_tables(client, databases))
    for database, found in sorted(databases.items()):
        ask_database(answer, client, database, found, wanted)


def main(argument: str) -> None:
    """Answer everything about this server."""
    answer, wanted = Answer(), json.loads(argument)
    client = answer.attempt("whether MariaDB runs", lambda: Client(wanted["seconds"]))
    if client is not None:
        ask_server(answer, client, wanted)
    answer.write()


if __name__ == "__main__":
    main(sys.argv[1])
