"""Questions about schemas and data: is the old release's work done before the new one begins."""

from abc import abstractmethod
from collections.abc import Iterator

from skipstone.catalog.limits import Condition, conditions
from skipstone.catalog.service import Blocker, Effect, Service
from skipstone.checks.check import Check, Upgrade, listed
from skipstone.checks.finding import Finding
from skipstone.cloud.model import Database

ONLINE = "online_data_migrations"
VERSION_TABLE = "alembic_version"


class SchemaHeadsMatchRelease(Check):
    """Every database is at the final schema of the cloud's release, or of the target already.

    Anything else is a sync that was never finished, or a database of another release: every floor and
    blocker is reasoned from the release.
    Source: the version tables of alembic and sqlalchemy-migrate; heads from the catalog. May go: never.
    """

    id = "schema-heads"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find databases with other heads, and those whose heads the catalog cannot judge."""
        known = {service.name: service for service in upgrade.catalog.services}
        for database in upgrade.cloud.databases:
            if database.service not in known:
                continue
            schema = _schema(known[database.service], database)
            if upgrade.source is None or schema is None or not _heads(upgrade, database, schema):
                yield self.unknown(
                    f"what the schema of {database.name} should be is not known",
                    where=database.name,
                    evidence=f"found {' '.join(database.heads) or 'no heads'}",
                    remedy=f"ask {database.service}'s own tools which version the database has",
                )
            elif set(database.heads) not in _heads(upgrade, database, schema):
                yield self._other(upgrade, database, schema)

    def _other(self, upgrade: Upgrade, database: Database, schema: str) -> Finding:
        wanted = " or ".join(" ".join(sorted(heads)) for heads in _heads(upgrade, database, schema)[:1])
        releases = upgrade.catalog.releases_at(schema, database.heads) if database.heads else ()
        whose = f" ({', '.join(release.title for release in releases)})" if releases else ""
        source = upgrade.source.title if upgrade.source else "the cloud's release"
        return self.inhibitor(
            f"database {database.name} is not at the schema of {source}",
            where=database.name,
            evidence=f"found {' '.join(sorted(database.heads)) or 'nothing'}{whose}, expected {wanted}",
            remedy=f"finish the sync with the commands of {source}, and see why it had not been",
        )


class DatabasesAreFound(Check):
    """Every service's databases were found.

    What was not found is neither backed up nor looked at, while the service's own commands migrate it.
    Source: the databases of the catalog, as far as the cloud's release has a schema for them. May go: never.
    """

    id = "database-not-found"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find services that run here without a database, where the servers were asked."""
        if upgrade.source is None or not upgrade.cloud.database_servers:
            return
        here = {(one.service, one.known_as or one.name) for one in upgrade.cloud.databases}
        for service in upgrade.services:
            entry = upgrade.source.services.get(service.name)
            schemas = entry.schema_.heads if entry else {}
            for known in service.databases:
                if known.connection and known.schema_ in schemas and (service.name, known.name) not in here:
                    servers = listed(server.host for server in upgrade.cloud.database_servers)
                    yield self.inhibitor(
                        f"{service.name} runs here, and its database {known.name} was not found",
                        where=service.name,
                        evidence=f"servers that were asked: {servers}; hosts' configuration names no other",
                        remedy=f"put its server into the group database, or see to [{known.connection}] of"
                        f" {service.config_files[0]}, then discover again",
                    )


class TablesAreTheServicesOwn(Check):
    """Databases hold no tables of further projects.

    Neutron's plug-ins (VPN, firewall, load balancers, dynamic routing) keep theirs in neutron's database,
    with a version table for each. Neutron's own command migrates those whose packages are installed; a
    rehearsal has not these packages.
    Source: neutron@26.0.0:neutron/db/migration/cli.py. May go: when toolchains have the plug-ins.
    """

    id = "tables-of-plug-ins"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find version tables beside the service's own."""
        for database in upgrade.cloud.databases:
            others = sorted(t.name for t in database.tables if t.name.startswith(f"{VERSION_TABLE}_"))
            if others:
                yield self.warning(
                    f"database {database.name} holds tables of plug-ins",
                    where=database.name,
                    evidence=f"version tables: {listed(others)}",
                    remedy="see that the target's Debian has their packages, or what upstream says of those"
                    " that have ended; a rehearsal does not migrate them",
                )


