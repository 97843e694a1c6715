"""Backups, and the proof that they restore.

A backup counts only once it was restored: configuration is compared with the files it was made from, and
a database dump is loaded into a scratch server of its own and dumped again; both dumps must be equal, byte
for byte. Databases are dumped and loaded by ``scripts/dumps.py``, which stays beside the dumps, as does
``scripts/keys_last.py``, which it loads large tables with.

None of them says ``is_done``: what lies there may be of an earlier run of the same plan, which was rolled
back, and a migration that fails would come back to the databases of that day.
"""

from hashlib import sha256
from importlib import resources
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import Field

from skipstone.cloud.command import Command
from skipstone.steps.shell import quote, until, words
from skipstone.steps.step import Reversibility, Step

ROOT = PurePosixPath("/var/lib/skipstone")
"""Where hosts keep what is ours."""

_SCRIPTS = resources.files("skipstone.steps.scripts")
_PROGRAMS = "".join(
    f"cat > {name} <<'END-OF-PROGRAM'\n{(_SCRIPTS / name).read_text()}END-OF-PROGRAM\n"
    for name in ("dumps.py", "keys_last.py")
)


# a quarter of what is free, 2 GiB at most: indexes larger than MariaDB's own 128 MiB are slow to fill
_MEMORY = """\
memory=$(awk '$1 == "MemAvailable:" { print int($2 / 4096) }' /proc/meminfo)
if [ "$memory" -gt 2048 ]; then memory=2048; fi"""

# users are served meanwhile, by the same processors and disks
_MODESTLY = "renice -n 10 -p $$ > /dev/null\nionice -c 2 -n 7 -p $$"


def room(needed: str, what: str) -> str:
    """Return shell lines that fail unless the present directory's disk has this many bytes free."""
    return f"""\
needed={needed}
free=$(df --output=avail --block-size=1 . | tail -1)
if [ "$free" -lt "$needed" ]; then
    echo "{what} may need $needed bytes, and $PWD has $free free" >&2
    exit 1
fi"""


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


class _OfDump(Step):
    """What the steps know about a dump: its directory, what is in it, and how it is made.

    ``by_table`` names the databases of which each table has a file of its own.
    """

    directory: str
    databases: tuple[str, ...]
    by_table: tuple[str, ...] = ()

    def _sizes(self, columns: str) -> str:
        """Return a shell word that gives bytes of the databases' tables."""
        names = ",".join(f"'{name}'" for name in self.databases)
        tables = f"information_schema.tables where table_schema in ({names})"
        query = f"select coalesce(sum({columns}), 0) from {tables}"  # noqa: S608 - names from the catalog
        return f"$(mariadb -NBe {quote(query)})"

    def _dump(self, options: str, *, before: str = "") -> str:
        """Return lines that dump with the programs, and keep them beside the dumps: they load them too."""
        by_table = [f"--by-table={quote(name)}" for name in self.by_table]
        arguments = " ".join(filter(None, (words(self.databases), options, *by_table)))
        return f"""\
rm -rf {self.directory}
install -d -m 700 {self.directory}
umask 077
cd {self.directory}
{before}{_PROGRAMS}python3 dumps.py dump . {arguments}
find . -type f ! -name 'manifest*' -exec sha256sum {{}} + > manifest.part
mv manifest.part manifest
du -sh .
"""

    def verify(self) -> Command:
        """Check that every file of the dump is whole."""
        return self.on_host(f"cd {self.directory} && sha256sum --quiet --check manifest")


class DumpDatabases(_OfDump):
    """Dump the named databases of the server on this host into ``directory``, all of one moment.

    One stream and one transaction: nothing is locked, and it may take its time.
    """

    kind: Literal["dump-databases"] = "dump-databases"

    def apply(self) -> Command:
        """Refuse where the disk is too small, then dump."""
        enough = room(self._sizes("data_length"), "the dump")
        return self.on_host(self._dump("--together", before=f"{_MODESTLY}\n{enough}\n"))


class DumpStoppedDatabases(_OfDump):
    """Dump the databases once nothing writes any more, in as many streams as the host has processors.

    These are what a migration that fails starts from again, and what rollback restores. That the disk has
    room was seen before anything was stopped (``CheckBackups``).
    """

    kind: Literal["dump-stopped-databases"] = "dump-stopped-databases"

    def apply(self) -> Command:
        """Dump."""
        return self.on_host(self._dump(""))


