"""Packages that a reboot has cut off at their work: the real dpkg and apt, in a root of ours."""

import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from skipstone.cloud.command import Command
from skipstone.steps import versions
from skipstone.steps.packages import UpgradePackages

pytestmark = pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs a Debian")

APT_CONFIG = """\
Dir "{root}";
Dir::State::status "{root}/var/lib/dpkg/status";
Dir::Etc::Trusted "/dev/null";
DPkg::Options {{ "--root={root}"; "--force-not-root"; "--force-bad-path"; "--log=/dev/null"; }};
APT::Sandbox::User "";
APT::Architecture "all";
"""
DIRECTORIES = (
    *("var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/apt/lists", "var/cache/apt", "var/log/apt"),
    *("etc/apt/apt.conf.d", "etc/apt/preferences.d"),
)
PACKAGE = "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: t <t@example.org>\n"
WAY = {"id": "p", "title": "t", "host": "h", "deadline": 1, "estimate": 1, "old_suite": "a", "new_suite": "b"}


@dataclass(frozen=True)
class Root:
    """A Debian of two packages, ``zones`` and ``dates``, which depends on the other one."""

    place: Path

    @property
    def step(self) -> UpgradePackages:
        return UpgradePackages(directory=str(self.place / "work"), kept=True, **WAY)

    @property
    def environment(self) -> dict[str, str]:
        root = self.place / "root"
        return {
            **os.environ,
            "LC_ALL": "C.UTF-8",
            "APT_CONFIG": str(self.place / "apt.conf"),
            "DPKG_ROOT": str(root),
            "DPKG_ADMINDIR": str(root / "var/lib/dpkg"),
        }

    def run(self, script: str) -> str:
        done = self.done(script)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def done(self, script: str) -> "subprocess.CompletedProcess[str]":
        """Run a script, whose files below ``/usr`` are the root's."""
        return subprocess.run(
            ["sh", "-eus"],
            input=script.replace(" /usr/", f" {self.place}/root/usr/"),
            env=self.environment,
            text=True,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def make(self, name: str, version: str, more: str = "") -> Path:
        """Build a package with one file and return its .deb."""
        tree = self.place / f"{name}-{version}"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "usr/share").mkdir(parents=True)
        (tree / "usr/share" / name).write_text(version)
        (tree / "DEBIAN/control").write_text(
            PACKAGE.format(name=name, version=version) + more + "Description: t\n"
        )
        deb = self.place / "debs" / f"{name}_{version}_all.deb"
        deb.parent.mkdir(exist_ok=True)
        self.run(f"dpkg-deb --root-owner-group --build {tree} {deb}")
        return deb

    def archive(self) -> None:
        """Make an archive of the packages, and fetch its list."""
        debs = self.place / "debs"
        with (debs / "Packages").open("w") as file:
            for deb in debs.glob("*.deb"):
                sha256 = hashlib.sha256(deb.read_bytes()).hexdigest()
                file.write(self.run(f"dpkg-deb --field {deb}"))
                file.write(f"Filename: ./{deb.name}\nSize: {deb.stat().st_size}\nSHA256: {sha256}\n\n")
        self.run(f"{self.step.apt()} update")

    def unpack(self, deb: Path) -> None:
        self.run(f"dpkg --force-not-root --force-bad-path --log=/dev/null --unpack {deb}")

    def cut_off(self, name: str) -> None:
        """Leave a package as dpkg does that dies while it unpacks it."""
        status = self.place / "root/var/lib/dpkg/status"
        found = rf"(Package: {name}\nStatus: install )\S+ \S+"
        status.write_text(re.sub(found, r"\1reinstreq half-installed", status.read_text()))
        (self.place / "root/usr/share" / name).unlink()

    def installed(self) -> list[str]:
        return self.run("dpkg-query -W -f '${Package} ${Version} ${db:Status-Abbrev}\\n'").splitlines()


