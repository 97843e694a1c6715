"""The Python that a release's code runs on: this machine's, or that of another Debian.

Where this machine's Python is too new for a release, an older Debian's ``/usr`` stands in the place of this
machine's, for the command alone, in a mount namespace of its own. Everything else stays what it is: the files
of the operator, the network, the sockets, the name of the user. So paths mean the same on both sides.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from skipstone.archives import Archive, for_suite, machine_apt_settings, machine_archives, machine_suite
from skipstone.errors import ToolchainError
from skipstone.toolchain.program import run
from skipstone.toolchain.store import Store, name_of

RECIPE = "1"
"""Changes when the same packages are to be put together in another way."""

SUITES = {
    "2.7": ("bullseye", ("python2.7",)),
    "3.9": ("bullseye", ("python3.9", "python3-distutils")),
    "3.11": ("bookworm", ("python3.11", "python3-distutils")),
    "3.13": ("trixie", ("python3.13",)),
}
"""Debian's suites by the Python that they have, and its packages."""

SYSTEM = ("coreutils", "dash", "grep", "libc-bin", "sed")
"""What commands call by themselves: os_brick runs grep when it is imported."""
BUILD_SECONDS = 1200
# so that nothing but /usr is needed of the suite
MERGED_USR = 'for d in bin sbin lib lib64; do mkdir -p "$1/usr/$d" && ln -s "usr/$d" "$1/$d"; done'
SHELL = 'ln -sf dash "$1/usr/bin/sh"'  # a maintainer script would have made it, but none is run
STAND_IN = 'mount --bind "$0" /usr && exec "$@"'


@dataclass(frozen=True)
class Interpreter:
    """A Python: its ``version`` (``3.11``), where it is, and what goes before every command line for it.

    ``base`` names what it belongs to: the path of this machine's own, or a directory of another Debian.
    """

    version: str
    path: Path
    base: str
    prefix: tuple[str, ...] = ()

    @property
    def is_machine(self) -> bool:
        """Whether it is one of this machine."""
        return not self.prefix

    @property
    def is_legacy(self) -> bool:
        """Whether it is Python 2, which has neither virtualenvs of its own nor uv's support."""
        return self.version.startswith("2.")

    @property
    def isolated(self) -> tuple[str, ...]:
        """Options that keep the caller's packages away; legacy ones come by a PYTHONPATH of their own."""
        return ("-s",) if self.is_legacy else ("-I",)

    @property
    def title(self) -> str:
        """What people call it."""
        return f"Python {self.version} of {'this machine' if self.is_machine else self.base}"


def machine_interpreter(version: str) -> Interpreter | None:
    """Return this machine's Python of a version, or None: the system's, or the one Skipstone runs on."""
    directories = (Path("/usr/bin"), Path(sys.base_prefix) / "bin")
    for path in (directory / f"python{version}" for directory in directories):
        if os.access(path, os.X_OK):
            return Interpreter(version, path, str(path))
    return None


def suite_interpreter(version: str, store: Store) -> Interpreter:
    """Return the Python of the Debian that has this version, whose ``/usr`` is unpacked where it is missing.

    Raises ToolchainError where it cannot be had or does not run, InputError where this is no Debian.
    """
    if version not in SUITES:
        raise ToolchainError(f"no Debian is known to have Python {version}", remedy="install it here")
    suite, packages = SUITES[version]
    name = _suite_name(version)
    if not store.find(name):
        archives = for_suite(machine_archives(), machine_suite(), suite, updates=False)
        with store.growing(name) as tree:
            _bootstrap(suite, (*packages, *SYSTEM), tree, archives)
            _expect_python(_inside(version, suite, tree))
    return _inside(version, name, store.root / name)


def known_suite_interpreter(version: str, store: Store) -> Interpreter | None:
    """Return the Python of a Debian that is already unpacked, or None."""
    found = store.find(_suite_name(version)) if version in SUITES else None
    return _inside(version, found.name, found) if found else None


def _suite_name(version: str) -> str:
    suite, packages = SUITES[version]
    return name_of(f"debian-{suite}", RECIPE, *packages, *SYSTEM)


def _inside(version: str, base: str, tree: Path) -> Interpreter:
    mapped = () if os.geteuid() == 0 else ("--map-root-user",)
    prefix = ("unshare", *mapped, "--mount", "/bin/sh", "-c", STAND_IN, str(tree / "usr"))
    return Interpreter(version, Path(f"/usr/bin/python{version}"), base, prefix)


def _bootstrap(suite: str, packages: tuple[str, ...], tree: Path, archives: tuple[Archive, ...]) -> None:
    """Unpack packages and what they need; no maintainer script is run, so no root is needed."""
    argv = [
        "mmdebstrap", "--variant=extract", "--mode=chrootless", "--format=directory",
        f"--include={','.join(packages)}",
        *(f"--aptopt={line}" for line in machine_apt_settings().splitlines()),
        f"--setup-hook={MERGED_USR}",
        f"--customize-hook={SHELL}",
        suite, str(tree), *(archive.line() for archive in archives),
    ]  # fmt: skip
    run(argv, what=f"Debian {suite} could not be unpacked", where=str(tree.parent), timeout=BUILD_SECONDS)


def _expect_python(interpreter: Interpreter) -> None:
    argv = (*interpreter.prefix, str(interpreter.path), *interpreter.isolated, "-c", "import ssl, sqlite3")
    run(argv, what=f"{interpreter.title} does not run here", where=interpreter.base, timeout=60)
