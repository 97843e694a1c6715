"""Two cells of instances, deleted ones among them: written by nova's own objects.

The arguments are the configuration, and the names of the cells.
"""

import datetime
import sys
import uuid

from nova import config, context, objects

objects.register_all()  # first: Wallaby's modules of the database make the option [database] known
config.parse_args(["nova", "--config-file", sys.argv[1]], default_config_files=[])
admin = context.get_admin_context()
PROJECTS = [uuid.uuid4().hex for _ in range(3)]
NOW = datetime.datetime(2020, 2, 20, 12)


def new():
    return str(uuid.uuid4())


def flavor(number):
    made = objects.Flavor(
        admin,
        name="m1.%d" % number,
        flavorid="f%d" % number,
        memory_mb=512 * number,
        vcpus=number,
        root_gb=10,
        ephemeral_gb=0,
        swap=0,
        rxtx_factor=1.0,
        vcpu_weight=0,
        disabled=False,
        is_public=number != 3,
        extra_specs={"hw:cpu_policy": "shared"},
        projects=[] if number != 3 else PROJECTS[:1],
    )
    made.create()
    return made


def compute(cell, host):
    """Create a service, its node, and what leads the API to it."""
    service = objects.Service(
        cell, host=host, binary="nova-compute", topic="compute", report_count=1, disabled=False
    )
    service.create()
    node = objects.ComputeNode(
        cell,
        uuid=new(),
        service_id=service.id,
        host=host,
        hypervisor_hostname=host,
        vcpus=64,
        memory_mb=262144,
        local_gb=2000,
        vcpus_used=0,
        memory_mb_used=0,
        local_gb_used=0,
        hypervisor_type="QEMU",
        hypervisor_version=4002000,
        cpu_info="{}",
        free_ram_mb=262144,
        free_disk_gb=2000,
        disk_available_least=2000,
        current_workload=0,
        running_vms=0,
        cpu_allocation_ratio=16.0,
        ram_allocation_ratio=1.5,
        disk_allocation_ratio=1.0,
    )
    node.create()
    return node


def place(node):
    """Return what an instance knows of its host: nothing, where none could take it."""
    if node is None:
        return {}
    known = {"host": node.host, "node": node.host, "launched_on": node.host}
    if "compute_id" in objects.Instance.fields:
        known["compute_id"] = node.id
    return known


def instance(cell, mapping, kind, number, node):
    """Create what nova-api, the conductor and a compute write when a user starts an instance."""
    project = PROJECTS[number % 3]
    made = objects.Instance(
        cell,
        uuid=new(),
        project_id=project,
        user_id="user",
        display_name="instance-%s-%d" % (mapping.name, number),
        display_description="",
        hostname="instance-%d" % number,
        key_name="key",
        launched_at=NOW,
        vm_state=("active", "stopped", "error")[number % 3],
        power_state=1,
        image_ref=new(),
        memory_mb=kind.memory_mb,
        vcpus=kind.vcpus,
        root_gb=kind.root_gb,
        ephemeral_gb=0,
        instance_type_id=kind.id,
        flavor=kind,
        old_flavor=None,
        new_flavor=None,
        availability_zone="nova",
        metadata={"purpose": "test"},
        system_metadata={"image_min_ram": "0", "image_os_distro": "debian"},
        **place(node)
    )
    made.create()
    objects.InstanceMapping(
        admin, instance_uuid=made.uuid, cell_mapping=mapping, project_id=project, user_id="user"
    ).create()
    request(made, kind)
    disk(cell, made)
    trail(cell, made)
    if node:
        arrival(cell, made, node)
    return made


def request(made, kind):
    objects.RequestSpec(
        admin,
        instance_uuid=made.uuid,
        flavor=kind,
        image=objects.ImageMeta(properties=objects.ImageMetaProps()),
        num_instances=1,
        project_id=made.project_id,
        numa_topology=None,
        pci_requests=None,
        availability_zone="nova",
        ignore_hosts=None,
        force_hosts=None,
        force_nodes=None,
        retry=None,
        limits=objects.SchedulerLimits(),
        instance_group=None,
        scheduler_hints={},
    ).create()


def disk(cell, made):
    objects.BlockDeviceMapping(
        cell,
        instance_uuid=made.uuid,
        source_type="volume",
        destination_type="volume",
        device_type="disk",
        device_name="/dev/vda",
        boot_index=0,
        volume_id=new(),
        volume_size=10,
        delete_on_termination=True,
        connection_info="{}",
        no_device=False,
    ).create()


def trail(cell, made):
    """Create what is left of an instance's past: an action, a fault, an interface."""
    cell.request_id = "req-" + new()
    objects.InstanceAction.action_start(cell, made.uuid, "create", want_result=False)
    objects.InstanceFault(
        cell, instance_uuid=made.uuid, code=500, message="once", details="", host="compute"
    ).create()
    objects.VirtualInterface(
        cell,
        instance_uuid=made.uuid,
        uuid=new(),
        address="fa:16:3e:%s:%s:%s" % (made.uuid[:2], made.uuid[2:4], made.uuid[4:6]),
    ).create()


def arrival(cell, made, node):
    """Create the live migration that brought an instance to its host."""
    known = {"dest_compute": node.host, "dest_node": node.host}
    if "dest_compute_id" in objects.Migration.fields:
        known["dest_compute_id"] = node.id
    objects.Migration(
        cell,
        instance_uuid=made.uuid,
        source_compute="compute-gone",
        source_node="compute-gone",
        status="completed",
        migration_type="live-migration",
        **known
    ).create()


def fill(mapping, kinds):
    hosts = ["compute-%s-%d" % (mapping.name, number) for number in range(3)]
    with context.target_cell(admin, mapping) as cell:
        nodes = [compute(cell, host) for host in hosts]
        for host in hosts:
            objects.HostMapping(admin, host=host, cell_mapping=mapping).create()
        made = [instance(cell, mapping, kinds[number % 3], number, nodes[number % 3]) for number in range(40)]
        for one in made[::4]:
            one.destroy()
    return made


def buried(mapping, kind):
    """Create an instance that no host could take: it lies in cell0."""
    with context.target_cell(admin, mapping) as cell:
        instance(cell, mapping, kind, 2, None)


kinds = [flavor(number) for number in (1, 2, 3)]
for mapping in objects.CellMappingList.get_all(admin):
    if mapping.name in sys.argv[2:]:
        made = fill(mapping, kinds)
    elif mapping.is_cell0():
        buried(mapping, kinds[0])
zone = objects.Aggregate(admin, name="zone", metadata={"availability_zone": "zone"})
zone.create()
zone.add_host(made[0].host)
objects.KeyPair(
    admin, user_id="user", name="key", fingerprint="00", public_key="ssh-ed25519 AAAA", type="ssh"
).create()
objects.InstanceGroup(
    admin,
    name="apart",
    user_id="user",
    project_id=PROJECTS[0],
    members=[made[1].uuid],
    policies=["anti-affinity"],
).create()
