"""A MariaDB that belongs to a host's root, as a cloud's does: what steps run there finds it by itself."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from skipstone.cloud.command import Command

ROOTED = [
    pytest.mark.real,
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.geteuid() != 0, reason="a server of its own runs as the user mysql: needs root"),
]


class Server:
    """A private MariaDB, reached as a host's root reaches its own: by the clients' defaults."""

    def __init__(self, home: Path) -> None:
        (home / ".my.cnf").write_text(f"[client]\nsocket = {home}/s\n")
        self.environment = {**os.environ, "HOME": str(home)}

    def run(self, command: Command | None) -> subprocess.CompletedProcess[str]:
        """Run a command's script on its host."""
        assert command
        return subprocess.run(
            ["sh", "-s"],
            input=command.script,
            env=self.environment,
            text=True,
            capture_output=True,
            check=False,
        )

    def ask(self, query: str) -> str:
        """Return what it answers."""
        done = subprocess.run(
            ["mariadb", "-NBe", query], env=self.environment, text=True, capture_output=True, check=True
        )
        return done.stdout.strip()


@contextmanager
def serving() -> Iterator[Server]:
    """Start a server, and remove it."""
    home = Path("/tmp") / f"skipstone-test-{os.getpid()}"  # noqa: S108 - sockets have short paths
    home.mkdir(mode=0o755)
    subprocess.run(["chown", "mysql:", str(home)], check=True)
    options = ["--no-defaults", "--user=mysql", f"--datadir={home}/data", f"--tmpdir={home}"]
    subprocess.run(
        ["mariadb-install-db", *options, "--skip-test-db", "--auth-root-authentication-method=socket"],
        check=True,
        capture_output=True,
    )
    daemon = subprocess.Popen(
        ["mariadbd", *options, f"--socket={home}/s", "--skip-networking", f"--pid-file={home}/p"],
        stderr=subprocess.DEVNULL,
    )
    found = Server(home)
    try:
        for _ in range(300):
            if found.run(Command("db", "mariadb-admin ping")).returncode == 0:
                break
            time.sleep(0.1)
        yield found
    finally:
        daemon.terminate()
        daemon.wait(30)
        subprocess.run(["rm", "-rf", str(home)], check=True)
