"""Make a discovered cloud small enough to be kept: ``python tools/record_cloud.py cloud.yaml recorded.yaml``.

What no check and no strategy reads is left out: libraries, samples and templates, empty tables, the hashes
of keystone's key files. Package mirrors and kernels get a neutral name. Discovery has masked the secrets.
"""

import re
import sys
from fnmatch import fnmatch
from pathlib import Path

from skipstone.cloud.cloudfile import load_cloud, save_cloud
from skipstone.cloud.model import AptSource, Cloud, Database, Host

LIBRARIES = ("python3-*", "lib*", "dbus*", "dpkg*", "*-common", "qemu-system-data")
NOISE = (
    *(
        "*/metadefs/*",
        "*/templates/*",
        "*/rootwrap*",
        "*.sample",
        "*.templates",
        "*.json",
        "*paste.ini",
        "*.html",
    ),
    *(
        "*-keys/*",
        "/etc/libvirt/*l[ox]*",
        "/etc/libvirt/*lock*",
        "*/logging.conf",
        "/etc/mysql/*",
        "/etc/apt/*",
    ),
    *(
        "*/glance-[ims]*",
        "*/property-protections*",
        "/etc/default/*",
        "*/dnsmasq-neutron.conf",
        "/etc/haproxy/*",
        "/etc/keepalived/*",
        "*/environment.d/*",
    ),
)
KEPT = ("/etc/mysql/mariadb.conf.d/99-*", "*.dpkg-dist", "*.ucf-dist", "/etc/apt/preferences*")
MIRROR = "http://mirror.example/debian"


def recorded(cloud: Cloud) -> Cloud:
    """Return the cloud without what nobody reads."""
    kept = {
        "hosts": tuple(_host(host) for host in cloud.hosts),
        "databases": tuple(_database(database) for database in cloud.databases),
    }
    # Not model_copy: it would keep the digest of what was found.
    return Cloud.model_validate({name: getattr(cloud, name) for name in Cloud.model_fields} | kept)


def _host(host: Host) -> Host:
    return host.model_copy(
        update={
            "kernel": re.sub("-.*", "-amd64", host.kernel or ""),
            "packages": tuple(p for p in host.packages if not _is(p.name, LIBRARIES)),
            "config_files": tuple(
                f for f in host.config_files if _is(f.path, KEPT) or not _is(f.path, NOISE)
            ),
            "apt_sources": tuple(_neutral(source) for source in host.apt_sources),
        }
    )


def _database(database: Database) -> Database:
    return database.model_copy(update={"tables": tuple(table for table in database.tables if table.rows)})


def _neutral(source: AptSource) -> AptSource:
    return source.model_copy(update={"text": re.sub(r"https?://[^\s]+", MIRROR, source.text)})


def _is(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


if __name__ == "__main__":
    found, kept = map(Path, sys.argv[1:])
    save_cloud(recorded(load_cloud(found)), kept)
    print(f"{kept}: {kept.stat().st_size // 1024} KiB of {found.stat().st_size // 1024}")
