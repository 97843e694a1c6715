"""Backups, and the proof that they restore.

A backup counts only once it was restored: configuration is compared with the files it was made from, and
a database dump is loaded into a scratch server of its own and dumped again; both dumps must be equal, byte
for byte.

None of them says ``is_done``: what lies there may be of an earlier run of the same plan, which was rolled
back, and a migration that fails would come back to the databases of that day.
"""

from typing import Literal

from skipstone.cloud.command import Command
from skipstone.steps.shell import quote, until, words
from skipstone.steps.step import Step

# Consistent (one transaction over all databases) and repeatable (no dates), so that dumps can be compared.
DUMP = (
    "mariadb-dump --single-transaction --quick --hex-blob --routines --triggers --events"
    " --skip-comments --skip-dump-date"
)


class BackupConfiguration(Step):
    """Save ``/etc``, the package list and the unit states of one host under ``directory``."""

    kind: Literal["backup-configuration"] = "backup-configuration"
    directory: str

    def apply(self) -> Command:
        """Write the archive and the lists, compare the archive with the disk, then write the manifest."""
        return self.on_host(f"""
install -d -m 700 {self.directory}
umask 077
cd {self.directory}
rm -f manifest
tar --create --gzip --file etc.tar.gz --directory / etc
tar --compare --file etc.tar.gz --directory /
dpkg-query --show --showformat='${{binary:Package}}\\t${{Version}}\\t${{db:Status-Abbrev}}\\n' > packages.tsv
apt-mark showhold > held
apt-mark showauto > automatic
systemctl list-unit-files --type=service --no-legend --no-pager > units
sha256sum etc.tar.gz packages.tsv held automatic units > manifest
du -sh .
""")

    def verify(self) -> Command:
        """Check the manifest, and that the archive can be read to its end."""
        return self.on_host(f"""
cd {self.directory}
sha256sum --quiet --check manifest
tar --list --gzip --file etc.tar.gz > /dev/null
""")


class DumpDatabases(Step):
    """Dump the named databases of the server on this host, consistently, into ``directory``."""

    kind: Literal["dump-databases"] = "dump-databases"
    directory: str
    databases: tuple[str, ...]

    def apply(self) -> Command:
        """Refuse where the disk is too small, then dump; the final name appears only when whole."""
        names = ",".join(f"'{name}'" for name in self.databases)
        tables = f"information_schema.tables where table_schema in ({names})"
        size = f"select coalesce(sum(data_length), 0) from {tables}"  # noqa: S608 - names from the catalog
        return self.on_host(f"""
install -d -m 700 {self.directory}
umask 077
cd {self.directory}
rm -f manifest
data=$(mariadb -NBe {quote(size)})
free=$(df --output=avail --block-size=1 . | tail -1)
if [ "$free" -lt "$data" ]; then
    echo "the dump may need $data bytes, and $PWD has $free free" >&2
    exit 1
fi
mkfifo dump.pipe 2>/dev/null || true
gzip -1 < dump.pipe > dump.sql.gz.part &
{DUMP} --databases {words(self.databases)} > dump.pipe
wait $!
rm -f dump.pipe
mv dump.sql.gz.part dump.sql.gz
sha256sum dump.sql.gz > manifest
du -h dump.sql.gz
""")

    def verify(self) -> Command:
        """Check that the dump is whole."""
        return self.on_host(
            f"cd {self.directory} && sha256sum --quiet --check manifest && gzip --test dump.sql.gz"
        )


class DumpStoppedDatabases(Step):
    """Dump each database into a file of its own, two at a time, once nothing writes any more.

    These are what a migration that fails starts from again, and what rollback restores.
    """

    kind: Literal["dump-stopped-databases"] = "dump-stopped-databases"
    directory: str
    databases: tuple[str, ...]

    def apply(self) -> Command:
        """Dump; a file gets its final name only when whole."""
        one = f"{DUMP} --databases $1 > $1.sql && gzip -1 --force $1.sql"
        return self.on_host(f"""
install -d -m 700 {self.directory}
umask 077
cd {self.directory}
rm -f manifest
printf '%s\\n' {words(self.databases)} | xargs -P 2 -I NAME sh -euc '{one}' dump NAME
sha256sum *.sql.gz > manifest
du -sh .
""")

    def verify(self) -> Command:
        """Check that every dump is whole."""
        return self.on_host(
            f"cd {self.directory} && sha256sum --quiet --check manifest && gzip --test *.sql.gz"
        )


