"""Every blocker of the catalog on a real MariaDB: a database that has the disease, and a healthy one."""

from collections.abc import Iterator

import pytest

from skipstone.catalog import load_catalog
from skipstone.rehearsal.databases import LoadedDatabase
from skipstone.rehearsal.guards import Guards
from skipstone.rehearsal.server import PrivateServer
from tests.database.diseases import DISEASES, Disease

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

CATALOG = load_catalog()
BLOCKERS = {
    blocker.id: (service.name, blocker) for service in CATALOG.services for blocker in service.blockers
}
MENDED = [name for name, disease in DISEASES.items() if disease.mended]
SHOWN_AFTERWARDS = [name for name, disease in DISEASES.items() if disease.after]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateServer]:
    with PrivateServer(tmp_path_factory.mktemp("server")) as server:
        yield server


class Patient:
    """A database with one disease's tables, and the guards that look at it; its name is not the catalog's."""

    def __init__(self, server: PrivateServer, name: str) -> None:
        self._server = server
        service, self.blocker = BLOCKERS[name]
        self.disease: Disease = DISEASES[name]
        databases = [LoadedDatabase("patient", service, self.blocker.database, ())]
        if self.disease.api:
            databases.append(LoadedDatabase("patient-api", service, "nova_api", ()))
        for one in databases:
            server.query(
                f"DROP DATABASE IF EXISTS `{one.name}`; CREATE DATABASE `{one.name}` CHARACTER SET utf8mb3"
            )
        self.guards = Guards(server, CATALOG, tuple(databases))
        self.give(self.disease.tables)
        if self.disease.api:
            server.query(f"USE `patient-api`; {self.disease.api}")

    def give(self, sql: str) -> None:
        self._server.query(f"USE patient; {sql}")

    @property
    def before(self) -> list[int]:
        return [trouble.rows for trouble in self.guards.before([self.blocker])]

    @property
    def after(self) -> list[int]:
        return [trouble.rows for trouble in self.guards.after([self.blocker])]


@pytest.mark.parametrize("name", DISEASES)
def test_a_disease_is_seen_and_health_is_not(server: PrivateServer, name: str) -> None:
    patient = Patient(server, name)
    assert patient.before == [], "an empty database is healthy"
    patient.give(patient.disease.healthy)
    assert patient.before == []
    patient.give(patient.disease.sick)
    assert patient.before == [patient.disease.rows]


@pytest.mark.parametrize("name", MENDED)
def test_what_can_be_mended_is_and_the_rest_still_offends(server: PrivateServer, name: str) -> None:
    patient = Patient(server, name)
    patient.give(patient.disease.healthy)
    patient.give(patient.disease.sick)
    mended, left = patient.guards.mend(patient.guards.before([patient.blocker]))
    assert (mended.rows, mended.mended, mended.stops) == (patient.disease.mended, True, False)
    assert (left.rows, left.mended, left.stops) == (patient.disease.rows - mended.rows, False, True)
    assert patient.before == [left.rows]
    assert patient.after == [], "mending does no damage"
    assert list(patient.guards.mend([left])) == [left], "once more changes nothing"


def test_only_what_can_be_mended_says_so() -> None:
    assert {name for name, (_, blocker) in BLOCKERS.items() if blocker.mend} == set(MENDED)


@pytest.mark.parametrize("name", SHOWN_AFTERWARDS)
def test_damage_that_shows_afterwards_is_seen(server: PrivateServer, name: str) -> None:
    patient = Patient(server, name)
    patient.give(patient.disease.healthy)
    assert patient.after == []
    patient.give(patient.disease.after)
    assert len(patient.after) == 1


def test_a_schema_without_the_column_is_not_sick(server: PrivateServer) -> None:
    patient = Patient(server, "cinder-null-use-quota")
    patient.give("ALTER TABLE volumes DROP COLUMN use_quota")
    assert patient.before == []


def test_every_cell_is_looked_at(server: PrivateServer) -> None:
    """Cell0 has nova's schema, and its own place in the catalog."""
    patient = Patient(server, "nova-service-uuids")
    patient.give(patient.disease.sick)
    cells = tuple(LoadedDatabase("patient", "nova", name, ()) for name in ("nova", "nova_cell0", "nova"))
    (trouble,) = Guards(server, CATALOG, cells).before([patient.blocker])
    assert trouble.rows == 3


def test_a_question_about_a_database_that_is_not_here_is_not_asked(server: PrivateServer) -> None:
    patient = Patient(server, "nova-request-specs")
    patient.give(patient.disease.sick)
    alone = (LoadedDatabase("patient", "nova", "nova", ()),)
    assert Guards(server, CATALOG, alone).before([patient.blocker]) == ()
