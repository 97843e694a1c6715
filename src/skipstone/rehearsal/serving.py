"""A release's APIs on the rehearsal's databases: started, watched until they listen, and ended."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from skipstone.catalog import Release, Service
from skipstone.catalog.serving import Serving
from skipstone.rehearsal.carrying import environment
from skipstone.toolchain.toolchain import Toolchain

SCRIPTS = Path(__file__).parent / "scripts"
START_SECONDS = 300
LOOK_SECONDS = 0.1
LAST_LINES = 12
COMMON = {
    "DEFAULT/use_stderr": "true",
    # keystonemiddleware 13 (2026.2) refuses what one API asks another with an account without such a role
    "keystone_authtoken/service_token_roles": "admin",
}
"""Options of every API."""


@dataclass(frozen=True)
class Api:
    """One API: where its configuration and log are, where it listens, and when it was started (Unix time)."""

    service: Service
    serving: Serving
    directory: Path
    port: int
    began: float
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """What clients are given."""
        return f"{loopback(self.port)}{self.serving.endpoint}"

    @property
    def listens(self) -> bool:
        """Whether it takes requests."""
        return (self.directory / "ready").exists() and self.process.poll() is None

    @property
    def last_words(self) -> str:
        """The end of its log."""
        lines = (self.directory / "log").read_text(errors="replace").strip().splitlines()
        return "\n".join(lines[-LAST_LINES:])


class ApiServers:
    """The APIs of one release; a context that ends them, and they end with this process too.

    ``prefix`` goes before every command line: it leads into the network in which they find each other.
    ``directory`` gets copies of the programs that serve, where every toolchain can see them.
    """

    def __init__(
        self, release: Release, toolchain: Toolchain, prefix: Sequence[str], directory: Path
    ) -> None:
        self.apis: list[Api] = []
        self._release = release
        self._toolchain = toolchain
        self._prefix = tuple(prefix)
        self._directory = directory

    def __enter__(self) -> Self:
        shutil.copytree(SCRIPTS, self._directory, ignore=shutil.ignore_patterns("__pycache__"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for api in self.apis:
            _kill(api.process)
            api.process.communicate()

    def start(self, service: Service, configuration: Path, port: int) -> None:
        """Start one API with its configuration; call it from a thread that lives as long as the API shall."""
        serving = service.serving
        application = serving.application(self._release) if serving else None
        if serving is None or application is None:
            raise ValueError(f"the catalog does not say how {service.name} of {self._release} is started")
        given = {
            "service": service.name,
            "directory": str(configuration.parent),
            "file": configuration.name,
            "port": port,
            "paste": serving.paste,
            "engine": serving.engine and serving.engine.model_dump(),
            "module": application.module,
            "script": application.script,
        }
        with (configuration.parent / "log").open("wb") as log:
            began = time.time()
            process = self._program(service.name, ("serve.py", json.dumps(given)), configuration.parent, log)
        self.apis.append(Api(service, serving, configuration.parent, port, began, process))

    def wait(self, told: Callable[[], None]) -> Iterator[Api]:
        """Yield each API, and tell of it, when it listens or it is clear that it will not."""
        waiting, limit = list(self.apis), time.monotonic() + START_SECONDS
        while waiting:
            late = time.monotonic() > limit
            for api in [one for one in waiting if late or one.listens or one.process.poll() is not None]:
                waiting.remove(api)
                told()
                yield api
            time.sleep(LOOK_SECONDS)

    def run(
        self, service: str, argv: Sequence[str], home: Path, variables: Mapping[str, str]
    ) -> tuple[int, str]:
        """Run a command of the release in the same network; return its exit code and what it said."""
        program = self._toolchain.command(service, argv, directories=(home,))
        done = subprocess.run(
            (*self._prefix, *program.argv),
            env={**environment(home), **program.environment, **variables},
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        return done.returncode, done.stdout

    def ask(self, service: str, question: str, home: Path) -> tuple[int, str, str]:
        """Give the asking program a question; return its exit code, its answer and what else it said."""
        with self._program(service, ("ask.py",), home, subprocess.PIPE) as process:
            try:
                answer, said = process.communicate(question.encode())
            finally:
                _kill(process)
        return process.returncode, answer.decode(), said.decode(errors="replace")

    def _program(
        self, service: str, script: Sequence[str], home: Path, output: IO[bytes] | int
    ) -> subprocess.Popen[bytes]:
        argv = (str(self._directory / script[0]), *script[1:])
        program = self._toolchain.python(service, argv, directories=(home, self._directory))
        return subprocess.Popen(
            (*self._prefix, *program.argv),
            env={**environment(home), **program.environment},
            cwd=home,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for us alone
        )


def loopback(port: int) -> str:
    """Return the root of an API that listens on this port."""
    return f"http://127.0.0.1:{port}"


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and those it has started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
