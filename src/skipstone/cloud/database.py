"""Database servers: which databases belong to which service, and what a server's script answered."""

import re
from collections.abc import Iterable, Iterator
from configparser import Error, RawConfigParser
from contextlib import suppress
from typing import Any

from pydantic import JsonValue

from skipstone.catalog import Catalog
from skipstone.catalog.service import Service, ServiceDatabase
from skipstone.cloud.answer import Facts
from skipstone.cloud.model import Database, DatabaseServer, Host, Table

VARIABLES = (
    *("version", "version_comment", "datadir", "tmpdir", "sql_mode", "read_only", "lower_case_table_names"),
    *("character_set_server", "collation_server", "character_set_collations", "max_connections"),
    *("innodb_buffer_pool_size", "innodb_file_per_table", "innodb_strict_mode", "innodb_default_row_format"),
    *("log_bin", "binlog_format", "log_bin_trust_function_creators", "wsrep_on", "wsrep_cluster_name"),
)
"""Settings that decide how a schema migrates, or how a server is upgraded."""

EXACT_BELOW = 2_000_000
"""Rows, by the server's estimate, up to which a table is counted; above that a count takes its seconds."""

STATEMENT_SECONDS = 20


_CONNECTION = re.compile(r"^\s*connection\s*[=:]", re.MULTILINE)
"""What every database's URL stands behind: the files of thousands of computes need not be parsed."""


def databases_of(catalog: Catalog, hosts: Iterable[Host]) -> dict[str, str]:
    """Return what the services' databases are called here -> the catalog's name for each.

    The configuration of any host says it (``[database] connection``): the computes' says nothing. Every name
    that is said counts, and where none is, the catalog's is tried: the server knows which it has. Databases
    whose URL is kept elsewhere (nova's cells) are found by the server's script.
    """
    texts = {
        (file.path, file.text)
        for host in hosts
        for file in host.config_files
        if file.text and _CONNECTION.search(file.text)
    }
    found: dict[str, str] = {}
    for service in catalog.services:
        parsers = [_parsed(text) for path, text in sorted(texts) if service.reads(path)]
        for database in service.databases:
            if database.connection:
                names = [name for parser in parsers if (name := _configured(parser, database.connection))]
                for name in names or [database.name]:
                    found.setdefault(name, database.name)
    return found


def _parsed(text: str) -> RawConfigParser:
    """Return what is in a configuration file, as far as it can be read."""
    parser = RawConfigParser(strict=False, default_section="", allow_no_value=True)
    with suppress(Error):
        parser.read_string(text)
    return parser


def _configured(parser: RawConfigParser, connection: str) -> str | None:
    section, _, option = connection.partition("/")
    url = parser.get(section, option, fallback=None)
    match = re.search(r"://[^/]*/([^/?\s]+)", url or "")
    return match[1] if match else None


def argument(catalog: Catalog, databases: dict[str, str]) -> JsonValue:
    """Return the argument of ``scripts/database.py``."""
    return {
        "databases": dict(databases),
        "conditions": {
            database.name: _questions(service, database)
            for service in catalog.services
            for database in service.databases
        },
        "variables": list(VARIABLES),
        "exact_below": EXACT_BELOW,
        "seconds": STATEMENT_SECONDS,
    }


def _questions(service: Service, database: ServiceDatabase) -> dict[str, JsonValue]:
    """Return blocker -> query of those that concern a database's schema: cell0's is nova's."""
    schemas = {known.name: known.schema_ for known in service.databases}
    return {
        blocker.id: blocker.query
        for blocker in service.blockers
        if blocker.query and schemas[blocker.database] == database.schema_
    }


def read_server(host: str, facts: Facts) -> DatabaseServer:
    """Return the server of a host; ``facts`` must have its version."""
    return DatabaseServer(
        host=host,
        version=facts["version"],
        datadir_size=facts.get("datadir_size", 0),
        variables=dict(sorted(facts.get("variables", {}).items())),
        conditions=dict(sorted(facts["conditions"].items())),
    )


def read_databases(catalog: Catalog, facts: Facts) -> Iterator[Database]:
    """Yield the services' databases that a server has, in the catalog's order."""
    found: dict[str, dict[str, Any]] = facts.get("databases", {})
    for service in catalog.services:
        for known in service.databases:
            for name, item in sorted(found.items()):
                if item["known_as"] == known.name:
                    yield Database(
                        name=name,
                        service=service.name,
                        known_as=known.name,
                        heads=tuple(item.get("heads", ())),
                        size=item["size"],
                        charset=item["charset"],
                        collation=item["collation"],
                        tables=tuple(_table(table) for _, table in sorted(item["tables"].items())),
                    )


def _table(item: dict[str, Any]) -> Table:
    return Table(
        name=item["name"], rows=item["rows"], exact=item["exact"], soft_deleted=item.get("soft_deleted")
    )
