"""What passes through a shared database can be read with its URL's password, and not without."""

import pytest

from skipstone.errors import InputError
from skipstone.run.seal import Seal

FACTS = {"host": "ctl1", "script": "echo hunter2", "deadline": 5.0}
URL = "postgresql://skipstone:{}@db/skipstone"


def test_who_has_the_same_password_reads_it() -> None:
    sealed = Seal(URL.format("correct-horse")).close(FACTS)
    assert "hunter2" not in sealed
    assert Seal(URL.format("correct-horse") + "?sslmode=verify-full").open(sealed) == FACTS


def test_who_has_another_does_not() -> None:
    sealed = Seal(URL.format("correct-horse")).close(FACTS)
    for other in (Seal(URL.format("battery-staple")), Seal("postgresql://skipstone@db/skipstone")):
        with pytest.raises(InputError, match="cannot be read"):
            other.open(sealed)


def test_two_seals_of_the_same_differ() -> None:
    seal = Seal(URL.format("correct-horse"))
    assert seal.close(FACTS) != seal.close(FACTS)


def test_without_a_password_it_stays_open() -> None:
    seal = Seal("postgresql:///skipstone")
    assert seal.open(seal.close(FACTS)) == FACTS
