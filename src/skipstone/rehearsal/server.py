"""A MariaDB of our own: in a directory of its own, behind a socket, on no network."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from skipstone.errors import InputError, SkipstoneError
from skipstone.rehearsal.directory import private_directory

START_SECONDS = 60
STOP_SECONDS = 60

MIN_POOL = 512 << 20
"""Bytes of memory for rows, at least: a quarter of what is free is taken, so that indexes grow in it."""

_SOCKET = "s"
_LONGEST_SOCKET = 107
"""Bytes: sun_path of unix(7), without the zero at its end."""

# what is lost with the machine may be lost here, and is made from the dumps again
_FAST = (
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=OFF",
    "--innodb-log-file-size=256M",
    "--max-allowed-packet=1G",
    # a client of a busy machine takes more than ten seconds to say who it is: "Lost connection to server at
    # 'sending authentication information'", seen once in a hundred rehearsals
    "--connect-timeout=300",
    # which tables a command works on
    "--userstat=ON",
)


class PrivateServer:
    """A database server for one rehearsal; a context that leaves nothing behind.

    ``directory`` gets a directory of our own (``private_directory``). ``program`` is a mariadbd. Entering
    raises InputError where there is none, SkipstoneError where it does not start.
    """

    def __init__(self, directory: Path | None = None, program: Path | None = None) -> None:
        self._parent = directory
        self._program = program
        self._door: Path | None = None
        self._stack = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        program = str(self._program or _find("mariadbd"))
        self.directory = self._stack.enter_context(private_directory(self._parent))
        self._door = self._elsewhere(self.directory)
        try:
            self._install()
            self._start(program)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._stack.close()

    @property
    def socket(self) -> Path:
        """The socket that clients of this machine connect to."""
        return (self._door or self.directory) / _SOCKET

    @property
    def pid(self) -> int:
        """The server's process, while the context lasts."""
        assert self._process is not None  # noqa: S101 - it was started on entering
        return self._process.pid

    def client(self, *arguments: str, user: str = "root") -> tuple[str, ...]:
        """Return the command line of a client."""
        return ("mariadb", "--no-defaults", f"--socket={self.socket}", f"--user={user}", *arguments)

    def query(self, statement: str) -> list[tuple[str, ...]]:
        """Return the rows that statements answer, as text; raise SkipstoneError where they fail.

        Text is UTF-8, whatever the locale is. Only a line feed ends a row: other separators of lines are a
        value's own.
        """
        done = subprocess.run(
            self.client("--batch", "--skip-column-names", "--raw", "--default-character-set=utf8mb4"),
            input=statement.encode(),
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise SkipstoneError(
                "the rehearsal's database server refuses",
                where=statement[:200],
                evidence=done.stderr.decode(errors="replace").strip(),
            )
        return [tuple(line.split("\t")) for line in done.stdout.decode(errors="replace").split("\n")[:-1]]

    def url(self, database: str) -> str:
        """Return what SQLAlchemy connects to a database with."""
        return f"mysql+pymysql://root@localhost/{database}?charset=utf8mb4&unix_socket={self.socket}"

    def _elsewhere(self, directory: Path) -> Path | None:
        """Return where the socket is, where the directory's path is too long for the kernel; else None."""
        if len(os.fsencode(directory / _SOCKET)) <= _LONGEST_SOCKET:
            return None
        return self._stack.enter_context(private_directory(Path("/var/tmp")))  # noqa: S108 - its name is random

    def _install(self) -> None:
        (self.directory / "tmp").mkdir()
        install = str(_find("mariadb-install-db"))
        own = ("--auth-root-authentication-method=normal", "--skip-test-db")
        done = subprocess.run((install, *self._basics(), *own), capture_output=True, text=True, check=False)
        if done.returncode:
            raise SkipstoneError(
                "no database server could be made for the rehearsal",
                where=str(self.directory),
                evidence=(done.stderr + done.stdout)[:600].strip(),  # its advice comes last
                remedy="make room there, or name another directory",
            )

    def _basics(self) -> Sequence[str]:
        # as root, mariadbd wants to be told so
        user = ("--user=root",) if os.geteuid() == 0 else ()
        own = self.directory
        return ("--no-defaults", *user, f"--datadir={own / 'data'}", f"--tmpdir={own / 'tmp'}")

    def _start(self, program: str) -> None:
        log = self.directory / "log"
        own = (
            f"--socket={self.socket}",
            f"--pid-file={self.directory}/pid",
            "--skip-networking",
            "--skip-log-bin",
            f"--innodb-buffer-pool-size={max(MIN_POOL, _free_memory() // 4)}",
        )
        with log.open("wb") as output:
            # it ends with this process, however that ends
            self._process = subprocess.Popen(
                ("setpriv", "--pdeathsig", "KILL", program, *self._basics(), *own, *_FAST),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for us alone: it is stopped in good order
            )
        limit = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > limit:
                raise SkipstoneError(
                    "the rehearsal's database server does not start",
                    where=program,
                    evidence=log.read_text(errors="replace")[-600:].strip(),
                )
            time.sleep(0.05)

    def _answers(self) -> bool:
        ping = ("mariadb-admin", *self.client("ping")[1:])
        return self.socket.exists() and subprocess.run(ping, capture_output=True, check=False).returncode == 0


def absence(error: SkipstoneError) -> str | None:
    """Return what the server says that its schema has not, without number and place.

    That is a table or a column: what an older schema lacks. None for any other error.
    """
    said = re.search(r"ERROR (?:1054|1146) .*?: (.*)", error.evidence)
    return said[1] if said else None


def _free_memory() -> int:
    """Return the bytes that programs may still take, as the kernel estimates them."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) << 10
    return 0


def _find(program: str) -> str:
    places = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/libexec:/usr/local/sbin"
    found = shutil.which(program, path=places)
    if not found:
        raise InputError(
            f"there is no {program} on this machine",
            where="PATH",
            remedy="install MariaDB (Debian: apt install mariadb-server-core mariadb-client)",
        )
    return found
