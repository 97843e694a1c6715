"""Serve an API's WSGI application on loopback. Runs on the Python of a release's own code.

Argument: JSON with ``service``, ``directory`` (of its configuration; ``ready`` appears in it when the API
listens), ``file`` (its name there), ``port``, ``module`` or ``script``, and maybe ``paste`` and ``engine``.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import runpy
import shutil
import signal
import sys
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

PR_SET_PDEATHSIG = 1
PREFIXES = (Path(sys.prefix), Path("/"), Path("/usr"))


class Quiet(WSGIRequestHandler):
    """Does not tell of every request: the log is for what goes wrong."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def load(given: dict[str, Any]) -> Any:  # noqa: ANN401 - a WSGI application
    """Return the application; it is told in both ways where its configuration is, as releases differ."""
    directory, file = Path(given["directory"]), given["file"]
    os.environ[f"OS_{given['service'].upper()}_CONFIG_DIR"] = str(directory)
    sys.argv = [given["service"], "--config-file", str(directory / file)]
    if given.get("paste"):
        known = (prefix / given["paste"] for prefix in PREFIXES)
        shutil.copy(next(path for path in known if path.exists()), directory)
    if given.get("module"):
        return importlib.import_module(given["module"]).application
    return runpy.run_path(str(shutil.which(given["script"])), run_name="application")["application"]


def answer(engine: dict[str, str]) -> None:
    """Answer the API's RPC out of this process: its transport is one that does not leave it.

    The service's own server wants eventlet, which would have to be there before anything else.
    """
    import oslo_messaging  # noqa: PLC0415 - of the release

    messaging = importlib.import_module(engine["messaging"])
    module, _, name = engine["endpoint"].partition(":")
    endpoint = getattr(importlib.import_module(module), name)("rehearsal", engine["topic"])
    version = endpoint.RPC_API_VERSION
    endpoint.target = oslo_messaging.Target(topic=engine["topic"], server="rehearsal", version=version)
    oslo_messaging.get_rpc_server(
        messaging.TRANSPORT,
        endpoint.target,
        [endpoint],
        executor="threading",
        serializer=messaging.RequestContextSerializer(oslo_messaging.JsonPayloadSerializer()),
        access_policy=oslo_messaging.DefaultRPCAccessPolicy,
    ).start()


def main() -> None:
    """Serve until killed, one request after the other: so many askers are there."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    given = json.loads(sys.argv[1])
    application = load(given)
    if given.get("engine"):
        answer(given["engine"])
    with make_server("127.0.0.1", given["port"], application, handler_class=Quiet) as server:
        (Path(given["directory"]) / "ready").touch()
        server.serve_forever()


if __name__ == "__main__":
    main()
