"""Facts of the catalog agree with one another, where two of them say the same thing."""

import re
from itertools import pairwise

import pytest

from skipstone.catalog.limits import refusals
from skipstone.catalog.loader import load_catalog
from skipstone.catalog.release import Release, Schema, SchemaTool
from skipstone.catalog.service import Blocker, Purpose, Service

CATALOG = load_catalog()
SERVICES = [service.name for service in CATALOG.services]


def with_service(name: str) -> list[Release]:
    return [release for release in CATALOG.releases if name in release.services]


def floor_of_scripts(service: str, schema: Schema) -> Release | None:
    """A squashed repository that starts at N accepts a schema at N or above: derive the floor from that."""
    floors = []
    for repository, (first, _) in schema.scripts.items():
        if first == 1:
            continue
        ends = [
            release
            for release in with_service(service)
            if release.services[service].schema_.scripts.get(repository, (0, 0))[1] >= first
        ]
        floors.append(ends[0])
    return max(floors, default=None)


# Glance is left out: its alembic code has a floor that its unused legacy scripts do not show.
@pytest.mark.parametrize("service", ["keystone", "cinder", "nova", "heat"])
def test_floors_agree_with_the_scripts_in_the_code(service: str) -> None:
    checked = 0
    for release in with_service(service):
        schema = release.services[service].schema_
        derived = floor_of_scripts(service, schema) if schema.scripts else None
        if derived is None:
            continue
        checked += 1
        oldest = CATALOG.floor(schema) or CATALOG.releases[0]
        assert oldest == derived, f"{service} {release}"
    assert checked > 5


@pytest.mark.parametrize("service", SERVICES)
def test_floors_never_go_back(service: str) -> None:
    for older, newer in pairwise(with_service(service)):
        before = CATALOG.floor(older.services[service].schema_)
        after = CATALOG.floor(newer.services[service].schema_)
        assert before is None or (after is not None and before <= after)


@pytest.mark.parametrize("service", SERVICES)
def test_each_release_has_the_next_major_version(service: str) -> None:
    numbered = [release for release in with_service(service) if release.version >= "2015.2"]
    for older, newer in pairwise(numbered):
        assert int(newer.services[service].major) == int(older.services[service].major) + 1


@pytest.mark.parametrize("service", SERVICES)
def test_latest_is_of_the_same_major(service: str) -> None:
    for release in with_service(service):
        entry = release.services[service]
        assert CATALOG.release_of(service, entry.latest) == release
        assert CATALOG.release_of(service, f"2:{entry.version}-1") == release


@pytest.mark.parametrize("service", SERVICES)
def test_heads_are_written_as_the_tool_writes_them(service: str) -> None:
    for release in with_service(service):
        schema = release.services[service].schema_
        for heads in schema.heads.values():
            legacy = all(re.fullmatch(r"migrate:\d+", head) for head in heads)
            assert legacy == (schema.tool is SchemaTool.MIGRATE)


@pytest.mark.parametrize("service", CATALOG.services, ids=SERVICES)
def test_every_release_can_be_synced_with_one_set_of_commands(service: Service) -> None:
    for release in with_service(service.name):
        assert service.invocations(Purpose.SYNC, release)
        if release.version >= "2019.1":
            assert service.invocation(Purpose.STATUS_CHECK, release)


@pytest.mark.parametrize(
    "blocker", [pytest.param(b, id=b.id) for service in CATALOG.services for b in service.blockers]
)
def test_code_that_satisfies_a_blocker_exists_right_before_it_is_enforced(blocker: Blocker) -> None:
    enforced, able = blocker.enforced.since, blocker.satisfied_in
    assert enforced is not None
    before = [release for release in CATALOG.releases if release < enforced]
    assert able.covers(enforced) or able.covers(before[-1])


def test_no_hop_jumps_over_a_blocker() -> None:
    """A blocker that later code no longer checks must be replaced there by a schema floor."""
    for service in CATALOG.services:
        for blocker in (one for one in service.blockers if one.enforced.until and one.satisfied_in.since):
            for source in with_service(service.name):
                for target in CATALOG.newer_than(source):
                    beyond = blocker.enforced.until is not None and target > blocker.enforced.until
                    unmet = blocker.satisfied_in.since is not None and source < blocker.satisfied_in.since
                    if beyond and unmet:
                        assert any(refusals(CATALOG, service, source, target)), (blocker.id, source, target)


def test_compute_levels_never_go_back() -> None:
    levels = [entry.compute for release in CATALOG.releases if (entry := release.services["nova"])]
    for older, newer in pairwise(levels):
        assert older is not None
        assert newer is not None
        assert (older.level or 0) <= (newer.level or 0)
        assert (older.accepts or 0) <= (newer.accepts or 0)
        assert newer.accepts is None or newer.level is not None
        assert newer.accepts is None or newer.accepts <= (newer.level or 0)


def test_executables_that_vanish_are_not_started_by_debians_units() -> None:
    """A unit named like a program that a release dropped must end before that release.

    Debian's uwsgi units keep the name of a program that is gone (nova-api), so only programs that no API
    replaced count.
    """
    apis = {daemon.name for service in CATALOG.services for daemon in service.daemons if daemon.kind == "api"}
    for release in CATALOG.releases:
        for service in CATALOG.in_order(release.services):
            gone = set(release.services[service.name].executables.removed) - apis
            assert not gone & {unit.name for unit in service.units(release)}, release


def test_first_release_of_slurp_is_2023_1_and_every_second_after() -> None:
    modern = [release for release in CATALOG.releases if release.version >= "2023.1"]
    assert [release.slurp for release in modern] == [place % 2 == 0 for place in range(len(modern))]
    assert not any(release.slurp for release in CATALOG.releases if release.version < "2023.1")
