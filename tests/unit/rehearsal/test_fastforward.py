"""Whether every command that a route asks for can be had."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from skipstone.catalog import Purpose, Release, load_catalog
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


def test_purging_comes_first_with_the_sources_own_commands() -> None:
    route = find_route(CATALOG, CATALOG.release("zed"), CATALOG.release("2025.1"), ("nova", "neutron"))
    nova, neutron = (stops(CATALOG, route, purge=True)[name][0] for name in ("nova", "neutron"))
    assert [move.purpose for move in nova.moves] == [Purpose.PURGE] * 2 + [Purpose.ONLINE_DATA_MIGRATIONS]
    assert neutron.moves == (), "it deletes at once"
    assert all(
        move.purpose is not Purpose.PURGE
        for stop in chains("zed", "2025.1", "nova")["nova"]
        for move in stop.moves
    )


def commands(chain: Sequence[Stop]) -> list[tuple[str, str]]:
    return [
        (stop.release.codename, move.invocation.run.replace(" {config}", ""))
        for stop in chain
        for move in (*stop.prior, *stop.moves)
    ]


def test_a_recipe_that_takes_tables_is_for_those_that_were_taken_alone() -> None:
    route = find_route(CATALOG, CATALOG.release("rocky"), CATALOG.release("victoria"), ("placement",))
    plain = stops(CATALOG, route)["placement"]
    taken = stops(CATALOG, route, taken=["placement-own-database"])["placement"]
    assert not any(stop.prior for stop in plain)
    assert commands(taken)[:2] == [
        ("victoria", "placement-manage db stamp b4ed3a175331"),
        ("victoria", "placement-manage db online_data_migrations"),
    ]
    assert commands(taken)[2:] == commands(plain)


def test_what_kilo_alone_can_do_is_done_there() -> None:
    found = commands(chains("juno", "mitaka", "nova")["nova"])
    kilo = [line for release, line in found if release == "kilo"]
    assert kilo[0] == "nova-manage db null_instance_uuid_scan --delete"
    assert kilo.index("nova-manage db sync") < kilo.index(
        "nova-manage db migrate_flavor_data --max-number 1000000"
    )
    assert not any("flavor_data" in line for release, line in found if release != "kilo")


def test_cells_are_mapped_with_newtons_code_also_where_the_way_begins_there() -> None:
    setup = ("newton", "nova-manage cell_v2 simple_cell_setup")
    assert setup in commands(chains("mitaka", "ocata", "nova")["nova"])
    assert setup in commands(chains("newton", "ocata", "nova")["nova"])
    assert not any("cell_v2" in line for _, line in commands(chains("ocata", "rocky", "nova")["nova"]))
