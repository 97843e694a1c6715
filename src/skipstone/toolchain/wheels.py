"""Fills a directory with the packages of a lock, for machines that reach no index.

pip does it, in a virtualenv of the release's own Python: uv cannot download without installing. An index that
only uv is configured with is passed on.
"""

import os
import tempfile
from pathlib import Path

from skipstone.catalog.release import Release
from skipstone.settings import Settings
from skipstone.toolchain.building import QUIET, Progress, chosen, installer_for
from skipstone.toolchain.installer import NO_COMPILER, pip_options
from skipstone.toolchain.lock import LOCKS, Lock
from skipstone.toolchain.program import run
from skipstone.toolchain.store import Store

DOWNLOAD_SECONDS = 3600


def download(
    release: Release, settings: Settings, wheels: Path, *, progress: Progress = QUIET, locks: Path = LOCKS
) -> Lock:
    """Put every package of a release's lock into ``wheels``; what is there already is kept.

    Raises ToolchainError where a package cannot be had or is not the one that was locked.
    """
    lock, interpreter = chosen(release, Store(settings.toolchains), progress, locks)
    wheels.mkdir(parents=True, exist_ok=True)
    with (
        progress.step(f"{release}: download {len(lock.pins)} packages for {interpreter.title}"),
        tempfile.TemporaryDirectory(prefix="skipstone-") as scratch,
    ):
        directory = Path(scratch) / "venv"
        installer = installer_for(interpreter, Path(scratch))
        installer.virtualenv(directory)
        installer.install_builders(lock, directory)
        pip = (*interpreter.prefix, str(directory / "bin/python"), "-m", "pip", "--quiet", "download")
        checked = ("--no-deps", "--require-hashes", "--no-build-isolation", "--disable-pip-version-check")
        asked = Path(scratch) / "all.txt"
        asked.write_text(lock.text, encoding="utf-8")
        argv = (*pip, *checked, *pip_options(os.environ), "--dest", str(wheels.resolve()), "-r", str(asked))
        what = f"the packages of {release.title} could not be downloaded"
        run(argv, what=what, where=str(wheels), timeout=DOWNLOAD_SECONDS, changes=NO_COMPILER)
    return lock
