"""A host's system kept as a snapshot, and brought back under its running instances.

What takes snapshots is a provider; bringing one back is the same with each: the system's directories are
copied out of it beside the present ones, and change places with them, whole and at once. The host is not
rebooted: instances run on, on computes too.
"""

from typing import Literal, Protocol

from skipstone.cloud.command import Command
from skipstone.cloud.system import KEPT, LIVING, LOOSE, SYSTEM
from skipstone.steps.shell import quote, words
from skipstone.steps.step import Reversibility, Step

STAGE = f"/{KEPT}/restore"
"""Where the copies lie: on the file system of the root, for only there can directories change places."""

_PROTECTED = (
    r"^(dbus.*|getty@.*|console-getty|systemd-logind|user@.*|sshd?@.*|run-.*|skipstone-.*|ovs.*"
    r"|virtlogd|virtlockd)\.service$"
)
"""Services that are not started anew: of one connection or one moment, or instances hang on them."""

_RUNNING = (
    "systemctl list-units --type=service --state=running --no-legend --plain | awk '{print $1}'"
    f" | grep -vE {quote(_PROTECTED)}"
)
_RECORDS = "/run/libvirt/qemu"
"""Where libvirt keeps what it knows of the instances that run."""

_COPY = f"""\
rm -rf {STAGE}
for path in {words(SYSTEM)}; do
    install -d "{STAGE}/$(dirname "$path")"
    if [ -e "$tree/$path" ]; then cp -a --reflink=auto "$tree/$path" "{STAGE}/$path"; fi
done
echo 'a copy of the system as it was stands ready'"""

# once nothing changes them any more
_COPY_LIVING = f"""\
for path in {words(LIVING)}; do
    if [ -e "/$path" ]; then rm -rf "{STAGE}/$path" && cp -a "/$path" "{STAGE}/$path"; fi
done"""

# a directory elsewhere is in no snapshot of the root, and cannot change places
_ON_ROOT = f"""\
for path in {words(SYSTEM)}; do
    if [ -e "/$path" ] && [ "$(stat -c %d "/$path")" != "$(stat -c %d /)" ]; then
        echo "/$path is on a file system or a subvolume of its own; nothing was done" >&2
        exit 1
    fi
done"""

_BRING_LOOSE = f"""\
for path in {words(LOOSE)}; do
    if [ ! -e "/$path" ] || [ "$(stat -c %d "/$path")" != "$(stat -c %d /)" ]; then continue; fi
    if [ -e "$tree/$path" ]; then cp -a "$tree/$path" "/$path"; else rm -f "/$path"; fi
done"""


class SnapshotProvider(Protocol):
    """Renders shell lines that work on snapshots of one host's root, each under a name of ours."""

    def take(self, name: str) -> str:
        """Return lines that take a snapshot, in the place of one of the same name."""

    def show(self, name: str) -> str:
        """Return lines that make a snapshot readable, as the directory ``$tree``; they fail without it."""

    def identify(self, name: str) -> str:
        """Return a command line whose output changes when the snapshot is another one, or was written to."""

    def drop(self, name: str) -> str:
        """Return lines that remove a snapshot; harmless when there is none."""


class BtrfsSnapshots:
    """Snapshots of a root that is a subvolume of btrfs, beside it in ``/.skipstone``."""

    def take(self, name: str) -> str:
        """See ``SnapshotProvider``."""
        take = f"btrfs -q subvolume snapshot -r / {_place(name)}"
        return f"{self.drop(name)}\ninstall -d -m 700 /{KEPT}\n{take}"

    def show(self, name: str) -> str:
        """See ``SnapshotProvider``."""
        return f'tree={_place(name)}\ntest -d "$tree/usr"'

    def identify(self, name: str) -> str:
        """See ``SnapshotProvider``."""
        # not its generation, which `btrfs balance` moves too
        return f"btrfs subvolume show {_place(name)} | grep -E '^[[:blank:]]*(UUID|Creation time|Flags):'"

    def drop(self, name: str) -> str:
        """See ``SnapshotProvider``."""
        return f"if [ -d {_place(name)} ]; then btrfs -q subvolume delete {_place(name)}; fi"


def _place(name: str) -> str:
    return quote(f"/{KEPT}/{name}")


PROVIDERS: dict[str, SnapshotProvider] = {"btrfs": BtrfsSnapshots()}