class ProveDumpRestores(Step):
    """Load a dump into a scratch server on this host, dump it again, and compare."""

    kind: Literal["prove-dump-restores"] = "prove-dump-restores"
    directory: str
    databases: tuple[str, ...]

    def is_done(self) -> Command:
        """Look for the proof, made of this very dump."""
        return self.on_host(f"cd {self.directory} && sha256sum --quiet --check restored")

    def apply(self) -> Command:
        """Start a private server (no network, own directory), load, dump, compare, and remove it."""
        silent = "the scratch server did not start"
        client = "--no-defaults --protocol=socket --socket=$scratch/s --user=root"
        dump = DUMP.replace("mariadb-dump", f"mariadb-dump {client}", 1)
        return self.on_host(f"""
umask 022
cd {self.directory}
rm -f restored
scratch=$(mktemp --directory /var/tmp/skipstone-scratch.XXXXXX)
chown mysql: "$scratch"
server=
finish() {{
    if [ -n "$server" ]; then kill "$server" 2>/dev/null && wait "$server" || true; fi
    rm -rf "$scratch"
}}
trap finish EXIT
trap 'exit 1' HUP INT TERM
mariadb-install-db --no-defaults --user=mysql --datadir="$scratch/data" --skip-test-db \\
    --auth-root-authentication-method=normal > "$scratch/log" 2>&1 || {{
    tail -20 "$scratch/log" >&2
    exit 1
}}
mariadbd --no-defaults --user=mysql --datadir="$scratch/data" \\
    --socket="$scratch/s" --pid-file="$scratch/pid" --skip-networking --skip-log-bin --skip-slave-start \\
    --innodb-flush-log-at-trx-commit=0 --max-allowed-packet=1G --character-set-server=utf8mb3 \\
    >> "$scratch/log" 2>&1 &
server=$!
{until(f"mariadb-admin {client} ping >/dev/null 2>&1", seconds=60, otherwise=silent)}
gzip --decompress --stdout dump.sql.gz | mariadb {client} --max-allowed-packet=1G
wanted=$(gzip --decompress --stdout dump.sql.gz | sha256sum)
found=$({dump} --databases {words(self.databases)} | sha256sum)
if [ "$wanted" != "$found" ]; then
    echo "the restored databases differ from the dump: $wanted, $found" >&2
    exit 1
fi
cp manifest restored
echo "restored and equal: {", ".join(self.databases)}"
""")

    def verify(self) -> Command:
        """Check that the proof belongs to the dump that is there."""
        return self.on_host(
            f"cd {self.directory} && sha256sum --quiet --check restored && cmp manifest restored"
        )


class ExportDefinitions(Step):
    """Save RabbitMQ's users (hashed passwords), virtual hosts, permissions and policies."""

    kind: Literal["export-definitions"] = "export-definitions"
    directory: str

    def apply(self) -> Command:
        """Export through a pipe: ``rabbitmqctl`` drops root, and would swallow a script on its input."""
        return self.on_host(f"""
install -d -m 700 {self.directory}
umask 077
rabbitmqctl --quiet export_definitions - < /dev/null > {self.directory}/definitions.json.part
mv {self.directory}/definitions.json.part {self.directory}/definitions.json
""")

    def verify(self) -> Command:
        """Check that the file parses and names at least one user."""
        return self.on_host(
            f"python3 -c 'import json, sys; sys.exit(not json.load(open(sys.argv[1]))[\"users\"])'"
            f" {self.directory}/definitions.json"
        )


class CheckBackups(Step):
    """See that the backups which were made on this host are still there and whole.

    Hours or days may lie between them and the first change, and what was done is not done again.
    ``directories`` hold a manifest of checksums each.
    """

    kind: Literal["check-backups"] = "check-backups"
    directories: tuple[str, ...]
    files: tuple[str, ...] = ()

    def apply(self) -> Command:
        """Compare every checksum; name what is gone."""
        return self.on_host(f"""
bad() {{
    echo "the backup is gone or damaged: $1" >&2
    echo "nothing is stopped yet: discover and plan again, and apply the new plan" >&2
    exit 1
}}
for directory in {words(self.directories)}; do
    (cd "$directory" && sha256sum --quiet --check manifest) || bad "$directory"
done
for file in {words(self.files)}; do
    test -s "$file" || bad "$file"
done
""")
