"""Choosing, building and using toolchains; tiny programs stand for what would be installed."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from skipstone.catalog import load_catalog
from skipstone.errors import InputError, ToolchainError
from skipstone.settings import Settings, load_settings
from skipstone.toolchain import building, virtualenv
from skipstone.toolchain.installer import Installer
from skipstone.toolchain.interpreter import Interpreter, machine_interpreter
from skipstone.toolchain.listing import listing
from skipstone.toolchain.lock import Lock
from skipstone.toolchain.virtualenv import RECORD, VirtualenvToolchain, commands_of, service_of

OWN = f"{sys.version_info.major}.{sys.version_info.minor}"
ZED = load_catalog().release("zed")
PINS = {"keystone": "22.0.2", "nova": "26.3.0"}
# stands for bin/python: answers what is installed, or runs the program that it is given
PYTHON = """#!/bin/sh
test "$1" = -I || exit 9
case "$2" in -c) cat "$(dirname "$0")/../installed.json" ;; *) shift; exec sh "$@" ;; esac
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"HOME": str(tmp_path)})


@pytest.fixture
def locks(tmp_path: Path) -> Path:
    directory = tmp_path / "locks"
    directory.mkdir()
    write_lock(directory, OWN, PINS)
    return directory


def write_lock(directory: Path, python: str, pins: dict[str, str]) -> Path:
    body = "".join(f"{name}=={version} \\\n    --hash=sha256:00\n" for name, version in pins.items())
    path = directory / f"2022.2-zed-python{python}.txt"
    path.write_text(f"# release: 2022.2\n# python: {python}\n{body}")
    return path


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Replace what needs the network; return the directories that were filled."""
    filled: list[Path] = []

    def install(self: Installer, lock: Lock, directory: Path) -> None:
        del self
        filled.append(directory)
        fill(directory, lock.pins)

    monkeypatch.setattr(Installer, "virtualenv", lambda _self, _directory: None)
    monkeypatch.setattr(Installer, "install", install)
    return filled


def fill(directory: Path, pins: dict[str, str]) -> None:
    binaries = directory / "bin"
    binaries.mkdir()
    (directory / "installed.json").write_text(json.dumps(pins))
    for service, version in pins.items():
        for name in commands_of(service, ZED):
            (binaries / name).write_text(f"echo {version} $2\n")
    python = binaries / "python"
    python.write_text(PYTHON)
    python.chmod(python.stat().st_mode | stat.S_IXUSR)


def build(settings: Settings, locks: Path) -> VirtualenvToolchain:
    return building.build(ZED, settings, locks=locks)


def test_what_is_built_is_found_and_not_built_again(
    settings: Settings, locks: Path, installed: list[Path]
) -> None:
    assert building.find(ZED, settings, locks) is None
    first = build(settings, locks)
    assert first.directory.parent == settings.toolchains
    assert json.loads((first.directory / RECORD).read_text())["services"] == PINS
    assert build(settings, locks) == first == building.find(ZED, settings, locks)
    assert len(installed) == 1


def test_another_lock_is_another_toolchain(settings: Settings, locks: Path) -> None:
    first = build(settings, locks)
    write_lock(locks, OWN, {**PINS, "nova": "26.2.2"})
    assert building.find(ZED, settings, locks) is None
    second = build(settings, locks)
    assert second.directory != first.directory
    assert second.version("nova") == "26.2.2"


def test_another_recipe_is_another_toolchain(
    settings: Settings, locks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(settings, locks)
    monkeypatch.setattr(building, "RECIPE", "another")
    assert building.find(ZED, settings, locks) is None


def test_a_command_that_answers_another_version_is_refused(
    settings: Settings, locks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def install(_self: Installer, lock: Lock, directory: Path) -> None:
        fill(directory, lock.pins)
        (directory / "bin/nova-manage").write_text("echo 26.2.1\n")

    monkeypatch.setattr(Installer, "install", install)
    with pytest.raises(ToolchainError, match=r"nova-manage is not of version 26\.3\.0"):
        build(settings, locks)
    assert building.find(ZED, settings, locks) is None


def test_a_command_that_does_not_start_is_refused(
    settings: Settings, locks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def install(_self: Installer, lock: Lock, directory: Path) -> None:
        fill(directory, lock.pins)
        (directory / "bin/keystone-manage").write_text("echo no module named x >&2; exit 1\n")

    monkeypatch.setattr(Installer, "install", install)
    with pytest.raises(ToolchainError, match="does not start") as caught:
        build(settings, locks)
    assert "no module named x" in caught.value.evidence


def test_a_command_of_the_catalog_that_is_missing_is_told(
    settings: Settings, locks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def install(_self: Installer, lock: Lock, directory: Path) -> None:
        fill(directory, lock.pins)
        (directory / "bin/nova-status").unlink()

    monkeypatch.setattr(Installer, "install", install)
    with pytest.raises(InputError, match="no nova-status"):
        build(settings, locks)


def test_what_was_changed_after_the_build_is_found_out(settings: Settings, locks: Path) -> None:
    built = build(settings, locks)
    (built.directory / "installed.json").write_text(json.dumps({"keystone": "22.0.2", "Nova": "99"}))
    with pytest.raises(ToolchainError, match="not what its lock says") as caught:
        build(settings, locks)
    assert caught.value.evidence == "nova 26.3.0: 99"
    assert str(built.directory) in caught.value.remedy


def test_a_command_is_run_isolated_and_by_the_toolchains_own_python(settings: Settings, locks: Path) -> None:
    built = build(settings, locks)
    program = built.command("nova", ("nova-manage", "db", "sync"))
    assert program.argv == (
        str(built.directory / "bin/python"), "-I", str(built.directory / "bin/nova-manage"), "db", "sync",
    )  # fmt: skip
    done = subprocess.run(program.argv, capture_output=True, text=True, check=True)
    assert done.stdout == "26.3.0 sync\n"


def test_a_service_that_the_index_lacks_is_refused(settings: Settings, locks: Path) -> None:
    built = build(settings, locks)
    assert built.version("heat") is None
    with pytest.raises(InputError, match="has no heat"):
        built.command("heat", ("heat-manage", "db_sync"))
    with pytest.raises(InputError, match="has no nova-wizard"):
        built.command("nova", ("nova-wizard",))


def test_a_lock_for_this_machines_python_is_preferred(settings: Settings, locks: Path) -> None:
    """3.1 sorts first and is no Python of any machine."""
    write_lock(locks, "3.1", PINS)
    assert build(settings, locks).lock.python == OWN


def test_a_python_that_no_machine_and_no_debian_has_is_told(settings: Settings, locks: Path) -> None:
    (locks / f"2022.2-zed-python{OWN}.txt").unlink()
    write_lock(locks, "3.1", PINS)
    with pytest.raises(ToolchainError, match=r"no Debian is known to have Python 3\.1"):
        build(settings, locks)


def test_the_list_tells_what_is_built_and_what_is_missing(settings: Settings, locks: Path) -> None:
    releases = load_catalog().releases
    (before,) = listing(releases, settings, locks)
    assert before.directory is None
    assert before.missing == ("placement", "glance", "cinder", "neutron", "heat")
    built = build(settings, locks)
    (after,) = listing(releases, settings, locks)
    assert after.document()["directory"] == str(built.directory)
    assert after.services == PINS


def test_another_debian_goes_before_the_command(settings: Settings, locks: Path) -> None:
    built = build(settings, locks)
    prefix = ("unshare", "--mount", "/bin/sh", "-c", "mount", "/debian/usr")
    inside = Interpreter("3.9", Path("/usr/bin/python3.9"), "debian-bullseye", prefix)
    moved = VirtualenvToolchain(ZED, built.directory, built.lock, inside)
    argv = moved.command("nova", ("nova-manage", "--version")).argv
    assert argv[: len(prefix)] == prefix
    assert argv[len(prefix)] == str(built.directory / "bin/python")


def test_a_program_belongs_to_the_service_that_the_catalog_names() -> None:
    assert service_of("nova-manage", ZED) == "nova"
    assert service_of("placement-status", ZED) == "placement"
    assert service_of("cinder-rtstool", ZED) == "cinder"
    with pytest.raises(InputError, match="has no ls"):
        service_of("ls", ZED)


def test_commands_are_those_of_the_catalog_for_the_release() -> None:
    assert commands_of("nova", ZED) == ("nova-manage", "nova-status")
    rocky = load_catalog().release("rocky")
    assert "keystone-status" not in commands_of("keystone", rocky)
    assert virtualenv.NO_VERSION.keys() <= {commands_of(name, ZED)[0] for name in ZED.services}


def test_this_machines_python_is_found_and_no_other() -> None:
    found = machine_interpreter(OWN)
    assert found
    assert found.is_machine
    assert machine_interpreter("3.1") is None
