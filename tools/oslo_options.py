#!/usr/bin/env python3
"""Write the options of services as JSON: oslo-config-generator on a machine that is none.

Run by tools/option_catalogs.py in the Python of a release: ``every=PATTERN,.. FILE=PATTERN,.. FILE=..``. The
patterns are of namespaces; those of ``every`` are added to every file's. The machine's name, addresses,
processors and home are made up, so that defaults which come from them can be told from others. Two things are
added to what the generator knows: whether an option may be given more than once, and the options of
keystoneauth's plugins in [keystone_authtoken], which its middleware does not list.
"""

# ruff: noqa: PLC0415 - the machine is disguised before anything looks at it

import fnmatch
import importlib
import importlib.metadata
import os
import socket
import sys
import traceback
from typing import Any
from unittest.mock import MagicMock

GROUP = "oslo.config.opts"
# what drivers of cinder import, though not for their options, and toolchains lack (2026.2, 2023.1, Train)
DRIVERS = (
    *("googleapiclient", "googleapiclient.discovery", "googleapiclient.errors", "googleapiclient.http"),
    "os_brick.constants",
    "mock",
)
PROCESSORS = 1009
NAME = "machine-of-nobody"
ADDRESSES = ("192.0.2.101", "2001:db8::1009")


def disguise() -> None:
    """Make this process believe that it is on another machine."""
    from oslo_utils import netutils

    os.cpu_count = lambda: PROCESSORS
    os.sched_getaffinity = lambda _: set(range(PROCESSORS))
    socket.gethostname = lambda: NAME
    socket.getfqdn = lambda name="": name or NAME
    os.environ["HOME"] = f"/home/{NAME}"
    netutils.get_my_ipv4 = lambda: ADDRESSES[0]
    netutils.get_my_ipv6 = lambda: ADDRESSES[1]


def tell_more() -> None:
    """Add what the generator leaves out."""
    from keystonemiddleware.auth_token import _opts
    from oslo_config import cfg

    begin, listed = cfg.MultiOpt.__init__, _opts.list_opts

    def begin_many(self: Any, *args: Any, **settings: Any) -> None:  # noqa: ANN401 - oslo's own
        begin(self, *args, **settings)
        self.many = True  # a public attribute, which the generator prints

    cfg.MultiOpt.__init__ = begin_many  # type: ignore[method-assign]
    _opts.list_opts = lambda: [*listed(), ("keystone_authtoken", plugin_options())]


def stand_in() -> None:
    """Let code be imported that begins with importing a driver's absent library."""
    for name in DRIVERS:
        try:
            importlib.import_module(name)
        except ImportError:
            sys.modules[name] = MagicMock()


def plugin_options() -> list[Any]:
    """Return the options of every authentication plugin, each once."""
    from keystoneauth1 import loading

    found: dict[str, Any] = {}
    for plugin in sorted(loading.get_available_plugin_names()):
        for option in loading.get_auth_plugin_conf_options(plugin):
            found.setdefault(option.dest, option)
    return [found[dest] for dest in sorted(found)]


def points(patterns: list[str]) -> dict[str, Any]:
    """Return the namespaces that fit, without those whose code is gone (neutron.ml2.xenapi of Xena)."""
    found = importlib.metadata.entry_points()
    named = found.select(group=GROUP) if hasattr(found, "select") else found.get(GROUP, ())
    fitting = {
        point.name: point
        for point in named
        if any(fnmatch.fnmatchcase(point.name, pattern) for pattern in patterns)
    }
    return {name: fitting[name] for name in sorted(fitting) if _is_there(fitting[name])}


def _is_there(point: Any) -> bool:  # noqa: ANN401 - of another Python
    try:
        point.load()
    except AttributeError as error:
        print(f"{point.name}: {error}", file=sys.stderr)
        return False
    return True


def write(path: str, patterns: list[str]) -> int:
    """Write the options of some namespaces, in a process of its own: services set defaults of libraries."""
    from oslo_config import generator

    if child := os.fork():
        _, status = os.waitpid(child, 0)
        return status
    try:
        wanted = [word for name in points(patterns) for word in ("--namespace", name)]
        generator.main(["--format", "json", "--output-file", path, *wanted])
    except BaseException:  # noqa: BLE001 - a child must not go on with its parent's work
        traceback.print_exc()
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    every, *jobs = (word.split("=") for word in sys.argv[1:])
    disguise()
    tell_more()
    stand_in()
    libraries = every[1].split(",")
    points(libraries)  # imported once for all services
    failed = [path for path, own in jobs if write(path, [*own.split(","), *libraries])]
    sys.exit(f"failed: {' '.join(failed)}" if failed else 0)
