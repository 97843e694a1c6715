"""A diseased database, and a healthy one, for each blocker of the catalog.

The columns are those that the migration in the blocker's evidence looks at.
"""

from typing import NamedTuple


class Disease(NamedTuple):
    """Tables; rows with which all is well; rows that offend, and how many of them do.

    ``api`` is SQL for nova's API database, which the question is asked of as well. ``after`` are rows that
    show the damage once it is done; they are put into a healthy database. The blocker's mend takes ``mended``
    of the offending rows.
    """

    tables: str
    healthy: str
    sick: str
    rows: int = 1
    api: str = ""
    after: str = ""
    mended: int = 0


ID = "id INT PRIMARY KEY AUTO_INCREMENT"
TEXT = "VARCHAR(255)"
CELL0 = "00000000-0000-0000-0000-000000000000"
POINTING = (
    *("block_device_mapping", "consoles", "instance_actions", "instance_faults", "instance_metadata"),
    *("migrations", "security_group_instance_association", "virtual_interfaces"),
)

DISEASES: dict[str, Disease] = {
    "glance-image-visibility": Disease(
        f"CREATE TABLE images ({ID}, visibility ENUM('private', 'public', 'shared', 'community'))",
        "INSERT INTO images (visibility) VALUES ('public'), ('private')",
        "INSERT INTO images (visibility) VALUES (NULL), (NULL)",
        2,
        after="SET sql_mode = ''; INSERT INTO images (visibility) VALUES ('')",
    ),
    "glance-location-stores": Disease(
        f"CREATE TABLE image_locations ({ID}, meta_data TEXT, deleted BOOL)",
        """INSERT INTO image_locations (meta_data, deleted)
           VALUES ('{"store": "rbd"}', 0), ('{"backend": "rbd"}', 1), ('{}', 0)""",
        """INSERT INTO image_locations (meta_data, deleted) VALUES ('{"backend": "rbd"}', 0)""",
    ),
    "placement-null-root-provider": Disease(
        "CREATE TABLE resource_providers (id INT, root_provider_id INT)",
        "INSERT INTO resource_providers VALUES (1, 1), (2, 1)",
        "INSERT INTO resource_providers VALUES (3, NULL)",
    ),
    "placement-missing-consumer": Disease(
        f"CREATE TABLE allocations (consumer_id {TEXT}); CREATE TABLE consumers ({ID}, uuid {TEXT})",
        "INSERT INTO consumers (uuid) VALUES ('a'); INSERT INTO allocations VALUES ('a'), ('a')",
        "INSERT INTO allocations VALUES ('b')",
    ),
    "heat-legacy-below-86": Disease(
        f"CREATE TABLE migrate_version (repository_id {TEXT}, version INT)",
        "INSERT INTO migrate_version VALUES ('heat', 86)",
        "UPDATE migrate_version SET version = 79",
        after="UPDATE migrate_version SET version = 79",
    ),
    "cinder-consistency-groups": Disease(
        f"CREATE TABLE consistencygroups ({ID}, deleted BOOL); CREATE TABLE cgsnapshots ({ID}, deleted BOOL);"
        f"CREATE TABLE messages ({ID}, event_id {TEXT}, deleted BOOL)",
        "INSERT INTO consistencygroups (deleted) VALUES (1);"
        "INSERT INTO messages (event_id, deleted) VALUES ('VOLUME_000001', 0), ('000002', 1)",
        "INSERT INTO consistencygroups (deleted) VALUES (0); INSERT INTO cgsnapshots (deleted) VALUES (0);"
        "INSERT INTO messages (event_id, deleted) VALUES ('000002', 0)",
        3,
    ),
    "cinder-service-uuids": Disease(
        f"CREATE TABLE services ({ID}, uuid {TEXT}, deleted BOOL);"
        f"CREATE TABLE volumes ({ID}, service_uuid {TEXT}, host {TEXT}, deleted BOOL)",
        "INSERT INTO services (uuid, deleted) VALUES ('a', 0), (NULL, 1);"
        "INSERT INTO volumes (service_uuid, host, deleted) VALUES"
        " ('a', 'h', 0), (NULL, NULL, 0), (NULL, 'h', 1)",
        "INSERT INTO services (uuid, deleted) VALUES (NULL, 0);"
        "INSERT INTO volumes (service_uuid, host, deleted) VALUES (NULL, 'h', 0)",
        2,
    ),
    "cinder-attachment-specs": Disease(
        f"CREATE TABLE attachment_specs ({ID}, deleted BOOL)",
        "INSERT INTO attachment_specs (deleted) VALUES (1)",
        "INSERT INTO attachment_specs (deleted) VALUES (0)",
    ),
    "cinder-untyped-volumes": Disease(
        f"CREATE TABLE volumes (volume_type_id {TEXT}); CREATE TABLE snapshots (volume_type_id {TEXT})",
        "INSERT INTO volumes VALUES ('t'); INSERT INTO snapshots VALUES ('t')",
        "INSERT INTO volumes VALUES (NULL); INSERT INTO snapshots VALUES (NULL), (NULL)",
        3,
    ),
    "cinder-null-use-quota": Disease(
        f"CREATE TABLE volumes (id {TEXT}, use_quota BOOL, migration_status {TEXT}, deleted BOOL);"
        f"CREATE TABLE snapshots ({ID}, use_quota BOOL, deleted BOOL);"
        f"CREATE TABLE volume_admin_metadata (volume_id {TEXT}, `key` {TEXT}, value {TEXT}, deleted BOOL)",
        "INSERT INTO volumes VALUES ('a', 1, NULL, 0), ('b', 0, 'target:a', 0), ('c', 0, NULL, 0);"
        "INSERT INTO volume_admin_metadata VALUES"
        " ('c', 'temporary', 'True', 0), ('a', 'readonly', 'True', 0);"
        "INSERT INTO snapshots (use_quota, deleted) VALUES (1, 0), (0, 1)",
        "INSERT INTO volumes VALUES ('d', NULL, NULL, 0), ('e', NULL, NULL, 1);"
        "INSERT INTO snapshots (use_quota, deleted) VALUES (NULL, 0), (NULL, 1), (NULL, 1)",
        5,
        after="UPDATE volumes SET use_quota = 1",
        mended=3,
    ),
    "cinder-orphan-services": Disease(
        f"CREATE TABLE services ({ID}, created_at DATETIME, updated_at DATETIME, deleted BOOL)",
        "INSERT INTO services (created_at, updated_at, deleted) VALUES ('2024-01-01', '2026-11-20 10:00', 0),"
        " ('2024-01-01', '2026-11-20 09:59', 0), ('2026-11-20', NULL, 0), ('2020-01-01', '2021-01-01', 1)",
        "INSERT INTO services (created_at, updated_at, deleted) VALUES ('2024-01-01', '2026-11-01', 0)",
    ),
    "nova-null-instance-uuids": Disease(
        ";".join(
            [f"CREATE TABLE {table} ({ID}, instance_uuid {TEXT})" for table in POINTING]
            + [f"CREATE TABLE {table} ({ID}, uuid {TEXT})" for table in ("instances", "shadow_instances")]
        ),
        ";".join(
            [f"INSERT INTO {table} (instance_uuid) VALUES ('a')" for table in POINTING]
            + ["INSERT INTO instances (uuid) VALUES ('a')"]
        ),
        ";".join(
            [f"INSERT INTO {table} (instance_uuid) VALUES (NULL)" for table in POINTING]
            + [f"INSERT INTO {table} (uuid) VALUES (NULL)" for table in ("instances", "shadow_instances")]
        ),
        len(POINTING) + 2,
    ),
    "nova-flavor-data": Disease(
        f"CREATE TABLE instances (id INT, uuid {TEXT}, deleted INT);"
        f"CREATE TABLE instance_system_metadata (id INT, instance_uuid {TEXT}, `key` {TEXT}, deleted INT)",
        "INSERT INTO instances VALUES (1, 'a', 0), (2, 'b', 2);"
        "INSERT INTO instance_system_metadata VALUES"
        " (1, 'a', 'image_os', 0), (2, 'b', 'instance_type_id', 0), (3, 'a', 'instance_type_id', 3)",
        "INSERT INTO instance_system_metadata VALUES (4, 'a', 'instance_type_id', 0)",
    ),
    "nova-mitaka-migrations": Disease(
        f"CREATE TABLE compute_nodes (deleted INT, uuid {TEXT});"
        f"CREATE TABLE aggregates (deleted INT, uuid {TEXT});"
        f"CREATE TABLE pci_devices (deleted INT, parent_addr {TEXT}, dev_type {TEXT})",
        "INSERT INTO compute_nodes VALUES (0, 'a'), (1, NULL); INSERT INTO aggregates VALUES (0, 'a');"
        "INSERT INTO pci_devices VALUES (0, NULL, 'type-PF'), (0, '0:1', 'type-VF')",
        "INSERT INTO compute_nodes VALUES (0, NULL); INSERT INTO aggregates VALUES (0, NULL);"
        "INSERT INTO pci_devices VALUES (0, NULL, 'type-VF')",
        3,
    ),
    "nova-newton-migrations": Disease(
        "CREATE TABLE instance_types (deleted INT); CREATE TABLE key_pairs (deleted INT);"
        "CREATE TABLE aggregates (deleted INT); CREATE TABLE instance_groups (deleted INT)",
        "INSERT INTO instance_types VALUES (1); INSERT INTO key_pairs VALUES (7)",
        "INSERT INTO instance_types VALUES (0); INSERT INTO key_pairs VALUES (0);"
        "INSERT INTO aggregates VALUES (0); INSERT INTO instance_groups VALUES (0)",
        4,
    ),
    "nova-cells-mapped": Disease(
        f"CREATE TABLE flavors (id INT); CREATE TABLE cell_mappings (uuid {TEXT})",
        f"INSERT INTO flavors VALUES (1); INSERT INTO cell_mappings VALUES ('b'), ('{CELL0}')",
        "UPDATE cell_mappings SET uuid = 'c' WHERE uuid != 'b'",
    ),
    "nova-service-uuids": Disease(
        f"CREATE TABLE services (deleted INT, uuid {TEXT})",
        "INSERT INTO services VALUES (0, 'a'), (3, NULL)",
        "INSERT INTO services VALUES (0, NULL)",
    ),
    "nova-request-specs": Disease(
        f"CREATE TABLE instances ({ID}, uuid {TEXT} COLLATE utf8mb3_bin, deleted INT)",
        "INSERT INTO instances (uuid, deleted) VALUES ('a', 0), ('b', 2)",
        "INSERT INTO instances (uuid, deleted) VALUES ('c', 0)",
        api=f"CREATE TABLE request_specs ({ID}, instance_uuid {TEXT} COLLATE utf8mb4_general_ci);"
        "INSERT INTO request_specs (instance_uuid) VALUES ('a')",
    ),
    "nova-orphan-services": Disease(
        f"CREATE TABLE services ({ID}, `binary` {TEXT}, created_at DATETIME, last_seen_up DATETIME,"
        " forced_down BOOL, deleted INT)",
        "INSERT INTO services (`binary`, created_at, last_seen_up, forced_down, deleted) VALUES"
        " ('nova-compute', '2024-01-01', '2026-11-20', 0, 0),"
        " ('nova-compute', '2024-01-01', '2026-11-01', 1, 0),"
        " ('nova-compute', '2024-01-01', '2026-11-01', 0, 4), ('nova-api', '2024-01-01', '2026-11-01', 0, 0),"
        " ('nova-compute', '2026-11-20', NULL, 0, 0)",
        "INSERT INTO services (`binary`, created_at, last_seen_up, forced_down, deleted) VALUES"
        " ('nova-compute', '2024-01-01', '2026-11-01', 0, 0), ('nova-compute', '2024-01-01', NULL, 0, 0)",
        2,
    ),
    "nova-placement-missing": Disease(
        f"CREATE TABLE cell_mappings ({ID}); CREATE TABLE resource_providers ({ID})",
        "SELECT 1",
        "INSERT INTO resource_providers VALUES (1)",
    ),
    "neutron-duplicate-ha-bindings": Disease(
        f"CREATE TABLE ha_router_agent_port_bindings (router_id {TEXT}, l3_agent_id {TEXT})",
        "INSERT INTO ha_router_agent_port_bindings VALUES ('r', 'a'), ('r', 'b')",
        "INSERT INTO ha_router_agent_port_bindings VALUES ('r', 'a')",
    ),
    "neutron-duplicate-router-ports": Disease(
        f"CREATE TABLE routerports (router_id {TEXT}, port_id {TEXT})",
        "INSERT INTO routerports VALUES ('r', 'p'), ('r', 'q')",
        "INSERT INTO routerports VALUES ('s', 'p')",
    ),
    "neutron-duplicate-floating-ips": Disease(
        f"CREATE TABLE floatingips (floating_network_id {TEXT}, fixed_port_id {TEXT},"
        f" fixed_ip_address {TEXT})",
        "INSERT INTO floatingips VALUES ('n', 'p', '10.0.0.1'), ('n', NULL, NULL), ('n', NULL, NULL)",
        "INSERT INTO floatingips VALUES ('n', 'p', '10.0.0.1')",
    ),
    "neutron-duplicate-quotas": Disease(
        f"CREATE TABLE quotas (project_id {TEXT}, resource {TEXT})",
        "INSERT INTO quotas VALUES ('p', 'port'), ('p', 'network'), ('q', 'port')",
        "INSERT INTO quotas VALUES ('p', 'port')",
    ),
    "neutron-duplicate-segments": Disease(
        f"CREATE TABLE networksegments (network_id {TEXT}, network_type {TEXT}, physical_network {TEXT})",
        "INSERT INTO networksegments VALUES ('n', 'vlan', 'p'), ('n', 'vxlan', NULL), ('n', 'vxlan', NULL)",
        "INSERT INTO networksegments VALUES ('n', 'vlan', 'p')",
    ),
    "neutron-duplicate-ha-networks": Disease(
        f"CREATE TABLE ha_router_networks (project_id {TEXT}, network_id {TEXT})",
        "INSERT INTO ha_router_networks VALUES ('p', 'a'), ('q', 'b')",
        "INSERT INTO ha_router_networks VALUES ('p', 'c')",
    ),
    "neutron-mixed-collations": Disease(
        "CREATE TABLE ports (id VARCHAR(36) PRIMARY KEY) COLLATE utf8mb3_general_ci",
        "SELECT 1",
        "ALTER DATABASE CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
    ),
}

WITHOUT_QUERY = {"placement-extraction": "it is about a database that is not there yet"}
