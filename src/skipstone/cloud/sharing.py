"""What hosts have alike, once in a file: thousands of computes have the same packages, units and files.

``shared`` of the file has them, by field; a host has their numbers there: one for all of its packages, units
or package sources, and one for each of its configuration files.
"""

import json
from collections.abc import Hashable
from typing import Any

from skipstone.cloud.model import Cloud, ConfigFile, Fact, Host

SHARED = "shared"
_WHOLE, _EACH = ("packages", "units", "apt_sources"), "config_files"

Data = dict[str, Any]


def shared_text(cloud: Cloud, digest: str) -> str:
    """Return a cloud as JSON, with its digest, and with what hosts have alike once."""
    known: dict[str, dict[Hashable, int]] = {name: {} for name in (*_WHOLE, _EACH)}
    hosts = [_host(host, known) for host in cloud.hosts]
    shared = {name: [_plain(value) for value in values] for name, values in known.items()}
    facts = cloud.model_dump(mode="json", exclude={"hosts"}, exclude_none=True)
    data = {"digest": digest, SHARED: shared, **facts, "hosts": hosts}
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def _host(host: Host, known: dict[str, dict[Hashable, int]]) -> Data:
    def number(name: str, value: Hashable) -> int:
        return known[name].setdefault(value, len(known[name]))

    facts = host.model_dump(mode="json", exclude={*_WHOLE, _EACH}, exclude_none=True)
    facts |= {name: number(name, found) for name in _WHOLE if (found := getattr(host, name))}
    return facts | {_EACH: [number(_EACH, file) for file in host.config_files]}


def _plain(value: Hashable) -> Any:  # noqa: ANN401 - a fact's data, or those of several
    if isinstance(value, ConfigFile):
        return value.model_dump(mode="json", exclude_none=True)
    assert isinstance(value, tuple)  # noqa: S101 - for the type checker
    return [item.model_dump(mode="json", exclude_none=True) for item in value if isinstance(item, Fact)]


def expand(data: Data) -> None:
    """Give every host what it shares: the very same lists and mappings.

    Raise LookupError or TypeError where the numbers are of nothing.
    """
    shared = data.pop(SHARED, None)
    for host in data["hosts"] if shared is not None else ():
        for name in _WHOLE:
            if name in host:
                host[name] = shared[name][host[name]]
        host[_EACH] = [shared[_EACH][number] for number in host[_EACH]]
