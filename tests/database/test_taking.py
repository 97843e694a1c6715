"""Tables that a recipe takes out of another service's database, on a real MariaDB."""

from pathlib import Path

import pytest

from skipstone.catalog import load_catalog
from skipstone.rehearsal.databases import identify
from skipstone.rehearsal.server import PrivateServer
from skipstone.rehearsal.taking import Taking, take_over
from tests.database.dumping import dump, load, tables

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

CATALOG = load_catalog()
NOVA = (
    "CREATE TABLE `cell_mappings` (uuid int, database_connection text);\n"
    "CREATE TABLE `instance_mappings` (id int);\n"
)
PROVIDERS = (
    "CREATE TABLE `resource_providers` (id int PRIMARY KEY, root int,"
    " CONSTRAINT `rooted` FOREIGN KEY (root) REFERENCES `resource_providers` (id));\n"
    "CREATE TABLE `allocations` (id int);\n"
)
ROWS = (
    "INSERT INTO `resource_providers` VALUES (1, NULL), (2, 1);\n"
    "INSERT INTO `allocations` VALUES (1), (2), (3);\n"
)
KEYS = (
    "SELECT constraint_name FROM information_schema.referential_constraints"
    " WHERE constraint_schema = 'placement'"
)


def taken(
    server: PrivateServer, dumps: Path, source: str = "rocky", target: str = "victoria"
) -> tuple[Taking, ...]:
    found, _ = identify(server, CATALOG, tables(load(server, dumps)))
    takings, now = take_over(server, CATALOG, found, CATALOG.release(source), CATALOG.release(target))
    assert now == (*found, *(one.database for one in takings))
    return takings


def test_they_are_copied_with_rows_and_keys_and_stay_where_they_were(
    server: PrivateServer, dumps: Path
) -> None:
    dump(dumps, "api", NOVA + PROVIDERS + ROWS)
    (taking,) = taken(server, dumps)
    assert (taking.origin, taking.tables) == ("api", ("allocations", "resource_providers"))
    assert (taking.database.name, taking.database.service, taking.database.heads) == (
        "placement",
        "placement",
        (),
    )
    assert server.query("SELECT COUNT(*) FROM placement.allocations") == [("3",)]
    assert server.query(KEYS) == [("rooted",)]
    assert server.query("SELECT COUNT(*) FROM api.allocations") == [("3",)]


def test_an_empty_database_that_waits_for_them_is_filled(server: PrivateServer, dumps: Path) -> None:
    empty = "CREATE DATABASE IF NOT EXISTS `placement`;\nUSE `placement`;\n"
    dump(dumps, "all", f"{empty}CREATE DATABASE `api`;\nUSE `api`;\n{NOVA}{PROVIDERS}{ROWS}")
    assert len(taken(server, dumps)) == 1
    assert server.query("SELECT COUNT(*) FROM placement.resource_providers") == [("2",)]


@pytest.mark.parametrize(
    ("sql", "source", "target"),
    [
        (NOVA + PROVIDERS, "rocky", "victoria"),  # nothing was ever in them
        (NOVA, "rocky", "victoria"),
        (
            NOVA + PROVIDERS + ROWS,
            "train",
            "victoria",
        ),  # whose placement is another's dump, which is not here
        (NOVA + PROVIDERS + ROWS, "queens", "victoria"),  # not yet as placement's own code expects them
        (NOVA + PROVIDERS + ROWS, "queens", "rocky"),
    ],
)
def test_nothing_is_taken_that_is_not_there_or_not_ready(
    server: PrivateServer, dumps: Path, sql: str, source: str, target: str
) -> None:
    dump(dumps, "api", sql)
    assert taken(server, dumps, source, target) == ()


def test_a_service_that_has_a_database_keeps_it(server: PrivateServer, dumps: Path) -> None:
    dump(dumps, "api", NOVA + PROVIDERS + ROWS)
    dump(dumps, "own", PROVIDERS)
    assert taken(server, dumps, "stein") == ()
