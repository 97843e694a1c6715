"""A private PostgreSQL that a test may stop, freeze and start again."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SERVERS = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
AS_POSTGRES = ("runuser", "-u", "postgres", "--")  # it does not run as root


@dataclass(frozen=True)
class PostgreSQL:
    """One server below a directory, which keeps its port and what is in it while it is stopped."""

    place: Path
    port: int

    @property
    def url(self) -> str:
        return f"postgresql://postgres:correct-horse@127.0.0.1:{self.port}/postgres"

    @property
    def running(self) -> bool:
        return (self.place / "data" / "postmaster.pid").exists()

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        self._control("-w", "-l", str(self.place / "log"), "-o", options, "start")

    def stop(self) -> None:
        self._control("-m", "immediate", "stop")

    def freeze(self) -> None:
        """Let all of its processes stand still: connections stay open, and nothing answers."""
        for process in self._processes():
            os.kill(process, signal.SIGSTOP)

    def thaw(self) -> None:
        for process in self._processes() if self.running else ():
            os.kill(process, signal.SIGCONT)

    def _processes(self) -> list[int]:
        main = (self.place / "data" / "postmaster.pid").read_text().splitlines()[0]
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        return [int(main), *map(int, children)]

    def _control(self, *arguments: str) -> None:
        control = SERVERS[-1].with_name("pg_ctl")
        command = [*AS_POSTGRES, str(control), "-D", str(self.place / "data"), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def running_postgresql() -> Iterator[PostgreSQL]:
    """Give a new server, which is gone at the end; skip where there is none to be had."""
    if os.getuid() != 0 or not SERVERS:
        pytest.skip("needs root and PostgreSQL (tools/prepare-machine tests)")
    # pytest's own directories are closed to other users
    place = Path(tempfile.mkdtemp(prefix="skipstone-postgresql-", dir="/var/tmp"))
    place.chmod(0o755)
    (place / "data").mkdir()
    subprocess.run(["chown", "postgres", place / "data", place], check=True)
    initdb = [*AS_POSTGRES, str(SERVERS[-1].with_name("initdb")), "-A", "trust", "-D", str(place / "data")]
    subprocess.run(initdb, check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    server = PostgreSQL(place, port)
    server.start()
    try:
        yield server
    finally:
        server.thaw()
        if server.running:
            server.stop()
        shutil.rmtree(place)
