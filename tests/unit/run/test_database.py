"""How the shared database is named and judged, without one."""

import pytest
from sqlalchemy.exc import DBAPIError

from skipstone.errors import InputError
from skipstone.run.database import Connections, DatabaseAway, answering, place_of, seen_of

NOWHERE = "postgresql://skipstone:correct-horse@127.0.0.1:1/skipstone"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        (NOWHERE, "postgresql://127.0.0.1:1/skipstone"),
        ("postgresql://db/skipstone?password=correct-horse", "postgresql://db/skipstone"),
        ("postgresql+psycopg://skipstone:x@db/", "postgresql://db/"),
        ("sqlite:////var/lib/engine.db", "sqlite:////var/lib/engine.db"),
    ],
)
def test_a_place_is_shown_without_its_password(url: str, place: str) -> None:
    assert place_of(url) == place


@pytest.mark.parametrize("kept", [0, 2])
def test_a_server_that_is_not_there_is_told_at_once_in_a_class_that_nobody_waits_for(kept: int) -> None:
    with pytest.raises(DatabaseAway, match="Connection refused") as caught:
        Connections(NOWHERE, kept=kept).engine.connect()
    assert not isinstance(caught.value, DBAPIError)
    assert "correct-horse" not in seen_of(caught.value)


def test_before_anything_is_done_it_is_an_error_of_the_input() -> None:
    with pytest.raises(InputError, match="nothing was begun") as caught, answering(NOWHERE):
        Connections(NOWHERE).engine.connect()
    assert caught.value.where == "postgresql://127.0.0.1:1/skipstone"
    assert "SKIPSTONE_DATABASE_URL" in caught.value.remedy
