"""Each blocker has a diseased database to be tried on: ``tests/database/test_guards.py`` does."""

from skipstone.catalog.loader import load_catalog
from tests.database.diseases import DISEASES, WITHOUT_QUERY

BLOCKERS = {blocker.id: blocker for service in load_catalog().services for blocker in service.blockers}


def test_every_query_has_a_disease() -> None:
    assert set(DISEASES) | set(WITHOUT_QUERY) == set(BLOCKERS)
    assert {name for name, blocker in BLOCKERS.items() if blocker.query} == set(DISEASES)


def test_every_question_asked_afterwards_has_one() -> None:
    shown = {name for name, disease in DISEASES.items() if disease.after}
    assert {name for name, blocker in BLOCKERS.items() if blocker.after} == shown
