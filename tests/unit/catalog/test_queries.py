"""Each blocker's query counts the rows that offend, and none of the rows that do not.

SQLite runs them; the columns are those that the migration in the blocker's evidence looks at.
"""

import sqlite3

import pytest

from skipstone.catalog.loader import load_catalog
from skipstone.catalog.service import Blocker

BLOCKERS = {blocker.id: blocker for service in load_catalog().services for blocker in service.blockers}
WITHOUT_QUERY = {"placement-extraction", "cinder-consistency-groups", "nova-request-specs"}

# blocker -> tables, rows that are right, rows that offend, how many offend
CASES: dict[str, tuple[str, str, str, int]] = {
    "glance-image-visibility": (
        "CREATE TABLE images (visibility)",
        "INSERT INTO images VALUES ('public'), ('private')",
        "INSERT INTO images VALUES (NULL), (NULL)",
        2,
    ),
    "placement-null-root-provider": (
        "CREATE TABLE resource_providers (id, root_provider_id)",
        "INSERT INTO resource_providers VALUES (1, 1), (2, 1)",
        "INSERT INTO resource_providers VALUES (3, NULL)",
        1,
    ),
    "placement-missing-consumer": (
        "CREATE TABLE allocations (consumer_id); CREATE TABLE consumers (id, uuid)",
        "INSERT INTO consumers VALUES (1, 'a'); INSERT INTO allocations VALUES ('a'), ('a')",
        "INSERT INTO allocations VALUES ('b')",
        1,
    ),
    "heat-legacy-below-86": (
        "CREATE TABLE migrate_version (repository_id, version)",
        "INSERT INTO migrate_version VALUES ('heat', 86)",
        "UPDATE migrate_version SET version = 85",
        1,
    ),
    "cinder-service-uuids": (
        "CREATE TABLE services (uuid, deleted)",
        "INSERT INTO services VALUES ('a', 0), (NULL, 1)",
        "INSERT INTO services VALUES (NULL, 0)",
        1,
    ),
    "cinder-untyped-volumes": (
        "CREATE TABLE volumes (volume_type_id); CREATE TABLE snapshots (volume_type_id)",
        "INSERT INTO volumes VALUES ('t'); INSERT INTO snapshots VALUES ('t')",
        "INSERT INTO volumes VALUES (NULL); INSERT INTO snapshots VALUES (NULL), (NULL)",
        3,
    ),
    "cinder-null-use-quota": (
        "CREATE TABLE volumes (use_quota); CREATE TABLE snapshots (use_quota)",
        "INSERT INTO volumes VALUES (1), (0); INSERT INTO snapshots VALUES (1)",
        "INSERT INTO volumes VALUES (NULL); INSERT INTO snapshots VALUES (NULL)",
        2,
    ),
    "nova-null-instance-uuids": (
        "CREATE TABLE instances (uuid)",
        "INSERT INTO instances VALUES ('a')",
        "INSERT INTO instances VALUES (NULL)",
        1,
    ),
    "nova-flavor-data": (
        (
            "CREATE TABLE instances (id, uuid, deleted);"
            "CREATE TABLE instance_system_metadata (id, instance_uuid, `key`, deleted)"
        ),
        (
            "INSERT INTO instances VALUES (1, 'a', 0), (2, 'b', 2);"
            "INSERT INTO instance_system_metadata VALUES"
            " (1, 'a', 'image_os', 0), (2, 'b', 'instance_type_id', 0), (3, 'a', 'instance_type_id', 3)"
        ),
        "INSERT INTO instance_system_metadata VALUES (4, 'a', 'instance_type_id', 0)",
        1,
    ),
    "nova-mitaka-migrations": (
        (
            "CREATE TABLE compute_nodes (deleted, uuid); CREATE TABLE aggregates (deleted, uuid);"
            "CREATE TABLE pci_devices (deleted, parent_addr, dev_type)"
        ),
        (
            "INSERT INTO compute_nodes VALUES (0, 'a'), (1, NULL); INSERT INTO aggregates VALUES (0, 'a');"
            "INSERT INTO pci_devices VALUES (0, NULL, 'type-PF'), (0, '0:1', 'type-VF')"
        ),
        (
            "INSERT INTO compute_nodes VALUES (0, NULL); INSERT INTO aggregates VALUES (0, NULL);"
            "INSERT INTO pci_devices VALUES (0, NULL, 'type-VF')"
        ),
        3,
    ),
    "nova-newton-migrations": (
        (
            "CREATE TABLE instance_types (deleted); CREATE TABLE key_pairs (deleted);"
            "CREATE TABLE aggregates (deleted); CREATE TABLE instance_groups (deleted)"
        ),
        "INSERT INTO instance_types VALUES (1); INSERT INTO key_pairs VALUES (7)",
        (
            "INSERT INTO instance_types VALUES (0); INSERT INTO key_pairs VALUES (0);"
            "INSERT INTO aggregates VALUES (0); INSERT INTO instance_groups VALUES (0)"
        ),
        4,
    ),
    "nova-cells-mapped": (
        "CREATE TABLE flavors (id); CREATE TABLE cell_mappings (uuid)",
        (
            "INSERT INTO flavors VALUES (1); INSERT INTO cell_mappings VALUES ('b'),"
            " ('00000000-0000-0000-0000-000000000000')"
        ),
        "UPDATE cell_mappings SET uuid = 'c' WHERE uuid != 'b'",
        1,
    ),
    "nova-service-uuids": (
        "CREATE TABLE services (deleted, uuid)",
        "INSERT INTO services VALUES (0, 'a'), (3, NULL)",
        "INSERT INTO services VALUES (0, NULL)",
        1,
    ),
    "neutron-duplicate-ha-bindings": (
        "CREATE TABLE ha_router_agent_port_bindings (router_id, l3_agent_id)",
        "INSERT INTO ha_router_agent_port_bindings VALUES ('r', 'a'), ('r', 'b')",
        "INSERT INTO ha_router_agent_port_bindings VALUES ('r', 'a')",
        1,
    ),
    "neutron-duplicate-router-ports": (
        "CREATE TABLE routerports (router_id, port_id)",
        "INSERT INTO routerports VALUES ('r', 'p'), ('r', 'q')",
        "INSERT INTO routerports VALUES ('s', 'p')",
        1,
    ),
    "neutron-duplicate-floating-ips": (
        "CREATE TABLE floatingips (floating_network_id, fixed_port_id, fixed_ip_address)",
        "INSERT INTO floatingips VALUES ('n', 'p', '10.0.0.1'), ('n', NULL, NULL), ('n', NULL, NULL)",
        "INSERT INTO floatingips VALUES ('n', 'p', '10.0.0.1')",
        1,
    ),
    "neutron-duplicate-quotas": (
        "CREATE TABLE quotas (project_id, resource)",
        "INSERT INTO quotas VALUES ('p', 'port'), ('p', 'network'), ('q', 'port')",
        "INSERT INTO quotas VALUES ('p', 'port')",
        1,
    ),
    "neutron-duplicate-segments": (
        "CREATE TABLE networksegments (network_id, network_type, physical_network)",
        "INSERT INTO networksegments VALUES ('n', 'vlan', 'p'), ('n', 'vxlan', NULL), ('n', 'vxlan', NULL)",
        "INSERT INTO networksegments VALUES ('n', 'vlan', 'p')",
        1,
    ),
    "neutron-duplicate-ha-networks": (
        "CREATE TABLE ha_router_networks (project_id, network_id)",
        "INSERT INTO ha_router_networks VALUES ('p', 'a'), ('q', 'b')",
        "INSERT INTO ha_router_networks VALUES ('p', 'c')",
        1,
    ),
}


def test_every_query_has_a_case() -> None:
    assert set(CASES) == set(BLOCKERS) - WITHOUT_QUERY
    assert all(BLOCKERS[name].query is None for name in WITHOUT_QUERY)


@pytest.mark.parametrize("name", CASES)
def test_query_counts_offending_rows_only(name: str) -> None:
    tables, right, wrong, expected = CASES[name]
    connection = sqlite3.connect(":memory:")

    def count(blocker: Blocker) -> int:
        assert blocker.query is not None
        return int(connection.execute(blocker.query).fetchone()[0])

    try:
        connection.executescript(tables)
        assert count(BLOCKERS[name]) == 0
        connection.executescript(right)
        assert count(BLOCKERS[name]) == 0
        connection.executescript(wrong)
        assert count(BLOCKERS[name]) == expected
    finally:
        connection.close()
