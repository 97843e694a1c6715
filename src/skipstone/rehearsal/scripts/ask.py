"""Ask APIs for everything they have, as one account. Runs on the Python of a release's own code.

Standard input: JSON with ``auth`` (openstacksdk's), and ``services``: each with ``service``, ``type``,
``url`` and ``resources`` (``name``, ``key``, ``fields``, ``asked``, ``limit``, as in Skipstone's catalog).
Standard output: JSON with, per service, the time of its ``first`` answer and, per resource, its ``rows`` or
an ``error``.
"""

from __future__ import annotations

import ctypes
import json
import signal
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

PR_SET_PDEATHSIG = 1
PAGE = 500
SECONDS = 300
SAID = 600
Row = dict[str, Any]


def rows(node: Any, steps: list[str], kept: Row) -> Iterator[Row]:  # noqa: ANN401 - whatever JSON holds
    """Yield the rows of an answer; ``<name>`` among the steps goes into an object and keeps its keys."""
    if not steps:
        found = node if isinstance(node, list) else [node]
        yield from ({**(row if isinstance(row, dict) else {"value": row}), **kept} for row in found)
    elif steps[0].startswith("<"):
        for key, inner in node.items():
            yield from rows(inner, steps[1:], {**kept, steps[0].strip("<>"): key})
    else:
        yield from rows(node[steps[0]], steps[1:], kept)


def value(node: Any, steps: list[str]) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Return what is at a place of a row, None where nothing is; ``*`` is each one, in one list."""
    if not steps or node is None:
        return node
    if steps[0] == "*":
        inner = [value(one, steps[1:]) for one in (node.values() if isinstance(node, dict) else node)]
        return [one for some in inner for one in some or ()] if "*" in steps[1:] else inner
    return value(node.get(steps[0]), steps[1:]) if isinstance(node, dict) else None


def reduced(row: Row, fields: list[str]) -> Row:
    """Return the fields of a row; of places joined by ``|``, the first where something is."""
    found = {}
    for field in fields:
        values = (value(row, place.split(".")) for place in field.split("|"))
        found[field] = next((one for one in values if one is not None), None)
    return found


class Asker:
    """Asks one service."""

    def __init__(self, client: Any, resources: list[dict[str, Any]]) -> None:  # noqa: ANN401 - an Adapter
        self.client = client
        self.resources = resources
        self.first: float | None = None

    def ask(self) -> dict[str, Any]:
        """Return the answers about all resources."""
        found: dict[str, Any] = {}
        for resource in self.resources:
            try:
                found[resource["name"]] = {"rows": self._all(resource, found)}
            except Exception as error:  # noqa: BLE001 - whatever a release's client raises is the finding
                found[resource["name"]] = {"error": f"{type(error).__name__}: {error}"[:SAID]}
        return {"first": self.first, "resources": found}

    def _all(self, resource: dict[str, Any], found: dict[str, Any]) -> list[Row]:
        asked, limit = resource["asked"], resource["limit"]
        parents: list[Any] = [None]
        if asked["each"]:
            (key,) = next(one["key"] for one in self.resources if one["name"] == asked["each"])
            parents = sorted(row[key] for row in found[asked["each"]]["rows"])
        got: list[Row] = []
        for parent in parents:
            for path in asked["paths"]:
                if len(got) < limit:
                    kept = {} if parent is None else {"parent": parent}
                    got += self._pages(path.replace("{key}", str(parent)), resource, kept)
        return got

    def _pages(self, path: str, resource: dict[str, Any], kept: Row) -> list[Row]:
        asked, marker = resource["asked"], None
        got: list[Row] = []
        while len(got) < resource["limit"]:
            page = path
            if asked["paged"]:
                page += f"{'&' if '?' in path else '?'}limit={PAGE}" + (f"&marker={marker}" if marker else "")
            answer = self._get(page, asked["microversion"])
            new = [reduced(row, resource["fields"]) for row in rows(answer, asked["list"].split("."), kept)]
            got += new
            if not new or not asked["paged"]:
                break
            marker = new[-1][resource["key"][0]]
        return got

    def _get(self, path: str, microversion: str | None) -> Any:  # noqa: ANN401 - whatever JSON holds
        answer = self.client.get(path, microversion=microversion, timeout=SECONDS, raise_exc=False)
        self.first = self.first or time.time()
        if answer.status_code != 200:  # noqa: PLR2004 - OK
            raise RuntimeError(f"GET {path.partition('?')[0]}: {answer.status_code} {answer.text}")
        return answer.json()


def main() -> None:
    """Ask all services side by side."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    warnings.simplefilter("ignore")
    import openstack  # noqa: PLC0415 - of the release, and its warnings are not ours
    from keystoneauth1.adapter import Adapter  # noqa: PLC0415 - as above

    given = json.load(sys.stdin)
    cloud = openstack.connect(
        load_yaml_config=False, load_envvars=False, auth_type="password", auth=given["auth"]
    )
    # not the SDK's proxies: releases differ in what they discover, and refuse, before the first question
    askers = {
        one["service"]: Asker(
            Adapter(cloud.session, service_type=one["type"], endpoint_override=one["url"]), one["resources"]
        )
        for one in given["services"]
    }
    with ThreadPoolExecutor(len(askers)) as pool:
        running = {name: pool.submit(asker.ask) for name, asker in askers.items()}
        json.dump({name: one.result() for name, one in running.items()}, sys.stdout)


if __name__ == "__main__":
    main()
