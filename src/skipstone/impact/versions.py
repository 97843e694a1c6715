"""Which versions ran where, before and after: what discovery found, kept small.

Hosts that have the same are kept as one group, so that ten thousand computes take no more room than one.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal

from skipstone.cloud.model import Cloud, Fact, Host
from skipstone.errors import InputError

VERSIONS_BEFORE = "versions-before.json"
VERSIONS_AFTER = "versions-after.json"
"""The files in a run's directory."""
DATABASES = "databases"
"""Stands for a host where heads of schemas are."""


class Group(Fact):
    """Hosts that have the same; ``facts`` are versions by what they are of (``package nova``)."""

    hosts: tuple[str, ...]
    facts: dict[str, str]


class Versions(Fact):
    """The versions of a whole cloud."""

    format: Literal[1] = 1
    taken_at: datetime
    groups: tuple[Group, ...]

    def by_host(self) -> dict[str, dict[str, str]]:
        """Return each host's facts."""
        return {host: group.facts for group in self.groups for host in group.hosts}


class Change(Fact):
    """What was one version before and is another after, on these hosts; None is absent."""

    what: str
    before: str | None
    after: str | None
    hosts: tuple[str, ...]


def versions_of(cloud: Cloud) -> Versions:
    """Return the versions that a discovered cloud has; hosts that did not answer have none."""
    agents: dict[str, dict[str, str]] = {}
    for agent in cloud.agents:
        if agent.version is not None:
            agents.setdefault(agent.host, {})[f"service {agent.binary}"] = str(agent.version)
    found = {host.name: _of_host(host) | agents.get(host.name, {}) for host in cloud.hosts if host.reachable}
    heads = {f"schema {database.name}": ", ".join(database.heads) for database in cloud.databases}
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for name, facts in [*found.items(), *([(DATABASES, heads)] if heads else [])]:
        groups.setdefault(tuple(sorted(facts.items())), []).append(name)
    return Versions(
        taken_at=cloud.taken_at,
        groups=tuple(Group(hosts=tuple(hosts), facts=dict(facts)) for facts, hosts in groups.items()),
    )


def _of_host(host: Host) -> dict[str, str]:
    facts = {"system": f"{host.os.id} {host.os.version}"} if host.os else {}
    facts |= {"kernel": host.kernel} if host.kernel else {}
    sources: dict[str, set[str]] = {}
    for package in host.packages:
        sources.setdefault(package.source, set()).add(package.version)
    facts |= {f"package {name}": ", ".join(sorted(versions)) for name, versions in sources.items()}
    return facts | {f"unit {unit.name}": unit.active for unit in host.units}


def changes(before: Versions, after: Versions) -> tuple[Change, ...]:
    """Return what differs, one entry for all hosts where it is the same, in the order of what it is of.

    Hosts that could be asked only once are left out.
    """
    found: dict[tuple[str, str | None, str | None], list[str]] = {}
    for host, what, old, new in _differences(before.by_host(), after.by_host()):
        found.setdefault((what, old, new), []).append(host)
    return tuple(
        Change(what=what, before=old, after=new, hosts=tuple(hosts))
        for (what, old, new), hosts in sorted(found.items(), key=lambda one: str(one[0]))
    )


def _differences(
    before: dict[str, dict[str, str]], after: dict[str, dict[str, str]]
) -> Iterator[tuple[str, str, str | None, str | None]]:
    for host, old in before.items():
        new = after.get(host)
        for what in dict.fromkeys([*old, *new]) if new is not None else ():
            if new is not None and old.get(what) != new.get(what):
                yield host, what, old.get(what), new.get(what)


def save_versions(versions: Versions, path: Path) -> None:
    """Write them; raise InputError where that is not possible."""
    try:
        path.write_text(versions.model_dump_json() + "\n")
    except OSError as fault:
        raise InputError("this file cannot be written", where=str(path), evidence=str(fault)) from fault


def load_versions(path: Path) -> Versions | None:
    """Read them; None where there are none. Raise InputError where it is something else."""
    try:
        return Versions.model_validate_json(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as fault:
        raise InputError("these are no versions", where=str(path), evidence=str(fault)[:500]) from fault