def _schema(service: Service, database: Database) -> str | None:
    """Return the key of a database's heads; by its catalog name, or because the service has one schema."""
    name = database.known_as or database.name
    named = [known.schema_ for known in service.databases if known.name == name]
    schemas = named or sorted({known.schema_ for known in service.databases})
    return schemas[0] if len(schemas) == 1 else None


def _heads(upgrade: Upgrade, database: Database, schema: str) -> list[set[str]]:
    """Return the heads that are in order: the source's, those of its point releases, the target's."""
    releases = [release for release in (upgrade.source, upgrade.target) if release]
    entries = [
        release.services[database.service] for release in releases if database.service in release.services
    ]
    return [heads for entry in entries for heads in entry.schema_.possible(schema)]


class _Conditions(Check):
    """Base of the checks that ask the catalog's blockers: conditions on data, counted by discovery."""

    @abstractmethod
    def concerns(self, blocker: Blocker) -> bool:
        """Whether this check speaks of a blocker."""

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find conditions with offending rows, and those on the way that were not counted."""
        for service in upgrade.services:
            for blocker in filter(self.concerns, service.blockers):
                yield from self._judge(upgrade, service, blocker)

    def _judge(self, upgrade: Upgrade, service: Service, blocker: Blocker) -> Iterator[Finding]:
        counts = [
            server.conditions[blocker.id]
            for server in upgrade.cloud.database_servers
            if blocker.id in server.conditions
        ]
        due = _due(upgrade, service, blocker)
        title = f"{service.name}'s data: it does not hold that {blocker.condition}"
        evidence = f"{blocker.id}: {sum(counts)} rows"
        if due and not counts:
            yield self.unknown(
                f"{service.name}'s data: was not counted: {blocker.condition}",
                where=blocker.database,
                evidence=f"{blocker.id}: no answer from the database",
            )
        elif due and sum(counts):
            finding = self.warning if due.effect is Effect.STUMBLES else self.inhibitor
            yield finding(
                title,
                where=blocker.database,
                evidence=f"{evidence}; {upgrade.target.title} {due.effect}",
                remedy=f"with {due.made_with.title}: {due.remedy}",
            )
        elif sum(counts):
            yield self.warning(
                title,
                where=blocker.database,
                evidence=f"{evidence}, left over from an earlier upgrade",
                remedy=blocker.advice,
            )


def _due(upgrade: Upgrade, service: Service, blocker: Blocker) -> Condition | None:
    """Return the blocker's condition where the target begins to ask for it, or None."""
    if upgrade.source is None or not upgrade.moves:
        return None
    due = conditions(service, upgrade.source, upgrade.target)
    return next((condition for condition in due if condition.blocker == blocker.id), None)


class OnlineDataMigrationsAreDone(_Conditions):
    """The old release's online data migrations have left nothing behind.

    Later code does not have the converters any more: it refuses, breaks, or damages what was not converted.
    Source: the migrations named in the catalog's blockers. May go: never.
    """

    id = "online-data-migrations"

    def concerns(self, blocker: Blocker) -> bool:
        """Whether the remedy is the service's own online migration."""
        return ONLINE in blocker.remedy


class BlockersSatisfied(_Conditions):
    """No row stands in the way of a migration.

    Duplicates under a new unique constraint, NULLs under a NOT NULL: MySQL stops in the middle, and has no
    transaction around a change of schema.
    Source: the migrations named in the catalog's blockers. May go: never.
    """

    id = "schema-blocker"

    def concerns(self, blocker: Blocker) -> bool:
        """Whether the remedy is anything but the service's own online migration."""
        return ONLINE not in blocker.remedy
