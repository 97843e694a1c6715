"""What the catalog says of APIs that a rehearsal starts and asks."""

import pytest

from skipstone.catalog import load_catalog
from skipstone.catalog.service import Service
from skipstone.catalog.serving import Difference

CATALOG = load_catalog()
SERVICES = pytest.mark.parametrize("service", CATALOG.services, ids=lambda service: service.name)
OLDEST = "victoria"


@SERVICES
def test_every_release_has_exactly_one_application(service: Service) -> None:
    assert service.serving
    for release in CATALOG.releases:
        if release >= CATALOG.release(OLDEST):
            found = [one for one in service.serving.applications if one.covers(release)]
            assert len(found) == 1, release


@SERVICES
def test_a_script_is_not_wanted_of_a_release_that_dropped_it(service: Service) -> None:
    assert service.serving
    for one in service.serving.applications:
        dropped = [
            release
            for release in CATALOG.releases
            if service.name in release.services
            and (executables := release.services[service.name].executables)
            and one.script in executables.removed
        ]
        assert not [release for release in dropped if one.covers(release)]


@SERVICES
def test_what_is_asked_is_held_somewhere(service: Service) -> None:
    known = {database.name for database in service.databases}
    names = [resource.name for resource in service.resources]
    assert len(names) == len(set(names)) > 0
    for resource in service.resources:
        assert set(resource.databases) <= known
        if resource.asked.each:
            assert resource.asked.each in names[: names.index(resource.name)], "it is asked before"
            assert "parent" in resource.fields
        assert resource.asked.paged is False or len(resource.key) == 1, "a marker is one field"


@SERVICES
def test_changes_speak_of_what_there_is(service: Service) -> None:
    resources = {resource.name: resource for resource in service.resources}
    for change in service.changes:
        assert bool(change.databases) is bool(change.tables) is not bool(change.resource), change.id
        assert set(change.databases) <= {database.name for database in service.databases}
        if change.resource:
            assert set(change.fields) <= set(resources[change.resource].fields)
            assert bool(change.fields) is (change.difference is Difference.CHANGED)
    ids = [change.id for one in CATALOG.services for change in one.changes]
    assert len(ids) == len(set(ids))
