"""What of a Cloud a plan depends on, as hashes: whether, and where, a cloud has changed since.

Hosts, their operating system, packages, units, configuration, schema heads, versions of what stands below,
endpoints and roles count; heartbeats, row counts, free memory and users' instances come and go, and do not.
Neither do files whose text is not known: keystone's keys rotate.
"""

import json
from collections.abc import Iterator
from hashlib import sha256

from pydantic import JsonValue

from skipstone.cloud.model import Cloud, Host

Fingerprint = dict[str, dict[str, str]]
"""Place (a host, a database, the cloud itself) -> aspect (``packages``) -> hash."""

_DIGITS = 16


def fingerprint_of(cloud: Cloud) -> Fingerprint:
    """Return the fingerprint; the same cloud gives the same one, whatever the order of its answers."""
    return {
        place: {aspect: _hash(value) for aspect, value in aspects.items()}
        for place, aspects in _places(cloud)
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


def _places(cloud: Cloud) -> Iterator[tuple[str, dict[str, JsonValue]]]:
    whole = cloud.model_dump(mode="json", include={"name", "release", "services", "endpoints", "roles"})
    yield "cloud", whole
    for host in cloud.hosts:
        yield host.name, _host(cloud, host)
    for database in cloud.databases:
        aspects = database.model_dump(mode="json", include={"heads", "collation"})
        yield f"database {database.name}", aspects


def _host(cloud: Cloud, host: Host) -> dict[str, JsonValue]:
    plain = host.model_dump(mode="json", include={"address", "groups", "os", "packages", "apt_sources"})
    return {
        **plain,
        "configuration": {file.path: file.sha256 for file in host.config_files if file.text is not None},
        "units": [[unit.name, unit.load, unit.enabled] for unit in host.units],
        "database server": [one.version for one in cloud.database_servers if one.host == host.name],
        "broker": [one.version for one in cloud.brokers if one.host == host.name],
    }


def _hash(value: JsonValue) -> str:
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:_DIGITS]
