"""Schemas and data, carried by the target release's own commands."""

from typing import ClassVar, Literal

from skipstone.cloud.command import Command
from skipstone.steps.shell import as_user, forgive, quote, until, words
from skipstone.steps.step import Reversibility, Step


def _compare_heads(database: str, wanted: tuple[str, ...]) -> str:
    """Return shell lines that compare what a database's version table holds with ``wanted``.

    Heads are alembic revisions, or ``migrate:N`` where the release still uses sqlalchemy-migrate.
    """
    query = f"select version_num from `{database}`.alembic_version"  # noqa: S608 - names from the catalog
    if wanted[0].startswith("migrate:"):
        query = f"select distinct concat('migrate:', version) from `{database}`.migrate_version"  # noqa: S608 - as above
    expected = "\n".join(sorted(wanted))
    return (
        f"found=$(mariadb -NBe {quote(query)} | LC_ALL=C sort)\n"
        f"wanted={quote(expected)}\n"
        f'if [ "$found" != "$wanted" ]; then\n'
        f'    echo "{database} is at" $found", and not at" $wanted >&2\n'
        f"    exit 1\n"
        f"fi"
    )


class WaitForDatabaseServer(Step):
    """Wait until the database server answers and its system tables are of its own version."""

    kind: Literal["wait-for-database-server"] = "wait-for-database-server"
    unit: str = "mariadb"

    def apply(self) -> Command:
        """Start it if the packages left it stopped; wait; upgrade its system tables (a no-op when done)."""
        ping = "mariadb-admin ping >/dev/null 2>&1"
        return self.on_host(f"""
{forgive((self.unit,))}
systemctl is-active --quiet {self.unit} || systemctl start {self.unit}
{until(ping, seconds=self.deadline - 30, otherwise=f"{self.unit} does not answer")}
mariadb-upgrade --silent
mariadb -NBe "select version()"
""")

    def verify(self) -> Command:
        """Ask for its version."""
        return self.on_host("mariadb -NBe 'select version()'")


class SyncDatabase(Step):
    """Carry one service's databases to the target's schema.

    ``commands`` run in order as ``user`` on this step's host; ``heads`` maps a database to the heads it
    must reach. The databases live on ``database_host``, where ``dumps`` holds
    one dump per database, made after the last writer had stopped.
    """

    kind: Literal["sync-database"] = "sync-database"
    reversibility: Reversibility = Reversibility.FROM_BACKUP
    service: str
    user: str
    commands: tuple[str, ...]
    databases: tuple[str, ...]
    heads: dict[str, tuple[str, ...]]
    database_host: str
    dumps: str

    def _compare(self) -> Command:
        checks = [_compare_heads(name, heads) for name, heads in sorted(self.heads.items())]
        return Command(self.database_host, "set -eu\n" + "\n".join(checks) + "\n")

    def is_done(self) -> Command | None:
        """Compare the heads, where the catalog knows them."""
        return self._compare() if self.heads else None

    def apply(self) -> Command:
        """Run the service's own commands."""
        return self.on_host("\n".join(as_user(self.user, command) for command in self.commands))

    def verify(self) -> Command | None:
        """Compare the heads, where the catalog knows them."""
        return self.is_done()

    def reset(self) -> Command:
        """Drop the databases and load the dumps: a half-migrated schema is never migrated again."""
        return Command(
            self.database_host,
            f"""set -eu
cd {self.dumps}
sha256sum --quiet --check manifest
for name in {words(self.databases)}; do
    mariadb -e "drop database if exists \\`$name\\`"
done
python3 dumps.py load . {words(self.databases)}
""",
        )

    def revert(self) -> Command:
        """Load the dumps."""
        return self.reset()


class MigrateOnline(Step):
    """Run a service's online data migrations until its exit code says that nothing is left.

    Exit codes as the services document them: 0 done, 1 some were migrated and it must be run again, anything
    else stuck.
    """

    kind: Literal["migrate-online"] = "migrate-online"
    reversibility: Reversibility = Reversibility.FROM_BACKUP
    service: str
    user: str
    command: str

    def apply(self) -> Command:
        """Repeat while the exit code is 1, at most a hundred times."""
        return self.on_host(f"""
round=0
while :; do
    code=0
    {as_user(self.user, self.command)} || code=$?
    [ "$code" -ne 0 ] || break
    round=$((round + 1))
    if [ "$code" -ne 1 ] || [ "$round" -ge 100 ]; then
        echo "the migrations of {self.service} are stuck: exit code $code in round $round" >&2
        exit 1
    fi
done
""")


class CheckStatus(Step):
    """Run a service's own upgrade check: 0 is good, 1 is a warning, 2 and more a failure."""

    looks: ClassVar[bool] = True

    kind: Literal["check-status"] = "check-status"
    service: str
    user: str
    command: str

    def apply(self) -> Command:
        """Run it and keep its table as output."""
        return self.on_host(f"""
code=0
{as_user(self.user, self.command)} || code=$?
if [ "$code" -gt 1 ]; then
    echo "{self.service} says that the upgrade is not in order: exit code $code" >&2
    exit 1
fi
""")


class RunCommand(Step):
    """Run one of a service's own commands that may be repeated without harm."""

    kind: Literal["run-command"] = "run-command"
    user: str
    command: str

    def apply(self) -> Command:
        """Run it as the service's user."""
        return self.on_host(as_user(self.user, self.command))
