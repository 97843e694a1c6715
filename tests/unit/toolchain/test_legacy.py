"""Python 2.7: the directory that stands for a virtualenv, and which installer fills which Python."""

import os
import subprocess
from pathlib import Path

import pytest

from skipstone.toolchain import legacy
from skipstone.toolchain.building import installer_for
from skipstone.toolchain.installer import Installer, pip_options
from skipstone.toolchain.interpreter import Interpreter
from skipstone.toolchain.legacy import PACKAGES, LegacyInstaller
from skipstone.toolchain.lock import Lock

PREFIX = ("unshare", "--mount", "/bin/sh", "-c", "mount", "/debian/usr")
TWO = Interpreter("2.7", Path("/usr/bin/python2.7"), "debian-bullseye", PREFIX)
THREE = Interpreter("3.9", Path("/usr/bin/python3.9"), "debian-bullseye", PREFIX)
LOCK = Lock(
    Path("x.txt"),
    "pip==20.3.4 \\\n    --hash=sha256:aa\nnova==17 \\\n    --hash=sha256:bb\n",
    "2018.1",
    "2.7",
)


def test_the_locks_python_chooses_the_installer(tmp_path: Path) -> None:
    assert isinstance(installer_for(TWO, tmp_path), LegacyInstaller)
    assert isinstance(installer_for(THREE, tmp_path), Installer)


def test_its_python_sees_its_own_packages_and_nothing_of_the_caller(tmp_path: Path) -> None:
    LegacyInstaller(TWO, tmp_path).virtualenv(tmp_path / "made")
    python = tmp_path / "made/bin/python"
    # env stands for the interpreter: what would be run, and with which variables
    python.write_text(python.read_text().replace("exec /usr/bin/python2.7 -s", "exec env"))
    caller = {**os.environ, "PYTHONPATH": "/elsewhere", "PYTHONHOME": "/elsewhere"}
    said = subprocess.run([python], env=caller, capture_output=True, text=True, check=True).stdout
    assert f"PYTHONPATH={tmp_path / 'made' / PACKAGES}\n" in said
    assert "/elsewhere" not in said


@pytest.mark.parametrize("offline", [False, True])
def test_uv_unpacks_the_builders_and_pip_checks_every_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, offline: bool
) -> None:
    lines: list[tuple[str, ...]] = []
    unpacked: list[tuple[str, Path]] = []
    monkeypatch.setattr(legacy, "run", lambda argv, **_: lines.append(argv))
    monkeypatch.setattr(Installer, "unpack", lambda _self, text, where: unpacked.append((text, where)))
    wheels = tmp_path if offline else None
    LegacyInstaller(TWO, tmp_path, wheels).install(LOCK, tmp_path / "made")
    assert unpacked == [(LOCK.builders, tmp_path / "made" / PACKAGES)]
    (argv,) = lines
    assert argv[: len(PREFIX)] == PREFIX
    assert {"--require-hashes", "--no-deps", "--no-build-isolation"} <= set(argv)
    assert ("--no-index" in argv) == offline


def test_pip_is_told_the_index_and_certificates_of_uv() -> None:
    assert not list(pip_options({"UV_DEFAULT_INDEX": ""}))
    told = list(pip_options({"UV_INDEX_URL": "https://index.example", "SSL_CERT_FILE": "/certificates"}))
    assert told == ["--index-url", "https://index.example", "--cert", "/certificates"]
