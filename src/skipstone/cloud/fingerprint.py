"""What of a Cloud a plan depends on, as hashes: whether, and where, a cloud has changed since.

Hosts, their operating system, packages, units, configuration, schema heads, versions of what stands below,
endpoints and roles count; heartbeats, row counts, free memory and users' instances come and go, and do not.
Neither do files whose text is not known: keystone's keys rotate.
"""

import json
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import TypeVar

from pydantic import JsonValue

from skipstone.cloud.model import Cloud, Database, Fact, Host

Fingerprint = dict[str, dict[str, str]]
"""Place (a host, a database, the cloud itself) -> aspect (``packages``) -> hash."""

_DIGITS = 16

Shared = TypeVar("Shared", bound=Fact)


def fingerprint_of(cloud: Cloud) -> Fingerprint:
    """Return the fingerprint; the same cloud gives the same one, whatever the order of its answers."""
    shared = _Shared()
    cloud_itself = cloud.model_dump(
        mode="json", include={"name", "release", "services", "endpoints", "roles"}
    )
    return {
        "cloud": _hashed(cloud_itself),
        **{host.name: _hashed(_host(cloud, host)) | shared.hashes(host) for host in cloud.hosts},
        **{
            f"database {database.name}": _hashed(
                database.model_dump(mode="json", include={"heads", "collation"})
            )
            for database in cloud.databases
        },
    }


def digest_of(cloud: Cloud) -> str:
    """Return one hash of the whole fingerprint."""
    return digest_from(fingerprint_of(cloud))


def digest_from(fingerprint: Fingerprint) -> str:
    """Return one hash of a fingerprint."""
    return sha256(json.dumps(fingerprint, sort_keys=True).encode()).hexdigest()


def differences(planned: Fingerprint, found: Fingerprint) -> list[str]:
    """Return a line for each place that is not as it was: ``ctl1: packages, units``."""
    lines = []
    for place in {**planned, **found}:
        before, now = planned.get(place, {}), found.get(place, {})
        changed = [aspect for aspect in {**before, **now} if before.get(aspect) != now.get(aspect)]
        if changed:
            lines.append(f"{place}: {', '.join(changed)}")
    return lines


def _database(database: Database) -> dict[str, JsonValue]:
    return database.model_dump(mode="json", include={"heads", "collation"})


def _host(cloud: Cloud, host: Host) -> dict[str, JsonValue]:
    plain = host.model_dump(mode="json", include={"address", "groups", "os"})
    return {
        **plain,
        "configuration": {file.path: file.sha256 for file in host.config_files if file.text is not None},
        "database server": [one.version for one in cloud.database_servers if one.host == host.name],
        "broker": [one.version for one in cloud.brokers if one.host == host.name],
    }


class _Shared:
    """Hashes of what many hosts have alike, by the tuple that they share."""

    def __init__(self) -> None:
        self._known: dict[int, str] = {}

    def hashes(self, host: Host) -> dict[str, str]:
        """Return those of one host."""
        return {
            "packages": self._of(host.packages, _plain),
            "apt_sources": self._of(host.apt_sources, _plain),
            "units": self._of(host.units, lambda units: [[one.name, one.load, one.enabled] for one in units]),
        }

    def _of(self, shared: tuple[Shared, ...], told: Callable[[Iterable[Shared]], JsonValue]) -> str:
        if id(shared) not in self._known:
            self._known[id(shared)] = _hash(told(shared))
        return self._known[id(shared)]


def _plain(facts: Iterable[Fact]) -> JsonValue:
    return [fact.model_dump(mode="json") for fact in facts]


def _hashed(aspects: dict[str, JsonValue]) -> dict[str, str]:
    return {aspect: _hash(value) for aspect, value in aspects.items()}


def _hash(value: JsonValue) -> str:
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:_DIGITS]
