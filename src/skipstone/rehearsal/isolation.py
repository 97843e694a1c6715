"""Processes that reach nothing: a copy of production is full of production's addresses.

A network namespace without any interface that is up. Files and sockets of this machine stay within reach, so
the rehearsal's own database server does too.
"""

import os
import subprocess

from skipstone.errors import InputError

_WAYS = (
    ("unshare", "--net", "--"),
    ("unshare", "--user", "--map-root-user", "--net", "--"),
)


def isolate() -> tuple[str, ...]:
    """Return what to put before a command line; raise InputError where this machine allows no isolation."""
    said = ""
    for way in _WAYS[os.geteuid() != 0 :]:
        done = subprocess.run((*way, "true"), capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return way
        said = done.stderr.strip()
    raise InputError(
        "this machine does not let a rehearsal be cut off from its network",
        where="unshare",
        evidence=said,
        remedy="run it as root, or allow user namespaces; or give --no-isolation on a machine that does not"
        " reach the cloud's databases and brokers",
    )
