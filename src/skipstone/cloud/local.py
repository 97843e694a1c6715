"""Commands that run on the operator's machine, with the cloud's API credentials."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from skipstone.cloud.command import Command, Outcome, Result
from skipstone.cloud.inventory import Inventory
from skipstone.cloud.output import Output


class LocalTransport:
    """Runs scripts with ``/bin/sh -s`` here; Skipstone's own ``openstack`` program comes first in PATH."""

    def __init__(self, inventory: Inventory) -> None:
        self._environment = operator_environment(inventory, os.environ)

    async def run(self, command: Command, *, deadline: float) -> Outcome:
        """Run a script; after the deadline its processes are killed and the outcome is UNKNOWN."""
        started = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-s",
            env=self._environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        stdout, stderr = Output(), Output()
        code: int | None = None
        try:
            async with asyncio.timeout(deadline):
                code = await _finish(process, command, stdout, stderr)
        except TimeoutError:
            stderr.add(f"\n[no end within {deadline:g} s]\n".encode())
        finally:
            if code is None:
                await _kill(process)
        result = Result.UNKNOWN if code is None else Result.EXITED
        return Outcome(result, code, stdout.text, stderr.text, time.monotonic() - started)


def operator_environment(inventory: Inventory, base: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of an operator's command: PATH, the inventory, and the API clients' cloud.

    Skipstone's own verbs take the inventory from there: a step's script names no file of this machine.
    """
    path = base.get("PATH", os.defpath)
    environment = {
        **base,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{path}",
        "SKIPSTONE_INVENTORY": str(inventory.path.resolve()),
    }
    if inventory.cloud:
        environment["OS_CLOUD"] = inventory.cloud
    if inventory.clouds_file:
        environment["OS_CLIENT_CONFIG_FILE"] = str(inventory.clouds_file)
    return environment


async def _finish(
    process: asyncio.subprocess.Process, command: Command, stdout: Output, stderr: Output
) -> int:
    assert process.stdin and process.stdout and process.stderr  # noqa: S101, PT018 - they are PIPE
    process.stdin.write(command.stdin)
    process.stdin.close()
    await asyncio.gather(stdout.drain(process.stdout.read), stderr.drain(process.stderr.read))
    code = await process.wait()
    return code if code >= 0 else 128 - code  # a signal, told as a shell tells it


async def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
