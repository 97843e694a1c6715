"""Fetches what makes a host itself, and brings it back to a system that was installed anew."""

import asyncio
import base64
import json
import re
import shlex
import time
from importlib import resources
from pathlib import PurePosixPath

from skipstone.catalog import Catalog
from skipstone.cloud.command import Command, Outcome
from skipstone.cloud.inventory import Inventory
from skipstone.cloud.scope import Scope
from skipstone.cloud.transport import CloudTransport, open_transport
from skipstone.errors import HostUnreachable, InputError, SkipstoneError
from skipstone.reinstall.store import Kept, Pouring

FILES = (
    *("etc/hostname", "etc/hosts", "etc/machine-id", "etc/ssh/ssh_host_*"),
    *("etc/network/interfaces", "etc/network/interfaces.d/*", "etc/systemd/network/**/*", "etc/netplan/*"),
    *("etc/NetworkManager/system-connections/*", "etc/modules", "etc/modules-load.d/*"),
    *("etc/sysctl.conf", "etc/sysctl.d/*", "etc/modprobe.d/*"),
    *("etc/iscsi/initiatorname.iscsi", "etc/iscsi/iscsid.conf", "etc/nvme/*"),
    *("etc/multipath.conf", "etc/multipath/*", "etc/ceph/*", "etc/pki/**/*"),
    *("etc/libvirt/*", "etc/libvirt/hooks/**/*", "etc/libvirt/secrets/*", "etc/libvirt/storage/**/*"),
    *("etc/libvirt/qemu/networks/**/*", "etc/openvswitch/system-id.conf"),
    *("etc/default/libvirt*", "etc/default/openvswitch*", "etc/default/ovn*"),
    *("var/lib/nova/compute_id", "var/lib/nova/.ssh/*", "root/.ssh/*"),
    *("etc/apt/sources.list", "etc/apt/sources.list.d/*", "etc/apt/preferences", "etc/apt/preferences.d/*"),
    *("etc/apt/apt.conf", "etc/apt/apt.conf.d/*", "etc/apt/auth.conf", "etc/apt/auth.conf.d/*"),
    *("etc/apt/keyrings/*", "etc/apt/trusted.gpg.d/*", "usr/share/keyrings/*"),
    "usr/local/share/ca-certificates/**/*",
)
"""What a compute is, beside the services' own configuration: globs below the root."""

UNITS = ("libvirt*", "virt*", "openvswitch*", "ovs*", "ovn*", "iscsid", "open-iscsi", "multipathd")
"""Units whose state belongs to the host, beside the services' own."""

LIMIT = 64 << 20
"""Bytes that an identity may have."""

KEEP_SECONDS, RESTORE_SECONDS, BOOT_SECONDS, LOOK_SECONDS = 300.0, 600.0, 900.0, 60.0
_PAUSE = 3.0
_KEY = re.compile(r"^(?:ssh|ecdsa|sk-ssh|sk-ecdsa)-[a-z0-9@.-]+ [A-Za-z0-9+/=]+", re.MULTILINE)
_BOOT_ID = "cat /proc/sys/kernel/random/boot_id"


def globs(catalog: Catalog) -> tuple[str, ...]:
    """Return the globs of everything that is kept of a host."""
    directories = (path.lstrip("/") for service in catalog.services for path in service.config_dirs)
    names = [service.name for service in catalog.services]
    own = [f"etc/systemd/system/{pattern}.service" for pattern in _patterns(catalog)]
    units = (*own, *(f"{unit}.d/*" for unit in own))
    return (
        *FILES,
        *(f"{one}/**/*" for one in directories),
        *(f"etc/default/{one}*" for one in names),
        *units,
    )


def _patterns(catalog: Catalog) -> tuple[str, ...]:
    known = set(Scope.of(catalog).units) - {"ssh", "sshd", "dbus", "polkit"}
    return tuple(sorted({*known, *UNITS}))


async def keep(inventory: Inventory, catalog: Catalog, kept: Kept, place: PurePosixPath) -> None:
    """Copy a host's identity here; ``place`` is our directory there. Raise SkipstoneError where not."""
    asked = json.dumps({"files": globs(catalog), "units": _patterns(catalog)})
    words = shlex.join(["python3", "-I", "-B", "-c", _program("keeping"), str(place), asked])
    async with open_transport(inventory) as transport:
        with kept.written() as file:
            pouring = Pouring(file, LIMIT)
            outcome = await transport.stream(
                Command(kept.host, f"set -eu\nexec {words}"), pouring, deadline=KEEP_SECONDS
            )
            _expect_done(outcome, kept.host, "what makes the host itself could not be read")