# renameat2(2) with RENAME_EXCHANGE, of which mv(1) knows from coreutils 9.5 on
_CHANGE_PLACES = """\
import ctypes, os, sys
stage, *paths = sys.argv[1:]
rename = ctypes.CDLL(None, use_errno=True).renameat2
for path in paths:
    new, now = f"{stage}/{path}", f"/{path}"
    both = os.path.lexists(new) and os.path.lexists(now)
    source, goal = (new, now) if os.path.lexists(new) else (now, new)
    if os.path.lexists(source) and rename(-100, source.encode(), -100, goal.encode(), 2 if both else 1):
        sys.exit(f"{now} cannot change places: {os.strerror(ctypes.get_errno())}")
"""


class _OfSnapshot(Step):
    """What the steps know about a snapshot: who makes it, and its name."""

    provider: str
    name: str

    def _provider(self) -> SnapshotProvider:
        return PROVIDERS[self.provider]


class TakeSnapshot(_OfSnapshot):
    """Take a snapshot of a host's system; its revert brings the system back, whatever was done to it since.

    ``directory`` keeps which services ran, and libvirt's records of its instances. ``switch`` says that the
    host has Open vSwitch.
    """

    kind: Literal["take-snapshot"] = "take-snapshot"
    directory: str
    switch: bool = False

    def holds(self) -> tuple[str, ...]:
        """Return the host: the revert undoes whatever later steps did there."""
        return (self.host,)

    def apply(self) -> Command:
        """Write down what runs, then take it."""
        return self.on_host(f"""
{_ON_ROOT}
install -d -m 700 {self.directory}
{_RUNNING} > {self.directory}/running
rm -rf {self.directory}/libvirt
if [ -d {_RECORDS} ]; then cp -a {_RECORDS} {self.directory}/libvirt; fi
rm -f {self.directory}/identity
{self._provider().take(self.name)}
sync -f /
{self._provider().identify(self.name)} > {self.directory}/identity
""")

    def verify(self) -> Command:
        """Compare packages and accounts in it with the host's; other files may change by themselves."""
        return self.on_host(f"""
{self._provider().show(self.name)}
cmp "$tree/var/lib/dpkg/status" /var/lib/dpkg/status
cmp "$tree/etc/passwd" /etc/passwd
test "$(ls "$tree/usr/bin" | wc -l)" = "$(ls /usr/bin | wc -l)"
""")

    def intact(self) -> Command:
        """Compare the snapshot with what was written down of it."""
        lost = f"the snapshot {self.name} on {self.host} is gone, or was written to"
        return self.on_host(f"""
test -e {self.directory}/running
{self._provider().identify(self.name)} | cmp -s - {self.directory}/identity || {{
    echo {quote(lost)} >&2
    exit 1
}}
""")

    def revert(self) -> Command:
        """Bring the system back; nothing is changed before the whole copy is there."""
        return self.on_host(f"""
{self._provider().show(self.name)}
test -e {self.directory}/running
{_ON_ROOT}
{_COPY}
{_RUNNING} | grep -vxFf {self.directory}/running > {STAGE}/stop || true
systemctl stop $(cat {STAGE}/stop) mariadb rabbitmq-server epmd libvirtd 2> /dev/null || true
{_COPY_LIVING}
{self._saved_flows()}
python3 -c {quote(_CHANGE_PLACES)} {STAGE} {words(SYSTEM)}
echo 'the system as it was is in its place'
{_BRING_LOOSE}
systemctl daemon-reexec
{self._adoption()}
while read -r unit; do
    systemctl restart "$unit" || echo "$unit ran before, and does not come up: see to it" >&2
done < {self.directory}/running
{self._restored_flows()}
cmp "$tree/var/lib/dpkg/status" /var/lib/dpkg/status
rm -rf {STAGE}
""")

    def _saved_flows(self) -> str:
        if not self.switch:
            return ""
        return f"/usr/share/openvswitch/scripts/ovs-save save-flows $(ovs-vsctl list-br) > {STAGE}/flows"

    def _restored_flows(self) -> str:
        return f"systemctl reload openvswitch-switch\nsh -e {STAGE}/flows" if self.switch else ""

    def _adoption(self) -> str:
        """Return lines that give libvirt its own records again: an older one cannot read a newer one's."""
        return f"""\
for record in {self.directory}/libvirt/*.xml; do
    process=${{record%.xml}}.pid
    if cmp -s "$process" "{_RECORDS}/$(basename "$process")"; then cp "$record" {_RECORDS}/; fi
done"""


class DropSnapshot(_OfSnapshot):
    """Remove a snapshot: from here on the host cannot be brought back."""

    kind: Literal["drop-snapshot"] = "drop-snapshot"
    reversibility: Reversibility = Reversibility.NONE

    def apply(self) -> Command:
        """Remove it; harmless when there is none."""
        return self.on_host(self._provider().drop(self.name))
