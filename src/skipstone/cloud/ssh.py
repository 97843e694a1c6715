"""SSH to the hosts of an inventory, with asyncssh.

One connection per host, opened when first needed, reused, and opened anew when it was lost; jump hosts are
shared, so that a thousand hosts behind a bastion are one connection to it. Host keys are always verified.
"""

import asyncio
import random
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

import asyncssh

from skipstone.cloud.command import Command, Outcome, Result
from skipstone.cloud.inventory import Inventory, InventoryHost
from skipstone.cloud.output import Drain, Output
from skipstone.cloud.refusal import Witness, no_answer, not_root, refusal
from skipstone.cloud.target import Target, client_options, known_hosts
from skipstone.errors import HostUnreachable

KEEPALIVE = {"keepalive_interval": 15, "keepalive_count_max": 3}
"""A frozen peer is given up after 45 s; without this asyncssh waits for ever."""

OPENING_DEADLINE = 30.0
OPENING_ATTEMPTS = 3
OPENING_AT_ONCE = 8
"""Below sshd's ``MaxStartups 10:30:100``, from where on it drops connections at random."""

SESSIONS_AT_ONCE = 5
"""Half of sshd's ``MaxSessions 10`` per connection: one that has ended counts until sshd's next turn."""


class SshTransport:
    """Runs scripts as root on hosts; see ``Transport`` for the contract. Close it when done.

    ``trusted`` has, by host, entries of known hosts that count for it beside the operator's own.
    """

    def __init__(self, inventory: Inventory, trusted: Mapping[str, bytes] | None = None) -> None:
        self._trusted = {Target.of(inventory.host(name)): keys for name, keys in (trusted or {}).items()}
        self._config = inventory.ssh_config
        self._doors = asyncio.Semaphore(OPENING_AT_ONCE)
        self._hosts = {host.name: host for host in inventory.hosts}
        self._links: dict[Target, _Link] = {}

    async def run(self, command: Command, *, deadline: float) -> Outcome:
        """Run a script on a host; the deadline counts from when a session is open.

        Opening one has its own limit (OPENING_DEADLINE for each of OPENING_ATTEMPTS). At the deadline the
        session is closed and the outcome is UNKNOWN: the script may go on running on the host.
        """
        stdout = Output()
        outcome = await self.stream(command, stdout, deadline=deadline)
        return replace(outcome, stdout=stdout.text)

    async def stream(self, command: Command, stdout: Drain, *, deadline: float) -> Outcome:
        """Run a script as ``run`` does, and let its output, of any length, go to ``stdout`` as it comes."""
        host = self._hosts[command.host]
        link = self._link(Target.of(host))
        async with link.sessions:
            await link.prove_root(host)
            process = await link.start(_shell(host))
            return await _finish(process, command, deadline, stdout)

    async def close(self) -> None:
        """Close every connection."""
        links, self._links = list(self._links.values()), {}
        await asyncio.gather(*(link.close() for link in links))

    def _link(self, target: Target) -> "_Link":
        if target not in self._links:
            self._links[target] = _Link(self, target)
        return self._links[target]

    async def open(self, target: Target) -> asyncssh.SSHClientConnection:
        """Open a connection, through its jump hosts, trying again where sshd was too busy to answer."""
        witness = Witness(target)
        for last in [*[False] * (OPENING_ATTEMPTS - 1), True]:
            try:
                return await self._attempt(target, witness)
            except (asyncssh.ConnectionLost, ConnectionResetError) as error:
                if last:
                    raise refusal(witness, error) from error
                await asyncio.sleep(random.uniform(0.2, 2.0))  # noqa: S311 - jitter
            except (asyncssh.Error, OSError, ValueError) as error:
                raise refusal(witness, error) from error
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _attempt(self, target: Target, witness: Witness) -> asyncssh.SSHClientConnection:
        options = await client_options(target, self._config)
        hop = target.hop(options.tunnel)
        tunnel = await self._link(hop).connection() if hop else None
        witness.known_hosts = known_hosts(options) + self._trusted.get(target, b"")
        async with self._doors, asyncio.timeout(OPENING_DEADLINE):
            await asyncio.sleep(random.uniform(0, 0.1))  # noqa: S311 - jitter
            return await asyncssh.connect(
                options.orig_host,
                options=options,
                tunnel=tunnel,
                known_hosts=witness.known_hosts,
                client_factory=lambda: witness,
                **KEEPALIVE,
            )


