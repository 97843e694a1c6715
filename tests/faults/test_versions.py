"""Packages go to newer versions of the same Debian and back: real ones that OpenStack stands on."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

import pytest

from skipstone.archives import Archive
from skipstone.cloud.command import Command
from skipstone.lab.image import MERGED_USR, Recipe, recipe, trust_what_this_machine_trusts
from skipstone.steps.packages import DownloadPackages, KeepVersions, UpgradePackages

pytestmark = [pytest.mark.real, pytest.mark.network, pytest.mark.long]

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a directory of this test
SUITE = "bookworm"
POCKETS = "/srv/pockets"
WATCHED = ("haproxy", "memcached", "libmariadb3", "librabbitmq4")
"""Of these the suite and its security updates have different versions; no point release comes any more."""

NEW = "redis-tools"
COMMON = {"title": "t", "host": "h1", "deadline": 600, "estimate": 1}
DIRECTORY = "/var/lib/skipstone/p/apt"
APT = {"directory": DIRECTORY, "old_suite": "first", "new_suite": "second", "add": (NEW,)}
DOWNLOAD = DownloadPackages(id="download", **APT, **COMMON)
AGAIN = DownloadPackages(id="again", again=True, **APT, **COMMON)
KEEP = KeepVersions(id="keep", **APT, **COMMON)
UPGRADE = UpgradePackages(id="upgrade", kept=True, hold=("memcached", "haproxy", "redis"), **APT, **COMMON)
LIST = (
    "dpkg-query -W -f '${binary:Package} ${Version} ${db:Status-Abbrev}\\n';"
    " apt-mark showauto; apt-mark showhold"
)
ETC = "find /etc -type f ! -name '*-' ! -name ld.so.cache -exec sha256sum {} + | sort -k 2"


class System:
    """A root file system, whose processes end with each command."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree

    def run(self, script: str, *apart: str) -> subprocess.CompletedProcess[str]:
        within = ["unshare", *apart, "--mount", "--pid", "--fork", "--kill-child"]
        enter = f"mount -t proc proc {self.tree}/proc && exec chroot {self.tree} sh -euc {quote(script)}"
        return subprocess.run(
            [*within, "sh", "-c", enter],
            capture_output=True, text=True, check=False, timeout=600, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def say(self, script: str, *apart: str) -> str:
        done = self.run(script, *apart)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout

    def do(self, command: Command | None, *apart: str) -> str:
        assert command
        return self.say(f"sh -c {quote(command.script)}", *apart)

    def versions(self) -> dict[str, str]:
        form = "${Package}\\t${Version}\\n"
        lines = self.say(f"dpkg-query -W -f '{form}' {' '.join(WATCHED)}").splitlines()
        return dict(line.split("\t") for line in lines)


@pytest.fixture(scope="module")
def installed() -> Iterator[Path]:
    """Give a Debian with the suite's own versions, and a pocket with the newer ones beside the first one.

    It lies in memory: dpkg asks the disk after each file.
    """
    if os.getuid() != 0 or not shutil.which("mmdebstrap"):
        pytest.skip("needs root and mmdebstrap (tools/prepare-machine lab)")
    with tempfile.TemporaryDirectory(dir=MEMORY) as base:
        tree = Path(base) / "tree"
        wanted = recipe("versions", SUITE, (*WATCHED, "python3"))
        main = next(one for one in wanted.archives if one.suite == SUITE)
        _bootstrap(wanted, main, tree)
        _make_pockets(System(tree), wanted, main)
        yield tree


def _bootstrap(wanted: Recipe, main: Archive, tree: Path) -> None:
    subprocess.run(
        [
            "unshare", "--mount", "mmdebstrap", "--quiet", "--variant=apt", "--mode=root",
            f"--include={','.join(wanted.packages)}", '--aptopt=APT::Install-Recommends "false";',
            "--dpkgopt=force-unsafe-io", "--skip=cleanup/apt/lists",
            *(f"--aptopt={line}" for line in wanted.apt_settings.splitlines()),
            f"--setup-hook={MERGED_USR}", SUITE, str(tree), main.line(),
        ],
        check=True, timeout=900,
    )  # fmt: skip
    trust_what_this_machine_trusts(tree)
    shutil.copy("/etc/resolv.conf", tree / "etc/resolv.conf")


def _make_pockets(system: System, wanted: Recipe, main: Archive) -> None:
    """Make two local archives, as a cloud archive has one for each release: nothing, and the updates."""
    sources = system.tree / "etc/apt/sources.list"
    sources.write_text("".join(f"{archive.line()}\n" for archive in wanted.archives))
    system.say(f"apt-get -q update; mkdir -p {POCKETS}/first {POCKETS}/second; : > {POCKETS}/first/Packages")
    system.say(f"cd {POCKETS}/second; apt-get -q download {' '.join(WATCHED)}")
    system.say(
        f"cd {POCKETS}/second; for deb in *.deb; do dpkg-deb -f $deb; echo Filename: second/$deb;"
        " echo Size: $(stat -c %s $deb); echo SHA256: $(sha256sum < $deb | cut -d ' ' -f 1); echo;"
        " done > Packages"
    )
    pocket = f"deb [trusted=yes] copy:{POCKETS} first/"  # fetched, as over a network
    sources.write_text(f"{main.line()}\n{pocket}\n")
    system.say("rm -rf /var/lib/apt/lists/*; apt-get -q update")


@pytest.fixture
def system(installed: Path) -> System:
    """Give it as every test leaves it: as it was."""
    return System(installed)


@dataclass(frozen=True)
class State:
    """What must be as it was: packages and their marks, and what lies below ``/etc``."""

    packages: str
    etc: str

    @classmethod
    def of(cls, system: System) -> "State":
        return cls(system.say(LIST), system.say(ETC))


@pytest.fixture
def out_of_reach(system: System) -> Iterator[None]:
    """Take the local archives away."""
    pockets = system.tree / POCKETS.lstrip("/")
    away = pockets.rename(pockets.with_name("away"))
    yield
    away.rename(pockets)


@pytest.fixture
def before(system: System) -> State:
    """Give the state in which everything is fetched, with one file of ours and one package on hold."""
    system.do(DOWNLOAD.revert())
    system.say("echo '# ours' >> /etc/memcached.conf; apt-mark hold librabbitmq4; apt-mark auto memcached")
    system.do(DOWNLOAD.apply())
    system.do(KEEP.apply())
    system.do(KEEP.verify())
    return State.of(system)


def test_packages_go_to_newer_versions_and_come_back(system: System, before: State) -> None:
    old = system.versions()
    system.do(UPGRADE.apply())
    system.do(UPGRADE.verify())
    new = system.versions()
    assert {name for name in WATCHED if new[name] != old[name]} == {*WATCHED} - {"librabbitmq4"}
    assert system.run(f"dpkg -s {NEW}").returncode == 0
    assert " second/" in (system.tree / "etc/apt/sources.list").read_text()
    system.do(UPGRADE.intact())
    system.do(UPGRADE.revert())
    assert State.of(system) == before
    system.say("apt-get -q check")
    system.do(UPGRADE.apply())
    assert system.versions() == new, "it can be upgraded again"
    system.do(UPGRADE.revert())
    assert State.of(system) == before


@pytest.mark.usefixtures("before", "out_of_reach")
def test_what_was_fetched_is_there_whoever_cleans_the_hosts_own_cache(system: System) -> None:
    system.say("apt-get clean")
    system.do(UPGRADE.apply(), "--net")
    system.do(UPGRADE.verify())
    system.do(UPGRADE.revert(), "--net")


@pytest.mark.usefixtures("before")
def test_a_repeated_attempt_fetches_only_what_is_missing(system: System) -> None:
    archives = system.tree / DIRECTORY.lstrip("/") / "archives"
    fetched = {deb.name: deb.stat().st_ino for deb in archives.glob("*.deb")}
    gone = next(name for name in fetched if name.startswith("haproxy"))
    (archives / gone).unlink()
    system.do(DOWNLOAD.apply())
    again = {deb.name: deb.stat().st_ino for deb in archives.glob("*.deb")}
    assert again.keys() == fetched.keys()
    assert {name for name in again if again[name] != fetched[name]} <= {gone}
    system.do(KEEP.is_done())
    assert not list((system.tree / "var/cache/apt/archives").glob("*.deb"))
    system.do(DOWNLOAD.revert())
    assert not archives.parent.exists()


@pytest.mark.usefixtures("before")
def test_what_is_gone_before_anything_stops_is_named_and_fetched_from_an_archive_that_moved_on(
    system: System,
) -> None:
    is_done = AGAIN.is_done()
    system.do(is_done, "--net")
    next((system.tree / DIRECTORY.lstrip("/") / "archives").glob("haproxy*.deb")).unlink()
    done = system.run(f"sh -c {quote(is_done.script)}")
    assert done.returncode != 0
    assert "1 packages were fetched and are gone" in done.stderr
    assert "haproxy_" in done.stderr
    system.say(f"cd {POCKETS}; cp -a second aside; cd second; mv haproxy*.deb moved.deb")
    system.say(f"sed -i 's|second/haproxy.*|second/moved.deb|' {POCKETS}/second/Packages")
    try:
        frozen = system.run(f"{AGAIN.apt()} --download-only dist-upgrade")
        assert frozen.returncode != 0, "the lists of then name what is there no more"
        system.do(AGAIN.apply())
    finally:
        system.say(f"cd {POCKETS}; rm -r second; mv aside second")
    system.do(AGAIN.verify())
    system.do(KEEP.is_done())
    assert AGAIN.revert() is None


def test_packages_that_apt_installs_from_where_they_lie_are_not_missed(system: System) -> None:
    sources = system.tree / "etc/apt/sources.list"
    text = sources.read_text()
    sources.write_text(text.replace(" copy:", " file:"))
    try:
        system.do(DOWNLOAD.revert())
        system.do(DOWNLOAD.apply())
        system.do(DOWNLOAD.verify())
        archives = system.tree / DIRECTORY.lstrip("/") / "archives"
        assert list(archives.glob(f"{NEW}*.deb"))
        assert not list(archives.glob("haproxy*.deb"))
    finally:
        sources.write_text(text)


def test_an_upgrade_that_was_cut_off_comes_back(system: System, before: State) -> None:
    cut = system.tree / "etc/apt/apt.conf.d/99cut"
    cut.write_text('DPkg::Pre-Install-Pkgs {"exit 1";};\n')
    assert system.run(f"sh -c {quote(UPGRADE.apply().script)}").returncode != 0
    system.run(f"dpkg --unpack {POCKETS}/second/memcached*.deb {POCKETS}/second/haproxy*.deb")
    cut.unlink()
    assert State.of(system).packages != before.packages
    system.do(UPGRADE.revert())
    cut.unlink()  # /etc is what it was when the upgrade began
    assert State.of(system) == before


@pytest.mark.usefixtures("before")
def test_what_changes_after_it_was_kept_is_seen_before_anything_stops(system: System) -> None:
    is_done = KEEP.is_done()
    assert is_done
    system.do(is_done)
    system.say(f"dpkg --install {POCKETS}/second/haproxy*.deb")  # as unattended-upgrades does
    assert system.run(f"sh -c {quote(is_done.script)}").returncode != 0
    changed = State.of(system)
    system.do(KEEP.apply())
    system.do(is_done)
    system.do(UPGRADE.apply())
    system.do(UPGRADE.revert())
    assert State.of(system) == changed


def test_packages_that_were_kept_and_are_gone_are_no_way_back(system: System, before: State) -> None:
    kept = next((system.tree / DIRECTORY.lstrip("/") / "kept").glob("memcached*.deb"))
    kept.write_bytes(b"")
    intact = UPGRADE.intact()
    assert intact
    done = system.run(f"sh -c {quote(intact.script)}")
    assert done.returncode != 0
    assert "gone or damaged" in done.stderr
    assert State.of(system) == before
