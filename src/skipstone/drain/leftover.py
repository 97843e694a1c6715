"""What a failed migration leaves on the host where its guest is not: the instance's directory.

Nova refuses to move an instance to a host that has one ("The supplied disk path already exists"). It removes
it at the orderly end of a migration, and never later.
"""

import shlex
from dataclasses import dataclass

from skipstone.cloud.command import Command, Transport
from skipstone.drain.truth import DEADLINE, VIRSH
from skipstone.errors import HostUnreachable

LOCAL = ("btrfs", "ext2/ext3", "f2fs", "jfs", "reiserfs", "xfs", "zfs")
"""File systems, as stat names them, that one host alone has: the guest cannot be using what lies there."""


@dataclass(frozen=True)
class Leftover:
    """An instance's directory on a host, by the inventory's name, that has no such guest."""

    host: str
    uuid: str
    directory: str

    def __str__(self) -> str:
        return f"{self.host} has its directory {self.directory} left"


async def find(transport: Transport, here: str, elsewhere: str, uuid: str) -> Leftover | None:
    """Return what ``elsewhere`` has left of a guest that is ``here``; None too where a host does not say.

    The directory is looked for where the guest has it now. One on storage that both may have is no leftover.
    """
    said = await _said(transport, here, _DIRECTORY.format(virsh=VIRSH, uuid=shlex.quote(uuid)))
    if len(said) != 1:
        return None
    leftover = Leftover(elsewhere, uuid, said[0])
    return leftover if await _said(transport, elsewhere, _script(leftover, "echo left")) else None


async def put_aside(transport: Transport, leftover: Leftover, migration: int) -> None:
    """Give a leftover a name beside its own, with the migration's id; nothing where it is none any more."""
    aside = f"{leftover.directory}.left-by-migration-{migration}"
    await _said(transport, leftover.host, _script(leftover, f'mv -nT -- "$directory" {shlex.quote(aside)}'))


_DIRECTORY = """
{virsh} dumpxml {uuid} | grep -oE "'/[^']*/"{uuid}/ | sed "s,^',,; s,/$,," | sort -u
"""

_SCRIPT = """
set -eu
directory={directory}
all=$({virsh} list --uuid --all)
if printf '%s\\n' "$all" | grep -qx -- {uuid}; then exit 0; fi
if [ ! -d "$directory" ] || [ -L "$directory" ]; then exit 0; fi
case "$(stat -f -c %T -- "$directory")" in
{local}) {act} ;;
esac
"""


def _script(leftover: Leftover, act: str) -> str:
    uuid, directory = shlex.quote(leftover.uuid), shlex.quote(leftover.directory)
    return _SCRIPT.format(virsh=VIRSH, directory=directory, uuid=uuid, local="|".join(LOCAL), act=act)


async def _said(transport: Transport, host: str, script: str) -> list[str]:
    try:
        outcome = await transport.run(Command(host, script), deadline=DEADLINE)
    except HostUnreachable:
        return []
    return outcome.stdout.splitlines() if outcome.ok else []
