"""What SSH connects to, with which options: the inventory's word first, then ``ssh_config``'s."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import asyncssh

from skipstone.cloud.inventory import InventoryHost

GLOBAL_KNOWN_HOSTS = Path("/etc/ssh/ssh_known_hosts")


@dataclass(frozen=True)
class Target:
    """One end of a connection: a host of the inventory, or a jump host; None is left to ssh_config.

    ``alias`` is another name under which ssh_config may know it.
    """

    address: str
    alias: str = ""
    user: str | None = None
    port: int | None = None
    key_file: Path | None = None
    jump: str | None = None

    @classmethod
    def of(cls, host: InventoryHost) -> "Target":
        """Return the target of a host of the inventory."""
        return cls(host.address, host.name, host.user, host.port, host.key_file, host.proxy_jump)

    @classmethod
    def parse(cls, text: str) -> "Target":
        """Return the last hop of ``[user@]host[:port][,...]``; the hops before it become its ``jump``."""
        before, _, last = text.rpartition(",")
        user, _, place = last.rpartition("@")
        address, colon, port = place.rpartition(":")
        if not (colon and port.isdigit()) or (":" in address and not address.startswith("[")):
            address, port = place, ""  # no port, or an IPv6 address without brackets
        return cls(
            address.strip("[]"), user=user or None, port=int(port) if port else None, jump=before or None
        )

    @property
    def label(self) -> str:
        """The target as a person knows it: ``cmp1 (root@10.0.0.21:2222)``."""
        user = f"{self.user}@" if self.user else ""
        address = f"{user}{self.address}" + (f":{self.port}" if self.port else "")
        return f"{self.alias} ({address})" if self.alias not in {"", self.address} else address

    def hop(self, configured: object) -> "Target | None":
        """Return the jump host in front of this target, if any.

        ``configured`` is ssh_config's ProxyJump. A jump host that is the target itself is none, as with
        OpenSSH: ``Host *`` with a ProxyJump covers the jump host too.
        """
        text = self.jump or configured
        if not isinstance(text, str) or not text or text.lower() == "none":
            return None
        hop = Target.parse(text)
        return None if hop.address == self.address and hop.port == self.port else hop


async def client_options(target: Target, config: Path | None) -> asyncssh.SSHClientConnectionOptions:
    """Return asyncssh's options for a target, from the inventory and ssh_config.

    ssh_config is asked about the address, as ``ssh ADDRESS`` would; and about the alias where its entry for
    that names the same address (``Host ctl1`` with ``HostName 10.77.0.11``).

    Raise ValueError for an ssh_config or key that cannot be parsed, OSError for a file that cannot be read.
    """
    said: dict[str, object] = {
        "config": [str(config)] if config else None,
        "username": target.user,
        "port": target.port,
        "client_keys": [str(target.key_file)] if target.key_file else None,
    }
    known = {key: value for key, value in said.items() if value is not None}
    for host in filter(None, (target.alias, target.address)):
        options = cast(
            "asyncssh.SSHClientConnectionOptions",
            await asyncssh.SSHClientConnectionOptions.construct(host=host, **known),
        )
        if options.host == target.address:
            break
    return options


def known_hosts(options: asyncssh.SSHClientConnectionOptions) -> bytes:
    """Return the known_hosts entries that count for these options; what is missing is empty, as with ssh.

    asyncssh would fail on a missing file, and takes ``UserKnownHostsFile none`` for "trust any key".
    """
    named = options.known_hosts if isinstance(options.known_hosts, list) else []
    own = [Path(str(name)).expanduser() for name in named] or [Path("~/.ssh/known_hosts").expanduser()]
    if options.known_hosts is None:
        own = []
    texts = [path.read_bytes() for path in (*own, GLOBAL_KNOWN_HOSTS) if path.is_file()]
    return b"\n".join([b"# known hosts", *texts, b""])
