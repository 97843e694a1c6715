"""Installs what a lock pins for Python 2.7, which uv does not know: the last pip that runs on it does.

uv unpacks the builders, pip among them: they are the same files for every Python. With them pip installs the
rest beside them, checking every hash. There is no virtualenv: ``bin/python`` leads the suite's Python there.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from skipstone.toolchain.installer import CHECKED, INSTALL_SECONDS, NO_COMPILER, Installer, pip_options
from skipstone.toolchain.interpreter import Interpreter
from skipstone.toolchain.lock import Lock
from skipstone.toolchain.program import run

PACKAGES = "lib/python2.7/site-packages"
PYTHON = f"""#!/bin/sh
here=${{0%/bin/python}}
unset PYTHONHOME
PYTHONPATH=$here/{PACKAGES} exec /usr/bin/python2.7 -s "$@"
"""
# namespace packages come with .pth files, which are not read in directories of PYTHONPATH
SITE = """import os
import site

site.addsitedir(os.path.dirname(os.path.abspath(__file__)))
"""


@dataclass(frozen=True)
class LegacyInstaller:
    """Fills directories for Python 2.7; ``wheels`` is a directory that replaces the index."""

    interpreter: Interpreter
    scratch: Path
    wheels: Path | None = None

    def virtualenv(self, directory: Path) -> None:
        """Make an empty directory of packages, and the Python that sees it."""
        packages, program = directory / PACKAGES, directory / "bin/python"
        packages.mkdir(parents=True)
        (packages / "sitecustomize.py").write_text(SITE, encoding="utf-8")
        program.parent.mkdir()
        program.write_text(PYTHON, encoding="utf-8")
        program.chmod(0o755)

    def install_builders(self, lock: Lock, directory: Path) -> None:
        """Install what source packages are built with, and pip; raise ToolchainError where that fails."""
        own = Interpreter(
            f"{sys.version_info.major}.{sys.version_info.minor}", Path(sys.executable), sys.prefix
        )
        Installer(own, self.scratch, self.wheels).unpack(lock.builders, directory / PACKAGES)

    def install(self, lock: Lock, directory: Path) -> None:
        """Install everything that a lock pins; raise ToolchainError where that fails."""
        self.install_builders(lock, directory)
        asked = self.scratch / "lock.txt"
        asked.write_text(lock.text, encoding="utf-8")
        offline = ("--no-index", "--find-links", str(self.wheels.resolve())) if self.wheels else ()
        argv = (
            *self.interpreter.prefix, str(directory / "bin/python"), "-m", "pip", "--quiet",
            "--disable-pip-version-check", "install", *CHECKED, "--no-compile", "--no-warn-script-location",
            *(offline or pip_options(os.environ)), "--prefix", str(directory), "-r", str(asked),
        )  # fmt: skip
        what = f"packages could not be installed for {self.interpreter.title}"
        run(argv, what=what, where=str(self.scratch), timeout=INSTALL_SECONDS, changes=NO_COMPILER)
