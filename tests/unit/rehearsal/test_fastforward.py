"""Whether every command that a route asks for can be had."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from skipstone.catalog import Release, load_catalog
from skipstone.catalog.route import find_route
from skipstone.errors import InputError
from skipstone.rehearsal.fastforward import Stop, expect_commands, stops
from skipstone.toolchain.toolchain import Program

CATALOG = load_catalog()
QUEENS = CATALOG.release("queens")


@dataclass(frozen=True)
class Without:
    """A toolchain that lacks some services."""

    release: Release
    lacking: tuple[str, ...]

    def version(self, service: str) -> str | None:
        return None if service in self.lacking else self.release.services[service].latest

    def command(self, service: str, argv: Sequence[str], *, directories: Sequence[Path] = ()) -> Program:
        raise NotImplementedError

    def python(self, service: str, argv: Sequence[str], *, directories: Sequence[Path] = ()) -> Program:
        raise NotImplementedError


def chains(source: str, target: str, *services: str) -> dict[str, tuple[Stop, ...]]:
    return stops(CATALOG, find_route(CATALOG, CATALOG.release(source), CATALOG.release(target), services))


def test_a_stop_whose_commands_cannot_be_had_is_told_with_the_way_out() -> None:
    found = chains("pike", "queens", "keystone", "glance", "heat")
    with pytest.raises(
        InputError, match="stops at Queens, whose toolchain is without glance, heat"
    ) as caught:
        expect_commands(found, Without(QUEENS, ("glance", "heat")))
    assert "another target than queens" in caught.value.remedy


def test_what_the_route_does_not_ask_for_may_be_lacking() -> None:
    expect_commands(chains("pike", "queens", "keystone"), Without(QUEENS, ("glance", "heat")))
    # at the source only online data migrations run: glance and heat have none
    expect_commands(chains("queens", "rocky", "nova", "glance", "heat"), Without(QUEENS, ("glance", "heat")))