def keys_in(text: str) -> bytes:
    """Return the SSH host keys in a hook's words, as known hosts; raise InputError without any."""
    found = [key[0] for key in _KEY.finditer(text)]
    if not found:
        raise InputError(
            "the hook shows no SSH host key, so the new system cannot be told from any other",
            evidence=text[:300],
            remedy="let `show HOST` print /etc/ssh/ssh_host_*_key.pub of the system that it has installed",
        )
    return "".join(f"* {key}\n" for key in found).encode()


async def restore(
    inventory: Inventory, kept: Kept, place: PurePosixPath, *, codename: str, keys: bytes
) -> None:
    """Bring a host's identity back, and let it boot as that host; it has its old SSH keys then.

    ``keys`` are those of the fresh system. Raise SkipstoneError where it is not another system, not the
    wanted one, or does not come up again.
    """
    trusted = {kept.host: keys}
    async with open_transport(inventory, trusted) as transport:
        said = await _run(transport, kept, _restoring(kept, place, codename), RESTORE_SECONDS)
        boot = await _run(transport, kept, _BOOT_ID, LOOK_SECONDS)
        if said.split()[-1:] == ["boot"]:
            await transport.run(Command(kept.host, "systemctl --no-block reboot"), deadline=LOOK_SECONDS)
    if said.split()[-1:] == ["boot"]:
        await _booted(inventory, kept, boot)


async def remove_copy(inventory: Inventory, kept: Kept, place: PurePosixPath) -> None:
    """Remove a host's own copy of its identity."""
    async with open_transport(inventory) as transport:
        await _run(transport, kept, f"rm -rf {shlex.quote(str(place))}", LOOK_SECONDS)


def _restoring(kept: Kept, place: PurePosixPath, codename: str) -> str:
    """Return the script that carries everything there: by the connection, and in no process list."""
    wanted = json.dumps({"codename": codename, "compute_id": kept.names.provider})
    archive = base64.encodebytes(kept.archive.read_bytes()).decode()
    return f"""\
set -eu
umask 077
mkdir -p {place}
cd {place}
base64 -d > identity.part <<'END-OF-IDENTITY'
{archive}END-OF-IDENTITY
mv identity.part identity.tar.gz
cat > wanted.json <<'END-OF-WANTED'
{wanted}
END-OF-WANTED
cat > bringing.py <<'END-OF-PROGRAM'
{_program("bringing")}END-OF-PROGRAM
python3 -I -B bringing.py restore {place}
"""


async def _booted(inventory: Inventory, kept: Kept, before: str) -> None:
    """Wait until the host has booted, under its own keys; raise SkipstoneError where it does not come."""
    limit, seen = time.monotonic() + BOOT_SECONDS, "it has not gone down"
    while time.monotonic() < limit:
        await asyncio.sleep(_PAUSE)
        try:
            async with open_transport(inventory) as transport:
                if await _run(transport, kept, _BOOT_ID, LOOK_SECONDS) != before:
                    await _run(transport, kept, "timeout 300 systemctl is-system-running --wait || true", 330)
                    return
        except (HostUnreachable, SkipstoneError) as error:
            seen = f"{error.what}: {error.evidence}"
    raise SkipstoneError(
        "the host does not come up with what was brought back",
        where=kept.host,
        evidence=seen,
        remedy="see its console: names of network interfaces may be others on the new Debian, and"
        " /etc/network or /etc/systemd/network is the old one; mend it there, then `skipstone resume`",
    )


async def _run(transport: CloudTransport, kept: Kept, script: str, seconds: float) -> str:
    outcome = await transport.run(Command(kept.host, script), deadline=seconds)
    _expect_done(outcome, kept.host, "the host has not done what it was asked")
    return outcome.stdout.strip()


def _expect_done(outcome: Outcome, host: str, what: str) -> None:
    if not outcome.ok:
        raise SkipstoneError(
            what,
            where=host,
            evidence=outcome.stderr.strip()[-600:] or f"exit {outcome.code}",
            remedy="see to it, and repeat the command",
        )


def _program(name: str) -> str:
    return resources.files("skipstone.reinstall.scripts").joinpath(f"{name}.py").read_text()
