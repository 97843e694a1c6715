"""A host that is installed anew is itself again; until then nothing of it is lost, and nothing is told."""

import ast
import asyncio
import json
import os
import signal
import tarfile
from pathlib import Path, PurePosixPath

import pytest

from skipstone.catalog import load_catalog
from skipstone.cloud.command import OPERATOR, Command, Outcome
from skipstone.cloud.transport import open_transport
from skipstone.errors import HostUnreachable, InputError, SkipstoneError
from skipstone.reinstall.identity import keep, keys_in, restore
from skipstone.reinstall.store import Kept, Names
from skipstone.run.journal import read_view
from skipstone.run.state import Kind, RunState
from skipstone.steps.reinstall import ReinstallHost, SettleIdentity
from tests.faults.hosts import NAME, Place, new_place, system
from tests.faults.toyrun import apply, prepare, rollback
from tests.unit.cloud.sshd import PROGRAM, unused_port
from tests.unit.run.toy import plan_of, toy

OURS = PurePosixPath("/var/lib/skipstone/p/identity")
NODE = "7d8a0d9e-8e6e-4b52-9d8e-0a3a2f5c1d11"
NAMES = Names("service", "cmp1.example.org", NODE)
OLD = """
rm -rf /etc/ssh/ssh_host_* /etc/apt/sources.list.d /etc/apt/sources.list
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
echo cmp1 > /etc/hostname
echo 0123456789abcdef0123456789abcdef > /etc/machine-id
groupadd --system --gid 4321 nova
useradd --system --uid 4320 --gid nova --home-dir /var/lib/nova --shell /bin/sh nova
groupadd --system --gid 4322 libvirt
gpasswd -a nova libvirt > /dev/null
install -d -m 750 -o root -g nova /etc/nova /etc/nova/nova.conf.d
install -d -m 700 /etc/libvirt/secrets /var/lib/nova/.ssh
echo 'password = of-nova' > /etc/nova/nova.conf
chown root:nova /etc/nova/nova.conf
chmod 640 /etc/nova/nova.conf
echo key > /etc/libvirt/secrets/one.base64
chmod 600 /etc/libvirt/secrets/one.base64
mkdir -p /etc/systemd/system/nova-compute.service.d /etc/apt/sources.list.d
echo '[Service]' > /etc/systemd/system/nova-compute.service.d/own.conf
echo '[Unit]' > /etc/systemd/system/nova-own.service
ln -sf /dev/null /etc/systemd/system/nova-masked.service
echo '[Unit]' > /etc/systemd/system/nova-compute.service.d/90-skipstone-blocked.conf
echo 'deb http://old.example bookworm main' > /etc/apt/sources.list.d/own.list
printf 'libvirtd-tcp.socket enabled enabled\\nlibvirt-guests.service disabled enabled\\n' > /var/units
"""
FRESH = """
rm -rf /etc/ssh/ssh_host_* /etc/apt/sources.list.d /etc/apt/sources.list
mkdir -p /etc/apt/sources.list.d
echo 'deb http://image.example bookworm main' > /etc/apt/sources.list.d/image.list
"""
STATE = f"""
cat /etc/machine-id /etc/hostname
stat -c '%a %U %G %n' /etc/nova/nova.conf /etc/nova /etc/libvirt/secrets /etc/libvirt/secrets/one.base64
cat /etc/nova/nova.conf /etc/libvirt/secrets/one.base64
id -u nova
ls /etc/apt/sources.list.d /etc/systemd/system/nova-compute.service.d
ls {OURS}/of-image/etc/apt/sources.list.d
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    overlay = "overlay" in Path("/proc/filesystems").read_text()
    if os.getuid() != 0 or not Path(PROGRAM).exists() or not overlay:
        pytest.skip("needs root, sshd (tools/prepare-machine tests) and overlayfs")
    return new_place(tmp_path, unused_port())


def on(place: Place, script: str) -> Outcome:
    async def asked() -> Outcome:
        async with open_transport(place.inventory) as transport:
            return await transport.run(Command(NAME, f"set -eu\n{script}"), deadline=60)

    return asyncio.run(asked())


def codename() -> str:
    text = Path("/etc/os-release").read_text()
    return next(line for line in text.splitlines() if "CODENAME" in line).partition("=")[2]


def kept_of(place: Place) -> tuple[Kept, str]:
    """Keep the identity of an old system, and return it with the key that the operator knows."""
    kept = Kept(place.directory / "state" / "identities" / "p" / NAME, NAME)
    with system(place, "old", OLD) as public:
        place.trust(public)
        own = on(place, "cat /etc/ssh/ssh_host_ed25519_key.pub").stdout
        asyncio.run(keep(place.inventory, load_catalog(), kept, OURS))
        kept.note(NAMES)
        with pytest.raises(SkipstoneError) as refused:
            brought_back(place, kept, public)
        assert "this is the old system" in refused.value.evidence
    return kept, own


def brought_back(place: Place, kept: Kept, public: str, debian: str = "") -> None:
    asyncio.run(restore(place.inventory, kept, OURS, codename=debian or codename(), keys=keys_in(public)))


def test_what_is_kept_is_for_its_owner_only_and_nothing_that_packages_ship(place: Place) -> None:
    kept, _ = kept_of(place)
    assert kept.archive.stat().st_mode & 0o777 == 0o600
    assert kept.directory.stat().st_mode & 0o777 == 0o700
    with tarfile.open(kept.archive) as archive:
        names = archive.getnames()
        facts = json.loads(archive.extractfile("facts.json").read())  # type: ignore[union-attr]
    assert "etc/systemd/system/nova-own.service" in names
    assert "etc/systemd/system/nova-masked.service" not in names
    assert {"etc/nova/nova.conf", "etc/machine-id", "etc/libvirt/secrets/one.base64"} <= set(names)
    assert not [name for name in names if "skipstone" in name], "what blocks units is of the moment"
    assert not [name for name in names if "debian-archive" in name], "keyrings of packages come with them"
    (nova,) = (one for one in facts["accounts"]["users"] if one["name"] == "nova")
    assert (nova["uid"], nova["group"]) == (4320, "nova")
    assert facts["units"]["libvirtd-tcp.socket"] == "enabled"
    assert kept.expect_whole() == len(names) - 1


def test_a_fresh_system_becomes_the_host_that_it_was(place: Place) -> None:
    kept, own = kept_of(place)
    place.trust(own)
    with system(place, "new", FRESH) as image:
        with pytest.raises(HostUnreachable):
            brought_back(place, kept, own)
        brought_back(place, kept, image)
        brought_back(place, kept, image)  # a further attempt finds it done
        said = on(place, STATE)
        assert said.ok, said.stderr
        assert said.stdout.split("\n")[:-1] == [
            *("0123456789abcdef0123456789abcdef", "cmp1"),
            *("640 root nova /etc/nova/nova.conf", "750 root nova /etc/nova"),
            *("700 root root /etc/libvirt/secrets", "600 root root /etc/libvirt/secrets/one.base64"),
            *("password = of-nova", "key", "4320"),
            *("/etc/apt/sources.list.d:", "own.list", ""),
            *("/etc/systemd/system/nova-compute.service.d:", "own.conf", "image.list"),
        ]
        assert on(place, "grep -c reboot /var/told").stdout.strip() == "1"
        on(place, "echo 'my_ip = of-the-package' >> /etc/nova/nova.conf; mkdir -p /var/lib/nova")
        settle = SettleIdentity(id="s", title="t", host=NAME, deadline=60, estimate=1, directory=str(OURS))
        for _ in range(2):
            done = on(place, settle.apply().script)
            assert done.ok, done.stderr
        assert on(place, "cat /etc/nova/nova.conf").stdout == "password = of-nova\n"
        assert on(place, "cat /var/lib/nova/compute_id").stdout.strip() == NODE
        told = on(place, "cat /var/told").stdout
        assert "systemctl --quiet enable libvirtd-tcp.socket" in told
        assert "systemctl start libvirtd-tcp.socket" in told
        assert "systemctl --quiet disable libvirt-guests.service" in told


def test_another_debian_than_was_wanted_is_told(place: Place) -> None:
    kept, _ = kept_of(place)
    with system(place, "new", FRESH) as image:
        place.trust(image)
        with pytest.raises(SkipstoneError) as refused:
            brought_back(place, kept, image, debian="sid")
        assert f"the hook has installed {codename()}, and not sid" in refused.value.evidence
        assert on(place, "id nova").code != 0, "nothing was brought back"


HOOK = """\
#!/bin/sh
set -eu
cd "$(dirname "$0")"
echo "$*" >> calls
if [ -e "disturbed-$1" ]; then . "./disturbed-$1"; fi
case $1 in
    install) cat /proc/sys/kernel/random/uuid > system; sleep 0.3 ;;
    show) echo "ssh-ed25519 $(base64 -w0 system)" ;;
