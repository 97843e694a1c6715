"""A private MariaDB in a directory of its own, on a unix socket; needs no root."""

import os
import pwd
import subprocess
import time
from pathlib import Path


class MariaDb:
    """A server whose root has no password; whoever may enter its directory may do everything."""

    def __init__(self, home: Path) -> None:
        self.socket = home / "s"
        user = pwd.getpwuid(os.geteuid()).pw_name
        # each server that starts removes all #sql* of its tmpdir, whoever's they are
        self._options = ["--no-defaults", f"--user={user}", f"--datadir={home / 'data'}", f"--tmpdir={home}"]
        self._daemon: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Create the data directory and start the server; return when it answers."""
        login = ["--skip-test-db", "--auth-root-authentication-method=normal"]
        subprocess.run(["mariadb-install-db", *self._options, *login], check=True, capture_output=True)
        # durability is not what is tested
        fast = ["--skip-networking", "--innodb-flush-log-at-trx-commit=0", "--skip-innodb-doublewrite"]
        argv = ["mariadbd", *self._options, f"--socket={self.socket}", *fast]
        self._daemon = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(600):
            if _asked(self.socket, "SELECT 1").returncode == 0:
                return
            time.sleep(0.1)
        raise TimeoutError("MariaDB does not start")

    def stop(self) -> None:
        """Kill the server: nothing of it is kept."""
        if self._daemon:
            self._daemon.kill()
            self._daemon.wait()

    def rows(self, query: str, database: str = "") -> list[list[str]]:
        """Return what a query answers."""
        return rows(self.socket, query, database)

    def url(self, database: str) -> str:
        """Return the URL of a database, for SQLAlchemy."""
        return f"mysql+pymysql://root@localhost/{database}?unix_socket={self.socket}&charset=utf8"

    def heads(self, database: str) -> set[str]:
        """Return the schema heads as the catalog writes them."""
        tables = {row[0] for row in self.rows("SHOW TABLES", database)}
        if "alembic_version" in tables:
            return {row[0] for row in self.rows("SELECT version_num FROM alembic_version", database)}
        return {f"migrate:{row[0]}" for row in self.rows("SELECT version FROM migrate_version", database)}


def rows(socket: Path, query: str, database: str = "") -> list[list[str]]:
    """Return what a query answers on a server's socket."""
    done = _asked(socket, query, database)
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def _asked(socket: Path, query: str, database: str = "") -> subprocess.CompletedProcess[str]:
    argv = ["mariadb", "--no-defaults", f"--socket={socket}", "-uroot", "-N", "-B", "-e", query]
    return subprocess.run(
        [*argv, database][: None if database else -1], capture_output=True, text=True, check=False
    )
