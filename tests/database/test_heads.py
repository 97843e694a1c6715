"""A migrated schema is known by its heads, in a real MariaDB: alembic's, and sqlalchemy-migrate's."""

import subprocess

import pytest

from skipstone.catalog import load_catalog
from skipstone.rehearsal.server import PrivateServer
from skipstone.steps.database import SyncDatabase
from tests.database.hosting import run_beside

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

XENA = (
    "create database ks; create table ks.migrate_version (repository_id varchar(50), version int);"
    " insert into ks.migrate_version values ('keystone', 109), ('keystone_contract', 79),"
    " ('keystone_data_migrate', 79), ('keystone_expand', 79)"
)
ZED = (
    "create table ks.alembic_version (version_num varchar(32));"
    " insert into ks.alembic_version values ('29e87d24a316'), ('e25ffa003242')"
)


def verified(server: PrivateServer, release: str) -> subprocess.CompletedProcess[str]:
    """Run the step's own look at the heads that keystone has in a release."""
    heads = load_catalog().release(release).services["keystone"].schema_.heads["keystone"]
    step = SyncDatabase(
        id="s",
        title="t",
        host="db",
        deadline=60,
        estimate=1,
        service="keystone",
        user="keystone",
        commands=("true",),
        databases=("ks",),
        heads={"ks": heads},
        database_host="db",
        dumps="/d",
    )
    command = step.verify()
    assert command
    return run_beside(server, command)


def test_several_repositories_at_one_number_are_one_head(server: PrivateServer) -> None:
    server.query(XENA)
    for release in ("xena", "yoga"):
        assert verified(server, release).returncode == 0
    assert verified(server, "victoria").returncode == 1


def test_from_zed_on_alembic_says_it(server: PrivateServer) -> None:
    server.query(XENA)
    assert "alembic_version" in verified(server, "zed").stderr
    server.query(ZED)
    assert verified(server, "zed").returncode == 0