esac
"""


class Installer:
    """A hook as an operator would write it, in its place."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "install-compute"
        self.install()

    def install(self) -> None:
        self.path.write_text(HOOK)
        self.path.chmod(0o755)

    def disturb(self, verb: str, script: str) -> None:
        (self.path.parent / f"disturbed-{verb}").write_text(script)

    @property
    def calls(self) -> list[str]:
        found = self.path.parent / "calls"
        return found.read_text().splitlines() if found.exists() else []


@pytest.fixture
def installer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installer:
    """Give the hook of a plan that installs a host of which everything is kept, and nothing is on it."""
    monkeypatch.setenv("SKIPSTONE_STATE_DIR", str(tmp_path / "state"))
    home = tmp_path / "hook"
    home.mkdir()
    found = Installer(home)
    step = ReinstallHost(
        id="anew",
        title="t",
        deadline=8,
        estimate=1,
        compute="h1",
        plan="p",
        hook=str(found.path),
        debian="trixie",
        release="2025.1",
    )
    prepare(tmp_path, plan_of([toy("before", host=OPERATOR, script="true", undo="true")], [step]))
    kept = Kept(tmp_path / "state" / "identities" / "p" / "h1", "h1")
    with kept.written() as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name in ("facts.json", "etc/hostname", "etc/machine-id", "etc/ssh/ssh_host_rsa_key"):
            archive.addfile(tarfile.TarInfo(name))
    kept.note(NAMES)
    kept.allow()
    return found