class _Link:
    """The connection to one target, whatever its state."""

    def __init__(self, transport: SshTransport, target: Target) -> None:
        self.sessions = asyncio.Semaphore(SESSIONS_AT_ONCE)
        self._transport = transport
        self._target = target
        self._opening = asyncio.Lock()
        self._connection: asyncssh.SSHClientConnection | None = None
        self._root_proven_on: asyncssh.SSHClientConnection | None = None

    async def connection(self) -> asyncssh.SSHClientConnection:
        async with self._opening:
            if self._connection is None or self._connection.is_closed():
                self._connection = await self._transport.open(self._target)
            return self._connection

    async def start(self, program: str) -> asyncssh.SSHClientProcess[bytes]:
        """Start a program that waits for its input, so that starting it again is harmless."""
        for last in (False, True):
            connection = await self.connection()
            try:
                async with asyncio.timeout(OPENING_DEADLINE):
                    return await connection.create_process(program, encoding=None)
            except (asyncssh.Error, OSError, TimeoutError) as error:
                if last or not connection.is_closed():
                    raise HostUnreachable(
                        "the connection is there, but no session can be opened in it",
                        where=self._target.label,
                        evidence=str(error) or type(error).__name__,
                        remedy="see the host's sshd log: MaxSessions, no memory, no processes left",
                    ) from error
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def prove_root(self, host: InventoryHost) -> None:
        """Ask once per connection whether scripts will run, as root; raise HostUnreachable if not."""
        connection = await self.connection()
        if self._root_proven_on is connection:
            return
        process = await self.start("sudo -n id -u" if host.sudo else "id -u")
        said = Output()
        outcome = await _finish(process, Command(host.name, ""), OPENING_DEADLINE, said)
        if outcome.result is Result.UNKNOWN:
            raise no_answer(self._target, outcome.stderr)
        if not outcome.ok or said.text.split()[-1:] != ["0"]:
            raise not_root(self._target, outcome.stderr or f"user id {said.text}", sudo=host.sudo)
        self._root_proven_on = connection

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.abort()
            await self._connection.wait_closed()


def _shell(host: InventoryHost) -> str:
    return "exec sudo -n /bin/sh -s" if host.sudo else "exec /bin/sh -s"


def _feed(process: asyncssh.SSHClientProcess[bytes], script: bytes) -> None:
    """Send a script; a program that has ended before it could read anything has said how by its exit code."""
    with suppress(BrokenPipeError):
        process.stdin.write(script)
        process.stdin.write_eof()


async def _finish(
    process: asyncssh.SSHClientProcess[bytes], command: Command, deadline: float, stdout: Drain
) -> Outcome:
    """Return how a script ended; its ``stdout`` is for whoever drains it."""
    started = time.monotonic()
    stderr = Output()
    code: int | None = None
    try:
        async with asyncio.timeout(deadline):
            _feed(process, command.stdin)
            await asyncio.gather(stdout.drain(process.stdout.read), stderr.drain(process.stderr.read))
            await process.wait_closed()
        code = process.returncode
    except TimeoutError:
        stderr.add(f"\n[no end within {deadline:g} s]\n".encode())
    except (asyncssh.Error, OSError) as error:
        stderr.add(f"\n[connection lost: {error}]\n".encode())
    finally:
        process.close()
    if code is not None and code < 0:
        code = 128 - code  # a signal, told as a shell tells it
    result = Result.UNKNOWN if code is None else Result.EXITED
    return Outcome(result, code, "", stderr.text, time.monotonic() - started)
