"""Volumes with and without type, attached, snapshotted, backed up, deleted: written by cinder's own objects."""

import sys
import uuid

from cinder import context, objects
from cinder.common import config  # noqa: F401 - registers the options
from cinder.volume import volume_types
from oslo_config import cfg

cfg.CONF([], project="cinder", default_config_files=[sys.argv[1]])
objects.register_all()
admin = context.get_admin_context()
PROJECTS = [uuid.uuid4().hex for _ in range(3)]
HOST = "storage-1@lvm#lvm"


def volume_type(name):
    return volume_types.create(admin, name, {"volume_backend_name": name})["id"]


def volume(number, kind):
    ref = objects.Volume(
        admin,
        display_name="volume-%d" % number,
        display_description="",
        project_id=PROJECTS[number % 3],
        user_id="user",
        size=1 + number % 7,
        status="available",
        attach_status="detached",
        host=HOST,
        availability_zone="nova",
        volume_type_id=kind,
        bootable=number % 2 == 0,
        metadata={"purpose": "test"},
    )
    ref.create()
    return ref


def attach(ref):
    attachment = objects.VolumeAttachment(
        admin,
        volume_id=ref.id,
        instance_uuid=str(uuid.uuid4()),
        attached_host="compute-1",
        mountpoint="/dev/vdb",
        attach_status="attached",
        attach_mode="rw",
    )
    attachment.create()
    ref.status, ref.attach_status = "in-use", "attached"
    ref.save()


def snapshot(ref):
    made = objects.Snapshot(
        admin,
        volume_id=ref.id,
        display_name="snapshot of " + ref.display_name,
        project_id=ref.project_id,
        user_id="user",
        status="available",
        progress="100%",
        volume_size=ref.size,
        volume_type_id=ref.volume_type_id,
    )
    made.create()
    return made


def backup(ref):
    objects.Backup(
        admin,
        volume_id=ref.id,
        display_name="backup of " + ref.display_name,
        project_id=ref.project_id,
        user_id="user",
        status="available",
        size=ref.size,
        service="cinder.backup.drivers.ceph.CephBackupDriver",
        host="storage-1",
    ).create()


def service(binary, host):
    objects.Service(
        admin,
        host=host,
        binary=binary,
        topic=binary,
        report_count=1,
        availability_zone="nova",
        rpc_current_version=objects.base.OBJ_VERSIONS.get_current() and "3.0",
        object_current_version=objects.base.OBJ_VERSIONS.get_current(),
    ).create()


for binary in ("cinder-scheduler", "cinder-volume", "cinder-backup"):
    service(binary, HOST.partition("#")[0] if binary == "cinder-volume" else "control-1")
kinds = [volume_type("lvm"), volume_type("ceph")]
# from Train on every volume has a type
untyped = [None] if "--untyped" in sys.argv else []
for number in range(30):
    made = volume(number, (kinds + untyped)[number % len(kinds + untyped)])
    if number % 3 == 0:
        attach(made)
    if number % 4 == 0:
        snapshots = [snapshot(made), snapshot(made)]
        snapshots[0].destroy()
    if number % 5 == 0:
        backup(made)
    if number % 7 == 6:
        made.destroy()
