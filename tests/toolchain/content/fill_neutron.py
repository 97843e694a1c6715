"""Networks, ports with all kinds of bindings, routers and floating IPs: written by neutron's own objects."""

import sys
import uuid

import netaddr
from neutron import objects
from neutron.common import config
from neutron.db import l3_gwmode_db  # noqa: F401 - adds a column that Router's object writes
from neutron.objects import agent, network, ports, router, securitygroup, subnet
from neutron_lib import context

if hasattr(config, "register_common_config_options"):
    config.register_common_config_options()
config.init(["--config-file", sys.argv[1]], default_config_files=[])
if hasattr(objects, "register_objects"):
    objects.register_objects()
else:  # Ocata's objects ask the core plugin for what a query is
    from neutron.db.common_db_mixin import CommonDbMixin
    from neutron_lib.plugins import directory

    directory.add_plugin("CORE", CommonDbMixin())
admin = context.get_admin_context()
if hasattr(router, "Router"):
    from neutron.objects.network import ExternalNetwork
else:  # in Ocata routers and what they lead to are tables alone
    from neutron.db.migration.models import head  # noqa: F401 - the tables that those refer to
    from neutron.db.models import l3 as router
    from neutron.db.models.external_net import ExternalNetwork
PROJECTS = [uuid.uuid4().hex for _ in range(3)]
BINDINGS = (
    ("ovs", "normal"),
    ("bridge", "normal"),
    ("hw_veb", "direct"),
    ("binding_failed", "normal"),
    ("unbound", "normal"),
)


def new():
    return str(uuid.uuid4())


def make(kind, **values):
    """Create an object; or a row, of what is only a table in a release."""
    if hasattr(kind, "__table__"):
        plain = {name: str(value) if "address" in name else value for name, value in values.items()}
        made = kind(**plain)
        with admin.session.begin(subtransactions=True):
            admin.session.add(made)
        return made
    made = kind(admin, **values)
    made.create()
    return made


def mac(address):
    return netaddr.EUI("fa:16:3e:%02x:%02x:%02x" % tuple(address.words[1:]))


def group(project):
    made = make(securitygroup.SecurityGroup, id=new(), name="default", project_id=project, is_default=True)
    make(
        securitygroup.SecurityGroupRule,
        id=new(),
        project_id=project,
        security_group_id=made.id,
        direction="ingress",
        ethertype="IPv4",
        protocol="tcp",
        port_range_min=22,
        port_range_max=22,
    )
    return made


def net(number, project, kind):
    made = make(
        network.Network,
        id=new(),
        name="net-%d" % number,
        project_id=project,
        admin_state_up=True,
        status="ACTIVE",
        mtu=1450,
    )
    physical = None if kind == "vxlan" else "physnet1"
    make(
        network.NetworkSegment,
        id=new(),
        network_id=made.id,
        network_type=kind,
        physical_network=physical,
        segmentation_id=None if kind == "flat" else 100 + number,
    )
    return made


def sub(number, of):
    return make(
        subnet.Subnet,
        id=new(),
        name="subnet-%d" % number,
        project_id=of.project_id,
        network_id=of.id,
        ip_version=4,
        cidr=netaddr.IPNetwork("10.%d.0.0/24" % number),
        gateway_ip=netaddr.IPAddress("10.%d.0.1" % number),
        enable_dhcp=True,
    )


def port(number, of, within, owner, bound):
    """Create a port with the subnet's address of this number."""
    address = within.cidr[number]
    made = make(
        ports.Port,
        id=new(),
        name="port-%d" % number,
        project_id=of.project_id,
        network_id=of.id,
        mac_address=mac(address),
        admin_state_up=True,
        status="ACTIVE",
        device_id=new(),
        device_owner=owner,
    )
    make(
        ports.IPAllocation,
        port_id=made.id,
        subnet_id=within.id,
        network_id=of.id,
        ip_address=address,
    )
    for host, (vif, vnic) in bound.items():
        make(
            ports.PortBinding,
            port_id=made.id,
            host=host,
            vif_type=vif,
            vnic_type=vnic,
            status="ACTIVE" if host == min(bound) else "INACTIVE",
        )
    return made


def bound(number):
    """Return a port's bindings; some are bound twice, as while an instance is migrated (from Queens on)."""
    twice = number % 4 // 3 if "status" in ports.PortBinding.fields else 0
    return {"compute-%d" % (number + more): BINDINGS[number % 5] for more in range(1 + twice)}


def route(number, inside, within, outside):
    made = make(
        router.Router,
        id=new(),
        name="router-%d" % number,
        project_id=inside.project_id,
        admin_state_up=True,
        status="ACTIVE",
    )
    leg = port(1, inside, within, "network:router_interface", {"net-1": ("ovs", "normal")})
    make(router.RouterPort, router_id=made.id, port_id=leg.id, port_type="network:router_interface")
    return made


def floating(number, outside, within, fixed, via):
    own = port(100 + number, outside, within, "network:floatingip", {})
    make(
        router.FloatingIP,
        id=new(),
        project_id=fixed.project_id,
        floating_ip_address=within.cidr[100 + number],
        floating_network_id=outside.id,
        floating_port_id=own.id,
        fixed_port_id=fixed.id,
        fixed_ip_address=fixed.fixed_ips[0].ip_address,
        router_id=via.id,
        status="ACTIVE",
    )


outside = net(0, PROJECTS[0], "flat")
make(ExternalNetwork, network_id=outside.id, is_default=True)
public = sub(0, outside)
for number, project in enumerate(PROJECTS, 1):
    group(project)
    inside = net(number, project, ("vxlan", "vlan", "vxlan")[number - 1])
    within = sub(number, inside)
    made = [port(10 + one, inside, within, "compute:nova", bound(one)) for one in range(20)]
    via = route(number, inside, within, outside)
    fixed = ports.Port.get_object(admin, id=made[0].id)
    floating(number, outside, public, fixed, via)
