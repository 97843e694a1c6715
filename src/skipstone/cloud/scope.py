"""What discovery looks for on a host: the services of the catalog, and what they stand on."""

from skipstone.catalog import Catalog, Service
from skipstone.cloud.model import Fact
from skipstone.cloud.system import SYSTEM

SOURCES = (
    *("mariadb", "mariadb-*", "mysql-*", "galera-*", "rabbitmq-server", "memcached", "redis", "etcd"),
    *(
        "libvirt",
        "qemu",
        "openvswitch",
        "ovn",
        "ceph",
        "dnsmasq",
        "haproxy",
        "keepalived",
        "apache2",
        "uwsgi",
    ),
    *("openssh", "systemd", "dbus", "policykit-1", "polkitd", "apt", "dpkg"),
)
"""Debian's source packages whose version or restart decides an upgrade, beside the services' own."""

PACKAGES = (
    *("erlang-base", "linux-image-*", "python3", "python3-sqlalchemy", "python3-alembic", "python3-pymysql"),
    *("python3-eventlet", "python3-oslo.*", "python3-keystonemiddleware", "python3-openstackclient"),
)

UNITS = (
    *("mariadb", "mysql", "rabbitmq-server", "memcached", "redis-server", "etcd", "apache2", "haproxy"),
    *("keepalived", "libvirtd", "virt*d", "openvswitch-switch", "ovs-*", "ovsdb-server", "ovn-*", "ceph-*"),
    *("ssh", "sshd", "dbus", "polkit", "chrony", "ntp*", "systemd-timesyncd", "uwsgi"),
)

FILES = (
    *(
        "/etc/mysql/**/*",
        "/etc/rabbitmq/**/*",
        "/etc/memcached.conf",
        "/etc/libvirt/*",
        "/etc/libvirt/hooks/*",
    ),
    *("/etc/apache2/ports.conf", "/etc/apache2/*-enabled/*", "/etc/haproxy/*", "/etc/keepalived/*"),
    *(
        "/etc/uwsgi/**/*",
        "/etc/openvswitch/*",
        "/etc/ceph/*",
        "/etc/ssh/sshd_config",
        "/etc/ssh/sshd_config.d/*",
    ),
    *("/etc/apt/preferences", "/etc/apt/preferences.d/*", "/etc/apt/apt.conf.d/*"),
    *("/etc/default/libvirt*", "/etc/default/openvswitch*", "/etc/default/rabbitmq*", "/etc/default/uwsgi"),
    "/var/lib/nova/compute_id",  # from 2023.1 on a compute without it refuses to start (nova 27.0.0)
)

SKIP = ("*/.*", "/etc/openvswitch/*.db*", "/etc/apache2/mods-enabled/*", "/etc/apt/apt.conf.d/*autoremove*")
"""What changes by itself, or says nothing."""

HIDDEN = (
    "*/fernet-keys/*",
    "*/credential-keys/*",
    "*/ssl/private/*",
    "/etc/mysql/encryption/*",
    "*/keyfile*",
    "*.key",
    "*.keyring",
    "*.pem",
    "*/debian.cnf",
)
"""What may not leave the host, only its hash."""

LIMIT = 1 << 20
"""Bytes of a file that is read: nova's, as its package ships it with all comments, has 350,000."""


class Scope(Fact):
    """The argument of ``scripts/host.py``; see there for the fields."""

    sources: tuple[str, ...]
    packages: tuple[str, ...]
    units: tuple[str, ...]
    files: tuple[str, ...]
    skip: tuple[str, ...] = SKIP
    hidden: tuple[str, ...] = HIDDEN
    limit: int = LIMIT
    system: tuple[str, ...] = tuple(f"/{path}" for path in SYSTEM)

    @classmethod
    def of(cls, catalog: Catalog) -> "Scope":
        """Return the scope for all services of a catalog."""
        services = catalog.services
        return cls(
            sources=(*(source for service in services for source in service.sources), *SOURCES),
            packages=PACKAGES,
            units=(*(pattern for service in services for pattern in _units(service)), *UNITS),
            files=(*(glob for service in services for glob in _files(service)), *FILES),
        )


def _units(service: Service) -> tuple[str, ...]:
    named = {unit.name for daemon in service.daemons for unit in daemon.units}
    return tuple(sorted({service.name, f"{service.name}-*", *named}))


def _files(service: Service) -> tuple[str, ...]:
    units = (
        f"/etc/systemd/system/{pattern}.service{inside}"
        for pattern in _units(service)
        for inside in ("", ".d/*")
    )
    return (
        *(f"{directory}/**/*" for directory in service.config_dirs),
        f"/etc/default/{service.name}*",
        *units,
    )
