"""A small Zed cloud in good order, and ways to disturb it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from skipstone.cloud.model import (
    Agent,
    AptSource,
    Broker,
    Cloud,
    ConfigFile,
    Database,
    DatabaseServer,
    Endpoint,
    Fact,
    Filesystem,
    Host,
    Hypervisor,
    Instance,
    OperatingSystem,
    Package,
    Role,
    Stack,
    Table,
    Unit,
    Volume,
)

GIB = 1 << 30
BOOKWORM = OperatingSystem(id="debian", version="12", codename="bookworm")
SERVICES = ("keystone", "placement", "glance", "cinder", "neutron", "nova", "heat")
USERS = ("cinder", "glance", "heat", "neutron", "nova", "placement")

HEADS = {
    "keystone": ("29e87d24a316", "e25ffa003242"),
    "glance": ("wallaby_contract01",),
    "placement": ("422ece571366",),
    "nova": ("ccb0fa1a2252",),
    "nova_cell0": ("ccb0fa1a2252",),
    "nova_api": ("b30f573d3377",),
    "cinder": ("c92a3e68beed",),
    "neutron": ("5881373af7f5", "5c85685d616d"),
    "heat": ("migrate:86",),
}

NOVA_CONF = """\
[DEFAULT]
my_ip = 192.0.2.11
transport_url = rabbit://openstack:***@192.0.2.11:5672/
[service_user]
send_service_user_token = true
username = nova
password = ***
[libvirt]
virt_type = qemu
"""

CONTROL_FILES = {
    "/etc/keystone/keystone.conf": "[token]\nprovider = fernet\n",
    "/etc/glance/glance-api.conf": "[DEFAULT]\nenabled_backends = fs:file\n",
    "/etc/nova/nova.conf": NOVA_CONF,
    "/etc/neutron/neutron.conf": "[database]\nconnection = mysql+pymysql://neutron:***@192.0.2.11/neutron\n",
    "/etc/neutron/plugins/ml2/ml2_conf.ini": "[ml2]\nmechanism_drivers = openvswitch,l2population\n",
    "/etc/neutron/l3_agent.ini": "[DEFAULT]\ninterface_driver = openvswitch\n",
}

CONTROL_UNITS = (
    "mariadb",
    "rabbitmq-server",
    "memcached",
    "ssh",
    "keystone",
    "glance-api",
    "placement-api",
    "nova-conductor",
    "nova-scheduler",
    "nova-api",
    "neutron-api",
    "neutron-rpc-server",
    "neutron-l3-agent",
    "cinder-scheduler",
    "cinder-api",
    "heat-engine",
    "heat-api",
)
COMPUTE_UNITS = ("ssh", "openvswitch-switch", "libvirtd", "neutron-openvswitch-agent", "nova-compute")


def unit(name: str, **changes: str) -> Unit:
    """A unit that runs and is enabled."""
    return Unit.model_validate(
        {"name": name, "load": "loaded", "active": "active", "sub": "running", "enabled": "enabled"} | changes
    )


def package(name: str, version: str, source: str, status: str = "installed") -> Package:
    return Package(name=name, version=version, source=source, origin="Debian:bookworm", status=status)


def config_file(path: str, text: str) -> ConfigFile:
    return ConfigFile(path=path, sha256="0" * 64, size=len(text), text=text)


def host(name: str, number: int, group: str, units: tuple[str, ...], files: dict[str, str]) -> Host:
    return Host(
        name=name,
        address=f"192.0.2.{number}",
        groups=(group,),
        reachable=True,
        boot_id=f"00000000-0000-4000-8000-0000000000{number}",
        os=BOOKWORM,
        kernel="6.1.0-40-amd64",
        cpus=4,
        memory_total=16 * GIB,
        memory_available=8 * GIB,
        clock_offset=0.02,
        filesystems=(Filesystem(mount="/", size=60 * GIB, free=40 * GIB),),
        snapshots="btrfs",
        packages=(
            package("nova-common", "2:26.2.2-1~deb12u3", "nova"),
            package("neutron-common", "2:21.0.0-7", "neutron"),
            package("openssh-server", "1:9.2p1-2+deb12u7", "openssh"),
        ),
        units=tuple(unit(each) for each in units),
        config_files=tuple(config_file(path, text) for path, text in files.items()),
        apt_sources=(
            AptSource(
                path="/etc/apt/sources.list.d/debian.sources",
                suites=("bookworm", "bookworm-updates", "bookworm-security"),
                text="Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\n",
            ),
        ),
    )


def agent(service: str, binary: str, on: str, version: int | None = None) -> Agent:
    return Agent(
        service=service, binary=binary, host=on, alive=True, enabled=True, heartbeat=4.0, version=version
    )


def database(name: str) -> Database:
    return Database(
        name=name,
        service=name.partition("_")[0],
        heads=HEADS[name],
        size=20 << 20,
        charset="utf8mb3",
        collation="utf8mb3_general_ci",
        tables=(Table(name="services", rows=12, soft_deleted=3),),
    )


def instance(name: str, on: str) -> Instance:
    return Instance(
        id=f"11111111-0000-4000-8000-00000000{name[-1] * 4}",
        name=name,
        project="demo",
        host=on,
        status="ACTIVE",
        addresses=("192.0.2.101",),
    )


def good_cloud() -> Cloud:
    """Three hosts, seven services, two instances: all of it alive and settled, at Zed's schemas."""
    types = ("identity", "placement", "image", "volumev3", "network", "compute", "orchestration")
    return Cloud(
        name="small",
        taken_at=datetime(2026, 11, 21, 12, tzinfo=UTC),
        skipstone="0.1.0",
        release="zed",
        services=SERVICES,
        hosts=(
            host("ctl1", 11, "control", CONTROL_UNITS, CONTROL_FILES),
            host("cmp1", 12, "compute", COMPUTE_UNITS, {"/etc/nova/nova.conf": NOVA_CONF}),
            host("cmp2", 13, "compute", COMPUTE_UNITS, {"/etc/nova/nova.conf": NOVA_CONF}),
        ),
        database_servers=(
            DatabaseServer(
                host="ctl1",
                version="10.11.14-MariaDB-0+deb12u2",
                datadir_size=300 << 20,
                conditions={
                    "cinder-null-use-quota": 0,
                    "neutron-duplicate-ha-networks": 0,
                    "neutron-mixed-collations": 0,
                    "heat-legacy-below-86": 0,
                },
            ),
        ),
        databases=tuple(database(name) for name in HEADS),
        brokers=(Broker(host="ctl1", version="3.10.8", users=("openstack",), vhosts=("/",)),),
        agents=(
            agent("nova", "nova-conductor", "ctl1", 64),
            agent("nova", "nova-scheduler", "ctl1", 64),
            agent("nova", "nova-compute", "cmp1", 64),
            agent("nova", "nova-compute", "cmp2", 64),
            agent("neutron", "neutron-l3-agent", "ctl1"),
            agent("neutron", "neutron-openvswitch-agent", "cmp1"),
            agent("neutron", "neutron-openvswitch-agent", "cmp2"),
            agent("cinder", "cinder-scheduler", "ctl1"),
            agent("heat", "heat-engine", "ctl1"),
        ),
        hypervisors=tuple(
            Hypervisor(host=name, type="QEMU", version=7002018, running_vms=1, libvirt="9.0.0")
            for name in ("cmp1", "cmp2")
        ),
        instances=(instance("vm1", "cmp1"), instance("vm2", "cmp2")),
        volumes=(Volume(id="v1", name="data", status="in-use", size=1, type="__DEFAULT__"),),
        stacks=(Stack(id="s1", name="net", status="CREATE_COMPLETE"),),
        endpoints=tuple(
            Endpoint(
                service_type=each,
                service_name=each,
                interface="public",
                region="regionOne",
                url=f"http://192.0.2.11/{each}",
            )
            for each in types
        ),
        roles=(
            Role(name="admin", service_users=USERS),
            Role(name="service", service_users=USERS),
        ),
    )


