"""Questions about database servers: is it one that the target can use, and will it read what it holds."""

from collections.abc import Iterator

from skipstone.catalog.service import Purpose
from skipstone.checks.check import Check, Upgrade
from skipstone.checks.configuration import options_of
from skipstone.checks.finding import Finding
from skipstone.checks.suites import SUITES
from skipstone.checks.versions import numbers
from skipstone.cloud.model import Database, DatabaseServer, Table

COLLATIONS_CHANGE = (11, 5)
"""MariaDB whose default collation for Unicode character sets becomes uca1400_ai_ci (MDEV-25829)."""

UNICODE = frozenset({"utf8", "utf8mb3", "utf8mb4"})

MANY_ROWS = 100_000
"""Soft-deleted rows of one table from which migrations that touch every row become slow."""


def is_mariadb(server: DatabaseServer) -> bool:
    """Whether the server calls itself MariaDB: ``10.11.14-MariaDB-0+deb12u2``."""
    return "mariadb" in server.version.lower()


class DatabasesAreSupported(Check):
    """The database server is MariaDB, and not newer than the one that the target's system brings.

    Packages of the operating system upgrade MariaDB with it; data files of a newer server cannot be read by
    an older one.
    Source: Debian's package lists; MariaDB does not support downgrades. May go: never.
    """

    id = "database-server-unsupported"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find servers that are no MariaDB or too new, and databases without any server."""
        suite = SUITES.get(upgrade.target.debian or "")
        if upgrade.cloud.databases and not upgrade.cloud.database_servers:
            yield self.unknown("the database server is not known", evidence="no server was asked")
        for server in upgrade.cloud.database_servers:
            if not is_mariadb(server):
                yield self.warning(
                    "the database server is not upgraded with the operating system",
                    where=server.host,
                    evidence=f"version {server.version}",
                    remedy="see that the target supports it; the plan upgrades MariaDB from Debian only",
                )
            elif suite and numbers(server.version)[:2] > numbers(suite.mariadb):
                yield self.inhibitor(
                    "the database server is newer than the one that the target's system brings",
                    where=server.host,
                    evidence=f"{server.version} runs, {upgrade.target.debian} has {suite.mariadb}",
                    remedy="keep its package source for the target's suite, or move the databases elsewhere",
                )


class DatabaseIsMySQL(Check):
    """Neutron's database is MariaDB or MySQL.

    Neutron 2025.1 dropped PostgreSQL.
    Source: neutron 26.0.0, release note drop-postgresql-support. Since: 2025.1. May go: never.
    """

    id = "database-is-postgresql"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find a database URL of neutron that names PostgreSQL."""
        if not upgrade.crosses("2025.1"):
            return
        for host, file, options in options_of(upgrade, "neutron.conf"):
            url = options.get("database", "connection") or ""
            if url.startswith("postgres"):
                yield self.inhibitor(
                    "neutron's database is PostgreSQL, which 2025.1 does not support any more",
                    where=host.name,
                    evidence=f"{file.path}: [database] connection = {url.split('://')[0]}://...",
                    remedy="move neutron's database to MariaDB before the upgrade",
                )


class MariaDBCollationsStayCompatible(Check):
    """New tables get the collation that the old ones have.

    From 11.5 on MariaDB gives new utf8 tables an uca1400 collation. Foreign keys from them to older tables
    (utf8mb3_general_ci) fail with errno 150: nova's sync stopped at ``share_mapping`` on 11.8.
    Source: the lab (Zed to 2025.1 on Debian 13), MDEV-25829. May go: when no cloud has tables older than
    MariaDB 11.5.
    """

    id = "mariadb-collations"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find servers that are or will be of 11.5 or later, over databases with older collations."""
        suite = SUITES.get(upgrade.target.debian or "")
        old = [database for database in upgrade.cloud.databases if _is_older(database)]
        for server in filter(is_mariadb, upgrade.cloud.database_servers):
            later = max(numbers(server.version), numbers(suite.mariadb) if suite else ())
            kept = server.variables.get("character_set_collations", "")
            if upgrade.moves and old and later >= COLLATIONS_CHANGE and "general_ci" not in kept:
                yield self.warning(
                    "new tables would get another collation than those they refer to",
                    where=server.host,
                    evidence=f"MariaDB {server.version} becomes {'.'.join(map(str, later))}; "
                    + ", ".join(f"{found.name} is {found.collation}" for found in old[:3]),
                    remedy="under [mysqld], before any sync on it: loose_character_set_collations = "
                    "utf8mb3=utf8mb3_general_ci,utf8mb4=utf8mb4_general_ci",
                    handled_by="prepare.collations",
                )


def _is_older(database: Database) -> bool:
    return database.charset in UNICODE and "uca1400" not in database.collation


class DatabasesAreUnicode(Check):
    """Every database of a service is in a Unicode character set by default.

    A new table that names no character set gets the database's: in latin1 its foreign keys to the old
    tables, which are utf8, fail.
    Source: the services' installation guides; MariaDB, foreign key constraints. May go: never.
    """

    id = "database-not-unicode"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find databases in latin1 and the like."""
        for database in upgrade.cloud.databases:
            if database.charset not in UNICODE:
                yield self.warning(
                    f"database {database.name} is not in a Unicode character set",
                    where=database.name,
                    evidence=f"{database.charset}, {database.collation}",
                    remedy=f"ALTER DATABASE {database.name} CHARACTER SET utf8mb3 (as its tables are)",
                )


class SoftDeletedRowsAreFew(Check):
    """No table drags a long tail of soft-deleted rows along.

    Migrations touch them all, with the APIs down.
    Source: nova and cinder upgrade guides. May go: never.
    """

    id = "soft-deleted-rows"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find tables with a hundred thousand of them and more, and large ones where nobody could count."""
        for database in upgrade.cloud.databases:
            counted = [f"{each.name} {each.soft_deleted}" for each in database.tables if _has_many(each)]
            kept = _soft_deleting(upgrade, database)
            large = [
                f"{each.name} {each.rows} rows"
                for each in database.tables
                if each.name in kept and each.soft_deleted is None and each.rows >= MANY_ROWS
            ]
            if counted or large:
                yield self.warning(
                    f"database {database.name} holds many soft-deleted rows",
                    where=database.name,
                    evidence=", ".join(counted + [f"{each}, deleted ones not counted" for each in large]),
                    remedy=_purge(upgrade, database.service),
                )


def _has_many(table: Table) -> bool:
    return table.soft_deleted is not None and table.soft_deleted >= MANY_ROWS


def _soft_deleting(upgrade: Upgrade, database: Database) -> set[str]:
    """Return the tables of a database in which, as the catalog knows, deleted rows pile up."""
    name = database.known_as or database.name
    return {
        table
        for service in upgrade.catalog.services
        for known in service.databases
        if known.name == name
        for table in known.soft_deleted
    }


def _purge(upgrade: Upgrade, service: str) -> str:
    """Return the commands of the cloud's own release that remove soft-deleted rows for good."""
    release = upgrade.source or upgrade.target
    known = [found for found in upgrade.catalog.services if found.name == service]
    lines = known[0].invocations(Purpose.PURGE, release) if known else ()
    commands = "; ".join(" ".join(line.argv(())) for line in lines)
    return commands or f"purge them with the tools of {service}"
