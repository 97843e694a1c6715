"""Providers: what keeps a host's system as it is, each under a name of ours.

Bringing a system back is the same with each (``snapshot.py``). Another distribution adds its own under the
entry point ``skipstone.snapshots``, as a class without arguments.
"""

from functools import cache
from importlib import resources
from importlib.metadata import entry_points
from typing import Protocol

from skipstone.cloud.system import BTRFS, COPY, KEPT, LOOSE, LVM, SYSTEM
from skipstone.errors import InputError
from skipstone.steps.shell import quote, words

ENTRY_POINTS = "skipstone.snapshots"
"""Group of the entry points of other providers; the name is the one that an inventory gives."""

STATEFUL = ("mariadb", "rabbitmq-server")
"""Services whose files are of one moment only while they stand still."""


class SnapshotProvider(Protocol):
    """Renders shell lines that work on what is kept of one host's system.

    ``atomic`` says that all files are of one moment, whatever is written meanwhile. ``everywhere`` says that
    paths on file systems of their own are kept too; else the root's file system is all.
    """

    atomic: bool
    everywhere: bool

    def take(self, name: str) -> str:
        """Return lines that keep the system, in the place of what was kept under the same name."""

    def show(self, name: str) -> str:
        """Return lines that make what is kept readable, as the directory ``$tree``; they fail without it."""

    def identify(self, name: str) -> str:
        """Return a command line whose output changes when it is another one, or was written to."""

    def drop(self, name: str) -> str:
        """Return lines that remove it; harmless when there is none."""


def provider(name: str) -> SnapshotProvider:
    """Return the provider of this name; raise InputError where none is installed."""
    if name in PROVIDERS:
        return PROVIDERS[name]
    found = _others().get(name)
    if found is None:
        raise InputError(
            f"there is no snapshot provider {name!r}",
            where="snapshots",
            remedy=f"known here: {', '.join([*PROVIDERS, *_others()])}",
        )
    return found


@cache
def _others() -> dict[str, SnapshotProvider]:
    return {point.name: point.load()() for point in entry_points(group=ENTRY_POINTS)}


class BtrfsSnapshots:
    """Snapshots of a root that is a subvolume of btrfs, beside it in ``/.skipstone``."""

    atomic = True
    everywhere = False

    def take(self, name: str) -> str:
        """See ``SnapshotProvider``."""
        take = f"btrfs -q subvolume snapshot -r / {_place(name)}"
        return f"{self.drop(name)}\ninstall -d -m 700 /{KEPT}\n{take}"

    def show(self, name: str) -> str:
        """See ``SnapshotProvider``."""
        return _shown(name)

    def identify(self, name: str) -> str:
        """See ``SnapshotProvider``."""
        # not its generation, which `btrfs balance` moves too; the upgrade brings another tzdata
        show = f"TZ=UTC btrfs subvolume show {_place(name)}"
        return f"{show} | grep -E '^[[:blank:]]*(UUID|Creation time|Flags):'"

    def drop(self, name: str) -> str:
        """See ``SnapshotProvider``."""
        return f"if [ -d {_place(name)} ]; then btrfs -q subvolume delete {_place(name)}; fi"


class LvmSnapshots:
    """Snapshots of a root that is a logical volume, as large as its volume group has room.

    One that runs full while the host is upgraded is invalid, and says so in its attributes.
    """

    atomic = True
    everywhere = False

    def take(self, name: str) -> str:
        """See ``SnapshotProvider``."""
        volume = quote(_volume(name))
        return f"""\
{self.drop(name)}
root=$(findmnt -no SOURCE /)
pool=$(lvs --noheadings -o pool_lv "$root" | tr -d ' ')
if [ -n "$pool" ]; then room="-kn"; else room="-l 90%FREE"; fi
lvcreate -qq -y -s -p r $room -n {volume} "$root"
"""

    def show(self, name: str) -> str:
        """See ``SnapshotProvider``."""
        options = 'ro$([ "$(findmnt -no FSTYPE /)" = xfs ] && echo ,nouuid)'
        return f"""\
install -d -m 700 /{KEPT} {_place(name)}
mountpoint -q {_place(name)} || mount -o "{options}" {self._device(name)} {_place(name)}
{_shown(name)}"""

    def identify(self, name: str) -> str:
        """See ``SnapshotProvider``."""
        return f"lvs --noheadings -o lv_uuid,lv_permissions,lv_snapshot_invalid {self._device(name)}"

    def drop(self, name: str) -> str:
        """See ``SnapshotProvider``."""
        return f"""\
if mountpoint -q {_place(name)}; then umount {_place(name)}; fi
if [ -d {_place(name)} ]; then rmdir {_place(name)}; fi
if lvs {self._device(name)} > /dev/null 2>&1; then lvremove -qq -y {self._device(name)}; fi"""

    def _device(self, name: str) -> str:
        group = '"$(lvs --noheadings -o vg_name "$(findmnt -no SOURCE /)" | tr -d \' \')"'
        return f"/dev/{group}/{quote(_volume(name))}"


class Copies:
    """Plain copies of the system's directories, each on its own file system."""

    atomic = False
    everywhere = True

    def take(self, name: str) -> str:
        """See ``SnapshotProvider``."""
        return f"{PLACES}\nplaces keep / {quote(name)} {words((*SYSTEM, *LOOSE))}"

    def show(self, name: str) -> str:
        """See ``SnapshotProvider``."""
        return _shown(name)

    def identify(self, name: str) -> str:
        """See ``SnapshotProvider``."""
        # whoever writes to a file, or to what is known of it, moves the time of its last change
        kept = " ".join(f"{_place(name)}/{path}/" for path in SYSTEM)
        return f"find {kept} -printf '%p %s %C@\\n' 2> /dev/null | LC_ALL=C sort | sha256sum"

    def drop(self, name: str) -> str:
        """See ``SnapshotProvider``."""
        return f"{PLACES}\nplaces drop / {quote(name)} {words((*SYSTEM, *LOOSE))}"


PROVIDERS: dict[str, SnapshotProvider] = {
    BTRFS: BtrfsSnapshots(),
    LVM: LvmSnapshots(),
    COPY: Copies(),
}


def _place(name: str) -> str:
    return quote(f"/{KEPT}/{name}")


def _volume(name: str) -> str:
    return f"skipstone-{name}"


def _shown(name: str) -> str:
    return f'tree={_place(name)}\ntest -d "$tree/usr"'


_PROGRAM = resources.files("skipstone.steps.scripts").joinpath("places.py").read_text()

PLACES = f"""\
places() {{
    python3 - "$@" <<'END-OF-PROGRAM'
{_PROGRAM}END-OF-PROGRAM
}}"""
"""Shell function ``places`` (``steps/scripts/places.py``)."""
