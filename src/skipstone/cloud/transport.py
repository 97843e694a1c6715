"""The one door to every machine of a cloud: its hosts over SSH, and the operator's own."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from skipstone.cloud.command import OPERATOR, Command, Outcome
from skipstone.cloud.inventory import Inventory
from skipstone.cloud.local import LocalTransport
from skipstone.cloud.output import Drain
from skipstone.cloud.ssh import SshTransport


class CloudTransport:
    """A ``Transport`` for every host of an inventory, and for ``OPERATOR``."""

    def __init__(self, inventory: Inventory, ssh: SshTransport) -> None:
        self._inventory = inventory
        self._ssh = ssh
        self._local = LocalTransport(inventory)

    async def run(self, command: Command, *, deadline: float) -> Outcome:
        """Run a script where it belongs; see ``Transport`` for the contract."""
        if command.host == OPERATOR:
            return await self._local.run(command, deadline=deadline)
        self._inventory.host(command.host)
        return await self._ssh.run(command, deadline=deadline)

    async def stream(self, command: Command, stdout: Drain, *, deadline: float) -> Outcome:
        """Run a script on a host of the inventory, and let its output go to ``stdout`` as it comes."""
        self._inventory.host(command.host)
        return await self._ssh.stream(command, stdout, deadline=deadline)


@asynccontextmanager
async def open_transport(
    inventory: Inventory, trusted: Mapping[str, bytes] | None = None
) -> AsyncIterator[CloudTransport]:
    """Yield a transport for a cloud; connections are opened when first needed and closed at the end.

    ``trusted`` has, by host, entries of known hosts that count for it beside the operator's own.
    """
    ssh = SshTransport(inventory, trusted)
    try:
        yield CloudTransport(inventory, ssh)
    finally:
        await ssh.close()
