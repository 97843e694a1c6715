"""A cloud's databases with a million instances, made in the schemas that a release's own commands have made.

Nova alone: its databases are those that grow. Half of the instances are soft-deleted, as where nobody has
archived; ids are spread as random ones are, and texts are as long as in a small real cloud.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

from skipstone.catalog import Release, load_catalog
from skipstone.catalog.service import Purpose
from skipstone.rehearsal.configuration import write_configurations
from skipstone.rehearsal.databases import LoadedDatabase
from skipstone.rehearsal.server import PrivateServer
from skipstone.toolchain.toolchain import Toolchain

NAMES = {"nova_api": "nova_api", "nova_cell0": "nova_cell0", "nova": "nova"}
UUID = (
    "LOWER(CONCAT_WS('-', LPAD(HEX(seq * 2654435761 % 4294967296), 8, '0'), '0000-4000-8000',"
    " LPAD(HEX(seq), 12, '0')))"
)
DELETED = "IF(seq % 2, 0, seq)"
DELETED_AT = "IF(seq % 2, NULL, '2024-05-05 05:05:05')"
CREATED = "'2023-01-01' + INTERVAL seq SECOND"
PROJECT = "LOWER(LPAD(HEX(seq % 500), 32, 'a'))"
FLAVOR = (
    '{"cur": {"nova_object.name": "Flavor", "nova_object.namespace": "nova", "nova_object.version": "1.2",'
    ' "nova_object.data": {"id": 1, "name": "m1.small", "memory_mb": 2048, "vcpus": 1, "root_gb": 20,'
    ' "flavorid": "302851a8-0856-4f7a-8772-c2d54f9b49fa", "swap": 0, "is_public": true, "extra_specs": {}}},'
    ' "old": null, "new": null}'
)
ADDRESS = "REGEXP_REPLACE(LOWER(CONCAT('fa16', LPAD(HEX(seq), 8, '0'))), '(..)(?!$)', '\\\\1:')"
NETWORK = (
    '[{"id": "ID", "address": "ADDRESS", "network": {"id": "9d9c2e69-8db5-464d-bbc2-14ec241f644b",'
    ' "bridge": "br-int", "label": "provider", "subnets": [{"cidr": "10.88.0.0/24", "gateway":'
    ' {"address": "10.88.0.1", "type": "gateway"}, "ips": [{"address": "10.88.0.154", "type": "fixed",'
    ' "version": 4, "floating_ips": []}]}]}, "type": "ovs", "active": true}]'
)
NETWORKS = f"REPLACE(REPLACE('{NETWORK}', 'ID', {UUID}), 'ADDRESS', {ADDRESS})"
SPEC = (
    '{"nova_object.name": "RequestSpec", "nova_object.namespace": "nova", "nova_object.version": "1.14",'
    ' "nova_object.data": {"image": {"nova_object.name": "ImageMeta", "nova_object.data": {"id":'
    ' "20dcba30-5f4b-4642-8ea7-3d944aad9e56", "name": "tiny", "status": "active"}}, "availability_zone":'
    ' "nova", "flavor": {"nova_object.name": "Flavor", "nova_object.data": {"id": 1, "vcpus": 1}},'
    ' "num_instances": 1, "force_hosts": null, "retry": null, "is_bfv": false}}'
)

ROWS = {
    "nova.compute_nodes": (
        "seq_1_to_100",
        {
            "created_at": "'2023-01-01'", "deleted": "0", "host": "CONCAT('cmp', seq - 1)",
            "hypervisor_hostname": "CONCAT('cmp', seq - 1)", "uuid": UUID, "vcpus": "64",
            "memory_mb": "262144",
            "local_gb": "4000", "vcpus_used": "0", "memory_mb_used": "0", "local_gb_used": "0",
            "hypervisor_type": "'QEMU'", "hypervisor_version": "7002000", "cpu_info": "'{}'", "mapped": "1",
            "cpu_allocation_ratio": "4", "ram_allocation_ratio": "1.5", "disk_allocation_ratio": "1",
        },
    ),
    "nova.instances": (
        "{seq}",
        {
            "created_at": CREATED, "updated_at": CREATED, "deleted_at": DELETED_AT, "deleted": DELETED,
            "uuid": UUID, "user_id": PROJECT, "project_id": PROJECT, "image_ref": UUID,
            "vm_state": "'active'", "power_state": "1", "memory_mb": "2048", "vcpus": "1",
            "hostname": "CONCAT('vm-', seq)",
            "host": "CONCAT('cmp', seq % 100)", "node": "CONCAT('cmp', seq % 100)", "launched_on": "'cmp1'",
            "reservation_id": "CONCAT('r-', LPAD(CONV(seq, 10, 36), 8, '0'))", "launched_at": CREATED,
            "terminated_at": DELETED_AT, "display_name": "CONCAT('vm-', seq)",
            "availability_zone": "'nova'", "instance_type_id": "1", "root_gb": "20",
            "root_device_name": "'/dev/vda'", "cleaned": "1 - seq % 2",
            "locked": "0", "launch_index": "0", "ephemeral_gb": "0", "progress": "0", "hidden": "0",
        },
    ),
    "nova.instance_extra": (
        "{seq}",
        {
            "created_at": CREATED, "deleted_at": DELETED_AT, "deleted": DELETED, "instance_uuid": UUID,
            "flavor": f"'{FLAVOR}'", "pci_requests": "'[]'",
        },
    ),
    "nova.instance_info_caches": (
        "{seq}",
        {
            "created_at": CREATED, "deleted_at": DELETED_AT, "deleted": DELETED, "instance_uuid": UUID,
            "network_info": f"IF(seq % 2, {NETWORKS}, '[]')",
        },
    ),
    "nova.virtual_interfaces": (
        "{seq}",
        {
            "created_at": CREATED, "deleted_at": DELETED_AT, "deleted": DELETED, "instance_uuid": UUID,
            "address": ADDRESS, "uuid": UUID,
        },
    ),
    "nova.block_device_mapping": (
        "{seq}",
        {
            "created_at": CREATED, "deleted_at": DELETED_AT, "deleted": DELETED, "instance_uuid": UUID,
            "uuid": UUID, "device_name": "'/dev/vda'", "source_type": "'image'",
            "destination_type": "'local'", "boot_index": "0",
            "delete_on_termination": "1", "image_id": UUID, "disk_bus": "'virtio'",
        },
    ),
    "nova_api.instance_mappings": (
        "{half}",
        {
            "created_at": CREATED, "instance_uuid": UUID, "project_id": PROJECT, "user_id": PROJECT,
            "cell_id": "(SELECT MAX(id) FROM nova_api.cell_mappings)", "queued_for_delete": "0",
        },
    ),
    "nova_api.request_specs": (
        "{half}",
        {"created_at": CREATED, "instance_uuid": UUID, "spec": f"'{SPEC}'"},
    ),
}  # fmt: skip
"""Table -> the sequence that its rows are made of, and an expression for each column."""


def make(server: PrivateServer, toolchain: Toolchain, instances: int) -> None:
    """Make nova's databases as the toolchain's commands do, and fill them."""
    for name in NAMES:
        server.query(f"CREATE DATABASE {name} CHARACTER SET utf8mb3")
    databases = [LoadedDatabase(name, "nova", known_as, ()) for name, known_as in NAMES.items()]
    nova = load_catalog().service("nova")
    (file,) = write_configurations(server, nova, databases, server.directory / "services" / "nova")
    for words in _lines(server, file, toolchain.release):
        program = toolchain.command("nova", words, directories=(file.parent, server.directory))
        home = {"HOME": str(file.parent), "LC_ALL": "C.UTF-8"}
        subprocess.run(program.argv, env={**home, **program.environment}, check=True, capture_output=True)
    sequences = {"seq": f"seq_1_to_{instances}", "half": f"seq_1_to_{instances}_step_2"}
    for table, (sequence, columns) in ROWS.items():
        names, values = ", ".join(f"`{name}`" for name in columns), ", ".join(columns.values())
        rows = f"SELECT {values} FROM nova.{sequence.format(**sequences)}"  # noqa: S608 - of this file alone
        server.query(f"SET unique_checks = 0, foreign_key_checks = 0; INSERT INTO {table} ({names}) {rows}")


def _lines(server: PrivateServer, file: Path, release: Release) -> Iterator[tuple[str, ...]]:
    """Yield the commands that make the schemas, cell0's among them."""
    first, *others = (
        line.argv([str(file)]) for line in load_catalog().service("nova").invocations(Purpose.SYNC, release)
    )
    manage = ("nova-manage", "--config-file", str(file), "cell_v2")
    yield first
    yield (*manage, "map_cell0", "--database_connection", server.url("nova_cell0"))
    yield from others
    yield (*manage, "create_cell", "--name", "one")