@pytest.fixture
def root(tmp_path: Path) -> Root:
    """Both packages at version 1, and an archive of version 2; ``dates`` 2 is unpacked already."""
    root = Root(tmp_path)
    for directory in DIRECTORIES:
        (tmp_path / "root" / directory).mkdir(parents=True)
    (tmp_path / "root/var/lib/dpkg/status").touch()
    (tmp_path / "apt.conf").write_text(APT_CONFIG.format(root=tmp_path / "root"))
    work = tmp_path / "work"
    for directory in ("parts", "lists/partial", "archives/partial", "kept", "before"):
        (work / directory).mkdir(parents=True)
    (work / "sources.list").write_text(f"deb [trusted=yes] file:{tmp_path}/debs ./\n")
    (work / "before/packages.tsv").write_text("dates\t1\tii \nzones\t1\tii \n")
    for name, more in (("zones", ""), ("dates", "Depends: zones\n")):
        root.unpack(root.make(name, "1", more))
        shutil.move(tmp_path / f"debs/{name}_1_all.deb", work / "kept")
    root.run("dpkg --force-not-root --force-bad-path --log=/dev/null --configure -a")
    root.run("apt-mark auto zones")
    root.make("zones", "2")
    root.make("dates", "2", "Depends: zones\n")
    root.archive()
    root.unpack(tmp_path / "debs/dates_2_all.deb")
    return root


@pytest.mark.parametrize("again", [False, True], ids=["the old one's place", "its own place"])
def test_it_is_unpacked_anew(root: Root, again: bool) -> None:
    """``again``: it had the new version when it was unpacked once more, as by a second attempt."""
    if again:
        root.unpack(root.place / "debs/zones_2_all.deb")
    root.cut_off("zones")
    root.run(root.step.make_whole())
    assert root.installed() == ["dates 2 ii ", "zones 2 ii "]
    assert (root.place / "root/usr/share/zones").read_text() == "2"
    assert root.run("apt-mark showauto 2> /dev/null").split() == ["zones"], "as it was marked before"


def test_its_way_back_too(root: Root) -> None:
    root.cut_off("zones")
    (lines,) = re.findall(r"(?s)^broken=.*?^fi\n", script_of(root.step.revert()), re.MULTILINE)
    root.run(lines)
    assert root.installed() == ["dates 1 ii ", "zones 1 ii "]
    assert (root.place / "root/usr/share/zones").read_text() == "1"


def test_nothing_is_reinstalled_where_nothing_was_cut_off(root: Root) -> None:
    said = root.run(root.step.make_whole())
    assert root.installed() == ["dates 2 ii ", "zones 1 ii "]
    assert "Unpacking zones" not in said


@pytest.fixture
def policy(root: Root) -> Path:
    """Leave what keeps packages from restarting their services, as an attempt does that is cut off."""
    policy = root.place / "root/usr/sbin/policy-rc.d"
    policy.parent.mkdir(parents=True)
    policy.write_text("#!/bin/sh\n")
    return policy


def script_of(command: Command | None) -> str:
    assert command
    return command.script


def test_it_is_not_done_before_services_may_be_restarted_again(root: Root, policy: Path) -> None:
    root.run(f"{root.step.apt()} dist-upgrade")
    (root.place / "work/installed").touch()
    assert root.done(root.step.is_done().script).returncode != 0
    policy.unlink()
    assert root.done(root.step.is_done().script).returncode == 0


def test_nor_is_its_way_back(root: Root, policy: Path) -> None:
    shutil.rmtree(root.place / "work/before")
    root.run(script_of(root.step.revert()))
    assert not policy.exists()


def test_what_was_written_down_goes_at_once(root: Root) -> None:
    last = script_of(root.step.revert()).partition("\nsync -f / /etc /usr /var\n")[2]
    root.done(f"before={root.place}/work/before\nrm() {{ exit 1; }}\n{last}")
    assert not (root.place / "work/before").exists()


def test_what_was_kept_is_of_one_attempt(root: Root) -> None:
    part = root.place / "work/kept.part"
    part.mkdir()
    (part / "zones_0_all.deb").write_text("")
    root.run(versions.fetch(str(root.place / "work"), "true").replace("-o _apt ", ""))
    assert not list((root.place / "work/kept").glob("*.deb"))