Change = Callable[[Cloud], Cloud]
"""A way to disturb a cloud, or to mend it."""


def cloud_with(**changes: object) -> Change:
    """Replace fields of the cloud."""
    return lambda cloud: cloud.model_copy(update=changes)


AS_IT_IS: Change = cloud_with()


def host_with(name: str, **changes: object) -> Change:
    """Replace fields of one host."""
    return lambda cloud: _each(cloud, "hosts", lambda found: found.name == name, changes)  # type: ignore[attr-defined]


def each_with(field: str, **changes: object) -> Change:
    """Replace fields of the first of a list of the cloud."""
    return lambda cloud: _each(cloud, field, lambda found: found is getattr(cloud, field)[0], changes)


def file_with(on: str, path: str, text: str) -> Change:
    """Put one configuration file on a host, in the place of an older one."""

    def change(cloud: Cloud) -> Cloud:
        kept = tuple(file for file in cloud.host(on).config_files if file.path != path)
        return host_with(on, config_files=(*kept, config_file(path, text)))(cloud)

    return change


def unit_with(on: str, name: str, **changes: str) -> Change:
    """Replace one unit of a host."""

    def change(cloud: Cloud) -> Cloud:
        kept = tuple(found for found in cloud.host(on).units if found.name != name)
        return host_with(on, units=(*kept, unit(name, **changes)))(cloud)

    return change


def _each(cloud: Cloud, field: str, wanted: Callable[[Fact], bool], changes: dict[str, object]) -> Cloud:
    items = tuple(_changed(item, changes) if wanted(item) else item for item in getattr(cloud, field))
    assert items != getattr(cloud, field), f"nothing changed in {field}"
    return cloud.model_copy(update={field: items})


def _changed(item: Fact | Instance, changes: dict[str, Any]) -> Fact | Instance:
    return replace(item, **changes) if isinstance(item, Instance) else item.model_copy(update=changes)