class ProveDumpRestores(_OfDump):
    """Load a dump into a scratch server on this host, dump it again, and compare."""

    kind: Literal["prove-dump-restores"] = "prove-dump-restores"

    def is_done(self) -> Command:
        """Look for the proof, made of this very dump."""
        return self.on_host(f"cd {self.directory} && sha256sum --quiet --check restored")

    def apply(self) -> Command:
        """Start a private server (no network, own directory), load, dump, compare, and remove it.

        One that a reboot has cut off has left its files, as large as all databases; another dump's may be
        at work.
        A key is sorted in files as large as itself.
        Its temporary files have a directory of their own as well: a server that starts removes every
        ``#sql*`` of its ``tmpdir``, and in /tmp those are the running server's (seen with MariaDB 10.11).
        """
        silent = "the scratch server did not start"
        scratch = f"/var/tmp/skipstone-scratch.{sha256(self.directory.encode()).hexdigest()[:8]}"  # noqa: S108 - mktemp's
        client = "--no-defaults --protocol=socket --socket=$scratch/s --user=root"
        return self.on_host(f"""
{_MODESTLY}
umask 022
cd {self.directory}
rm -f restored
sha256sum --quiet --check manifest
rm -rf {scratch}.*
scratch=$(mktemp --directory {scratch}.XXXXXX)
mkdir "$scratch/tmp"
chown mysql: "$scratch" "$scratch/tmp"
server=
finish() {{
    if [ -n "$server" ]; then kill "$server" 2>/dev/null && wait "$server" || true; fi
    rm -rf "$scratch"
}}
trap finish EXIT
trap 'exit 1' HUP INT TERM
cd "$scratch"
{room(self._sizes("data_length + 2 * index_length"), "the scratch server")}
cd {self.directory}
{_MEMORY}
mariadb-install-db --no-defaults --user=mysql --datadir="$scratch/data" --tmpdir="$scratch/tmp" \\
    --skip-test-db --auth-root-authentication-method=normal > "$scratch/log" 2>&1 || {{
    head -30 "$scratch/log" >&2  # what it advises comes after what it says went wrong
    exit 1
}}
mariadbd --no-defaults --user=mysql --datadir="$scratch/data" --tmpdir="$scratch/tmp" \\
    --socket="$scratch/s" --pid-file="$scratch/pid" --skip-networking --skip-log-bin --skip-slave-start \\
    --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=0 --innodb-buffer-pool-size="${{memory}}M" \\
    --max-allowed-packet=1G --character-set-server=utf8mb3 >> "$scratch/log" 2>&1 &
server=$!
{until(f"mariadb-admin {client} ping >/dev/null 2>&1", seconds=60, otherwise=silent)}
python3 dumps.py load . {words(self.databases)} --socket="$scratch/s"
python3 dumps.py same . {words(self.databases)} --socket="$scratch/s" --together
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
    ``directories`` hold a manifest of checksums each. The like of ``once_more`` will be made beside it, when
    users already wait.
    """

    kind: Literal["check-backups"] = "check-backups"
    directories: tuple[str, ...]
    files: tuple[str, ...] = ()
    once_more: tuple[str, ...] = ()

    def apply(self) -> Command:
        """Compare every checksum and name what is gone; see that the disk has room."""
        like = "$(($(du --bytes --summarize . | cut -f 1) * 5 / 4))"  # databases grow
        rooms = "".join(f"cd {directory}\n{room(like, 'another one')}\n" for directory in self.once_more)
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
{rooms}""")


class DropBackups(Step):
    """Remove directories with backups and records of jobs from a host; harmless where there are none."""

    kind: Literal["drop-backups"] = "drop-backups"
    reversibility: Reversibility = Reversibility.NONE
    directories: tuple[Annotated[str, Field(pattern=rf"^{ROOT}/(jobs/)?[A-Za-z0-9][A-Za-z0-9._:-]*$")], ...]

    def apply(self) -> Command:
        """Remove them."""
        return self.on_host(f"rm -rf {words(self.directories)}")
