"""Recipes of the catalog, carried out by the releases' own code on databases that need them."""

import subprocess
import tempfile
from pathlib import Path

import pytest

from skipstone.catalog import load_catalog
from skipstone.rehearsal.rehearsal import Wish, rehearse
from skipstone.rehearsal.report import RehearsalReport
from skipstone.settings import load_settings
from skipstone.toolchain.building import build
from tests.toolchain.carried import seed
from tests.toolchain.mariadb import MariaDb

pytestmark = [pytest.mark.real, pytest.mark.network, pytest.mark.timeout(3600)]

CATALOG = load_catalog()
STEIN, VICTORIA = CATALOG.release("stein"), CATALOG.release("victoria")
NOVA = ("nova_api", "nova", "nova_cell0", "nova_cell2")
(RECIPE,) = CATALOG.service("placement").recipes
ILL = (
    "UPDATE nova_api.resource_providers SET root_provider_id = NULL",
    "DELETE FROM nova_api.consumers ORDER BY id LIMIT 7",
)
"""What years of a placement inside of nova leave behind, and Train's scripts refuse."""


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """Dumps of nova of Stein, with placement's rows in its API database, and none of placement."""
    seeds, dumps = seed(load_settings(), STEIN), tmp_path / "dumps"
    dumps.mkdir()
    with tempfile.TemporaryDirectory(prefix="skipstone-", dir="/var/tmp") as home:
        server = MariaDb(Path(home))
        client = ("--no-defaults", f"--socket={server.socket}", "-uroot")
        try:
            server.start()
            for name in (*NOVA, "placement"):
                with (seeds / f"{name}.sql").open() as file:
                    subprocess.run(["mariadb", *client], stdin=file, check=True)
            assert RECIPE.takes
            for table in RECIPE.takes.tables:
                server.rows(moved(server, table))
            for statement in ILL:
                server.rows(statement)
            for name in NOVA:
                with (dumps / f"{name}.sql").open("w") as file:
                    subprocess.run(["mariadb-dump", *client, "--databases", name], stdout=file, check=True)
        finally:
            server.stop()
    return dumps


def moved(server: MariaDb, table: str) -> str:
    """Return what puts placement's rows of a table where nova had them."""
    asked = (
        f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}' AND table_schema = "
    )
    columns = ", ".join(f"`{row[0]}`" for row in server.rows(f"{asked}'placement'"))
    return (
        "SET foreign_key_checks = 0, sql_mode = 'NO_AUTO_VALUE_ON_ZERO';"
        f" DELETE FROM nova_api.{table};"
        f" INSERT INTO nova_api.{table} ({columns}) SELECT {columns} FROM placement.{table}"
    )


def carried(dumps: Path, directory: Path) -> RehearsalReport:
    wish = Wish(dumps=dumps, target=VICTORIA, source=STEIN, directory=directory, apis=False)
    return rehearse(CATALOG, wish, lambda release: build(release, load_settings()))


@pytest.mark.long
def test_placement_leaves_nova_with_every_row_and_what_train_refuses_is_made_right(inside: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="skipstone-routes-", dir="/var/tmp") as directory:
        report = carried(inside, Path(directory))
    (taken,) = report.taken_over
    assert (taken.service, taken.origin, taken.recipe) == ("placement", "nova_api", RECIPE.id)
    assert report.arrived, [service for service in report.services if not service.passed]
    placement = next(service for service in report.services if service.service == "placement")
    commands = [command.command for stop in placement.stops for command in stop.commands]
    assert commands.index("placement-manage db stamp b4ed3a175331") < commands.index(
        "placement-manage db sync"
    )
    tables = {table.table: (table.before, table.after) for table in placement.databases[0].tables}
    assert tables["resource_providers"] == (5, 5)
    assert tables["allocations"] == (120, 120)
    assert tables["consumers"] == (33, 40), "one for each allocation again"
