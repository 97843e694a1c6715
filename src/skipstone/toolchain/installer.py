"""Installs what a lock pins, with uv, checking every hash; compiles nothing.

uv takes the index, proxies and certificates from the machine's own configuration. The few source packages
(all pure Python) are built with the pinned builders, not with whatever their authors would fetch.
"""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

from skipstone.errors import ToolchainError
from skipstone.toolchain.interpreter import Interpreter
from skipstone.toolchain.lock import Lock
from skipstone.toolchain.program import run

INSTALL_SECONDS = 1800
# a package whose C part is optional is built without it, on every machine alike; others fail
NO_COMPILER = {"CC": "/bin/false", "CXX": "/bin/false"}
INDEX_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL")
CHECKED = ("--no-deps", "--require-hashes", "--no-build-isolation")


@dataclass(frozen=True)
class Installer:
    """Makes virtualenvs of one interpreter; ``wheels`` is a directory that replaces the index."""

    interpreter: Interpreter
    scratch: Path
    wheels: Path | None = None

    def virtualenv(self, directory: Path) -> None:
        """Make an empty virtualenv; raise ToolchainError where that fails."""
        self._uv(
            "venv", "--relocatable", "--no-project", "--python", str(self.interpreter.path), str(directory)
        )

    def install(self, lock: Lock, directory: Path) -> None:
        """Install everything that a lock pins; raise ToolchainError where that fails."""
        self.install_builders(lock, directory)
        self._install(lock.text, "lock.txt", directory)

    def install_builders(self, lock: Lock, directory: Path) -> None:
        """Install what source packages are built with."""
        self._install(lock.builders, "builders.txt", directory)

    def unpack(self, text: str, directory: Path) -> None:
        """Install pinned packages into a bare directory; raise ToolchainError where that fails."""
        python = str(self.interpreter.path)
        self._pip_install(text, "unpacked.txt", "--python", python, "--target", str(directory))

    def _install(self, text: str, name: str, directory: Path) -> None:
        self._pip_install(text, name, "--python", str(directory / "bin/python"))

    def _pip_install(self, text: str, name: str, *where: str) -> None:
        asked = self.scratch / name
        asked.write_text(text, encoding="utf-8")
        self._uv("pip", "install", *where, *CHECKED, *self._sources(), "-r", str(asked))

    def _sources(self) -> Sequence[str]:
        if self.wheels is None:
            return ()
        return ("--offline", "--no-index", "--find-links", str(self.wheels.resolve()))

    def _uv(self, *arguments: str) -> None:
        argv = (*self.interpreter.prefix, self._program(), "--quiet", "--no-progress", *arguments)
        what = f"packages could not be installed for {self.interpreter.title}"
        run(argv, what=what, where=str(self.scratch), timeout=INSTALL_SECONDS, changes=NO_COMPILER)

    def _program(self) -> str:
        """Return uv; a copy, where another Debian's /usr would hide it."""
        try:
            found = Path(find_uv_bin())
        except FileNotFoundError as error:
            raise ToolchainError("uv is not there", remedy="pip install uv, where Skipstone is") from error
        if self.interpreter.is_machine or not found.resolve().is_relative_to("/usr"):
            return str(found)
        copy = self.scratch / "uv"
        if not copy.exists():
            shutil.copy2(found, copy)
        return os.fspath(copy)


def pip_options(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield pip's options for the index and certificates that uv has from the environment."""
    found = next((environ[name] for name in INDEX_VARIABLES if environ.get(name)), None)
    if found:
        yield from ("--index-url", found)
    if environ.get("SSL_CERT_FILE"):
        yield from ("--cert", environ["SSL_CERT_FILE"])
