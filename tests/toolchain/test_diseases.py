"""What the guards are for: with the disease, a real release's own code breaks, or damages without a word."""

from collections.abc import Iterator

import pytest

from skipstone.catalog import load_catalog
from skipstone.catalog.service import Purpose
from skipstone.rehearsal.server import PrivateServer
from tests.toolchain.ward import Ward

pytestmark = [pytest.mark.real, pytest.mark.network, pytest.mark.timeout(1800)]

TARGET = load_catalog().release("2025.1")


@pytest.fixture(scope="module")
def server() -> Iterator[PrivateServer]:
    with PrivateServer() as server:
        yield server


def test_heat_stamps_blindly_what_is_not_at_86(server: PrivateServer) -> None:
    """Scripts 80 to 86 are never applied, and 2025.1 says that all is well."""
    ward = Ward(server, "heat")
    line = [*ward.lines("zed")[0], "79"]
    done = ward.run("zed", line)
    assert done.returncode == 0, done.stderr
    assert ward.heads() == ("migrate:79",)
    assert ward.found("heat-legacy-below-86") == (1, 1)
    assert ward.sync("2025.1").returncode == 0
    assert TARGET.services["heat"].schema_.is_head("heat", ward.heads())
    assert ward.found("heat-legacy-below-86") == (1, 1), "the damage shows"
    damaged = _columns(ward)

    healthy = Ward(server, "heat")
    assert healthy.sync("zed").returncode == 0
    assert healthy.found("heat-legacy-below-86") == (0, 0)
    assert healthy.sync("2025.1").returncode == 0
    assert healthy.found("heat-legacy-below-86") == (0, 0)
    assert ("resource", "attr_data_id") in _columns(healthy) - damaged, "what script 80 brings"


def test_cinder_breaks_on_volumes_without_use_quota(server: PrivateServer) -> None:
    ward = Ward(server, "cinder")
    assert ward.sync("zed").returncode == 0
    ward.query("INSERT INTO volume_types (id, name) VALUES ('t', 't')")
    ward.query("INSERT INTO volumes (id, volume_type_id, use_quota, deleted) VALUES ('v', 't', NULL, 0)")
    assert ward.found("cinder-null-use-quota") == (1, 0)
    done = ward.sync("2025.1")
    assert done.returncode != 0
    assert "use_quota" in done.stdout + done.stderr
    assert not TARGET.services["cinder"].schema_.is_head("cinder", ward.heads()), "half-way"


def test_cinder_breaks_on_deleted_rows_without_use_quota_until_they_are_mended(server: PrivateServer) -> None:
    """Zed's converters pass over deleted rows, and say that nothing is left to do."""
    ward = Ward(server, "cinder")
    assert ward.sync("zed").returncode == 0
    ward.query(
        "INSERT INTO volume_types (id, name) VALUES ('t', 't');"
        "INSERT INTO volumes (id, volume_type_id, use_quota, deleted) VALUES"
        " ('kept', 't', NULL, 0), ('gone', 't', NULL, 1);"
        "INSERT INTO snapshots (id, volume_id, volume_type_id, use_quota, deleted) VALUES"
        " ('gone', 'kept', 't', NULL, 1)"
    )
    (convert,) = ward.lines("zed", Purpose.ONLINE_DATA_MIGRATIONS)
    assert ward.run("zed", convert).returncode == 0
    assert ward.found("cinder-null-use-quota") == (2, 0), "the deleted ones"
    done = ward.sync("2025.1")
    assert done.returncode != 0
    assert "use_quota" in done.stdout + done.stderr

    assert ward.mend("cinder-null-use-quota") == 0
    assert ward.sync("2025.1").returncode == 0
    assert TARGET.services["cinder"].schema_.is_head("cinder", ward.heads())
    assert ward.query("SELECT deleted, use_quota FROM volumes ORDER BY id") == [("1", "1"), ("0", "1")]


def test_neutron_breaks_on_two_networks_for_the_ha_routers_of_a_project(server: PrivateServer) -> None:
    ward = Ward(server, "neutron")
    assert ward.sync("zed").returncode == 0
    for network in ("n1", "n2"):
        ward.query(
            "SET foreign_key_checks = 0;"
            f"INSERT INTO ha_router_networks (project_id, network_id) VALUES ('p', '{network}')"
        )
    assert ward.found("neutron-duplicate-ha-networks") == (1, 0)
    done = ward.sync("2025.1")
    assert done.returncode != 0
    assert "Duplicate entry" in done.stdout + done.stderr


def test_neutron_breaks_where_new_tables_get_another_collation(server: PrivateServer) -> None:
    ward = Ward(server, "neutron")
    assert ward.sync("zed").returncode == 0
    assert ward.found("neutron-mixed-collations") == (0, 0)
    ward.query("ALTER DATABASE CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
    assert ward.found("neutron-mixed-collations") == (4, 0)
    done = ward.sync("2025.1")
    assert done.returncode != 0
    assert "errno: 150" in done.stdout + done.stderr


def _columns(ward: Ward) -> set[tuple[str, ...]]:
    """Return what is in the schema: table and column."""
    asked = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = DATABASE()"
    return set(ward.query(asked))
