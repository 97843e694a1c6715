"""Images of every visibility and state, with locations, members and tags: written by glance's database API."""

import sys
import uuid

from glance import context
from glance.common import config
from glance.db.sqlalchemy import api

config.CONF([], project="glance", default_config_files=[sys.argv[1]])
admin = context.RequestContext(is_admin=True)
OWNERS = [uuid.uuid4().hex for _ in range(3)]
VISIBILITIES = ("public", "private", "shared", "community")


def image(number):
    known = str(uuid.uuid4())
    stored = {"url": "file:///var/lib/glance/images/" + known, "metadata": {}, "status": "active"}
    remote = {"url": "rbd://fsid/images/%s/snap" % known, "metadata": {"store": "ceph"}, "status": "active"}
    values = {
        "id": known,
        "name": "image-%d" % number,
        "status": "active",
        "visibility": VISIBILITIES[number % 4],
        "owner": OWNERS[number % 3],
        "disk_format": ("qcow2", "raw")[number % 2],
        "container_format": "bare",
        "size": number << 20,
        "min_disk": number,
        "min_ram": 0,
        "protected": False,
        "properties": {"os_distro": "debian", "hw_disk_bus": "virtio"},
        "locations": [stored, remote][: 1 + number % 2],
    }
    api.image_create(admin, values)
    api.image_tag_set_all(admin, known, ["old", "tag-%d" % number])
    return known


images = [image(number) for number in range(20)]
for known in images[2::4]:
    api.image_member_create(admin, {"image_id": known, "member": OWNERS[0], "status": "accepted"})
for known in images[3::5]:
    api.image_destroy(admin, known)
api.image_create(admin, {"id": str(uuid.uuid4()), "name": "queued", "status": "queued", "owner": OWNERS[0]})
