"""The host of a database server, as far as a step's script sees it: its clients find the server."""

import os
import subprocess

from skipstone.cloud.command import Command
from skipstone.rehearsal.server import PrivateServer


def run_beside(server: PrivateServer, command: Command) -> "subprocess.CompletedProcess[str]":
    """Run a script as on the host of a server."""
    (server.directory / ".my.cnf").write_text(f"[client]\nsocket = {server.socket}\nuser = root\n")
    return subprocess.run(
        ["sh", "-s"],
        input=command.script,
        env={**os.environ, "HOME": str(server.directory)},
        text=True,
        capture_output=True,
        check=False,
    )
