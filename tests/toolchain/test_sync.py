"""Real commands of real releases fill a real MariaDB, and the catalog says what is in it then.

Needs the package index (or a warm uv cache) and MariaDB's programs; no root.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from skipstone.catalog.release import Release
from skipstone.settings import load_settings
from skipstone.toolchain.building import build
from tests.toolchain.mariadb import MariaDb
from tests.toolchain.synced import Synced

pytestmark = [pytest.mark.real, pytest.mark.network, pytest.mark.timeout(3600)]


@pytest.fixture
def server() -> Iterator[MariaDb]:
    home = Path(mkdtemp(prefix="skipstone-", dir="/tmp"))
    found = MariaDb(home)
    try:
        found.start()
        yield found
    finally:
        found.stop()
        shutil.rmtree(home)


def test_a_release_fills_empty_databases_up_to_the_heads_of_the_catalog(
    release: Release, server: MariaDb, tmp_path: Path
) -> None:
    synced = Synced(build(release, load_settings()), server, tmp_path)
    for service in synced.services():
        synced.sync(service)
    assert synced.differences() == []


def test_a_second_build_takes_what_is_there(release: Release) -> None:
    first = build(release, load_settings())
    made = first.directory.stat().st_ctime_ns
    assert build(release, load_settings()).directory.stat().st_ctime_ns == made


def test_nothing_was_compiled_here(release: Release) -> None:
    """An operator's machine has no compiler: whatever holds machine code came as a wheel for many Linuxes."""
    built = build(release, load_settings())
    for wheel in built.directory.glob("lib/python*/site-packages/*.dist-info/WHEEL"):
        if not re.search(r"^Tag: .*(-any|manylinux\S*)$", wheel.read_text(), re.MULTILINE):
            assert ".so," not in wheel.with_name("RECORD").read_text(), wheel


def test_commands_do_not_see_the_callers_python(release: Release, tmp_path: Path) -> None:
    (tmp_path / "nova.py").write_text("raise SystemExit('not this one')")
    program = build(release, load_settings()).command("nova", ("nova-manage", "--version"))
    done = subprocess.run(
        program.argv,
        env={**program.environment, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    # Python 2.7 writes versions on stderr
    assert release.services["nova"].latest in done.stdout + done.stderr
