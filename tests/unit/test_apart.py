import os

import pytest

from skipstone.apart import apart
from skipstone.errors import HostUnreachable


def refuse(where: str) -> None:
    raise HostUnreachable("nobody there", where=where, evidence="timeout", remedy="look")


def test_it_is_another_process() -> None:
    assert apart(os.getpid) != os.getpid()


def test_an_error_comes_back_whole() -> None:
    with pytest.raises(HostUnreachable) as caught:
        apart(refuse, where="h1")
    assert (caught.value.what, caught.value.where) == ("nobody there", "h1")
    assert (caught.value.evidence, caught.value.remedy) == ("timeout", "look")