def said(base: Path) -> str:
    return (base / "out").read_text()


def view(base: Path) -> RunState:
    return read_view(base / "state" / "runs" / "toyplan-1" / "journal.db").state


@pytest.mark.parametrize(
    "point",
    ["", *(f"{when}-{kind}@anew" for when, kind in (("before", Kind.SUBMITTED), ("after", Kind.OUTCOME)))],
)
def test_the_hook_is_called_once_whatever_is_killed(tmp_path: Path, installer: Installer, point: str) -> None:
    if point:
        assert apply(tmp_path, f"{point}:kill") == -signal.SIGKILL, said(tmp_path)
    assert apply(tmp_path) == 0, said(tmp_path)
    assert [call for call in installer.calls if "install" in call] == ["install h1 trixie 2025.1"]
    assert view(tmp_path) is RunState.DONE
    assert rollback(tmp_path) == 2
    assert "past its point of no return" in said(tmp_path)


@pytest.mark.parametrize(
    ("disturbance", "told"),
    [
        ("sleep 60", "it was not over at its deadline of 8 s"),
        ("exit 3", "the reinstall hook failed: install for h1 exited with 3"),
        ("rm install-compute; exit 0", "is not there, or cannot be executed"),
    ],
)
def test_a_hook_that_fails_is_named_and_called_again_once_repaired(
    tmp_path: Path, installer: Installer, disturbance: str, told: str
) -> None:
    installer.disturb("install", f"echo password=hunter2\n{disturbance}\n")
    assert apply(tmp_path) == 4
    assert told in said(tmp_path).replace("\n", " ")
    for path in (tmp_path / "state").rglob("*"):
        if path.is_file() and path.stat().st_mode & 0o077:
            assert b"hunter2" not in path.read_bytes(), path
    assert "hunter2" not in said(tmp_path)
    (installer.path.parent / "disturbed-install").unlink()
    installer.install()
    assert apply(tmp_path) == 0, said(tmp_path)


def test_without_what_makes_it_itself_no_host_is_installed_anew(tmp_path: Path, installer: Installer) -> None:
    archive = tmp_path / "state" / "identities" / "p" / "h1" / "identity.tar.gz"
    archive.write_bytes(archive.read_bytes()[:-20])
    assert apply(tmp_path) == 4
    assert "what was kept of it is gone or damaged" in said(tmp_path)
    assert not installer.calls


def test_what_was_kept_is_not_replaced_once_the_disks_may_be_gone(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "p" / "h1", "h1")
    with kept.written() as file:
        file.write(b"all that there is")
    kept.allow()
    with pytest.raises(InputError, match="all that there is"), kept.written():
        pass
    assert kept.archive.read_bytes() == b"all that there is"


def test_the_programs_run_on_the_oldest_python() -> None:
    """Debian 11 has 3.9: nothing newer is in their text."""
    for name in ("keeping", "bringing"):
        path = Path(__file__).parents[2] / "src/skipstone/reinstall/scripts" / f"{name}.py"
        ast.parse(path.read_text(), feature_version=(3, 9))
