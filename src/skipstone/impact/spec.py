"""The specification of the probes: whom to ask, how often, and where the credentials are.

It is written to a file that the prober reads, so it holds no secret: only the name of the cloud's entry in
``clouds.yaml``, which the prober reads itself.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field

from skipstone.catalog import load_catalog
from skipstone.cloud.hostname import short
from skipstone.cloud.inventory import Inventory
from skipstone.cloud.model import Cloud, Fact, Instance
from skipstone.impact.calls import QUESTIONS

INSTANCES = 100
"""How many instances are probed where nobody says another number."""
MOST_INSTANCES = 1000
"""Each is asked six times a second: one process has no time for more."""
_VERSION = re.compile(r"/v\d[\d.]*(?:/|$)|/[%$]\(")


class ApiTarget(Fact):
    """One API: the catalog's service name and the root of its public endpoint, without a version."""

    service: str
    url: str


class InstanceTarget(Fact):
    """One instance at one address that may be reachable from outside."""

    id: str
    name: str
    address: str


class ProbeSpec(Fact):
    """Everything the prober needs; intervals and timeouts in seconds.

    ``hours`` ends a prober that nobody has wanted for so long (``process.want_probes``).
    An API is asked one question at a time, read and write each; a ping does not wait for the one before,
    as ``ping`` does not, so that replies lost can be compared with any ping log. Connections are made to
    ``tcp_port``, where one is named: to sshd it would be five a second, which sshd punishes.
    """

    format: Literal[1] = 1
    cloud: str | None
    clouds_file: Path | None
    apis: tuple[ApiTarget, ...]
    instances: tuple[InstanceTarget, ...]
    read_interval: float = Field(1.0, gt=0)
    write_interval: float = Field(1.0, gt=0)
    ping_interval: float = Field(0.2, gt=0)
    boot_interval: float = Field(1.0, gt=0)
    boot_port: int = 80
    tcp_port: int | None = None
    tcp_interval: float = Field(0.2, gt=0)
    timeout: float = Field(2.0, gt=0)
    hours: float = Field(24.0, gt=0)


def build_spec(
    cloud: Cloud,
    inventory: Inventory,
    *,
    interval: float = 1.0,
    instances: int = INSTANCES,
    waves: Sequence[Sequence[str]] = (),
    tcp_port: int | None = None,
) -> ProbeSpec:
    """Return the probes for a cloud: every API that has a known read and write, and its instances.

    ``interval`` is between two questions to one API, in seconds; ``tcp_port`` is what to connect to. Every
    address of an instance is taken: only the prober, outside, can find out which of them answer. Where there
    are more than ``instances`` instances, as many are chosen: up to half of them on the hosts of the first of
    the ``waves`` in which hosts are upgraded, the others evenly over the computes, in the waves' order.
    """
    return ProbeSpec(
        cloud=inventory.cloud,
        clouds_file=inventory.clouds_file,
        apis=_apis(cloud),
        instances=tuple(
            InstanceTarget(id=instance.id, name=instance.name, address=address)
            for instance in _spread(cloud.instances, instances, waves)
            for address in instance.addresses
        ),
        read_interval=interval,
        write_interval=interval,
        tcp_port=tcp_port,
    )


def _apis(cloud: Cloud) -> tuple[ApiTarget, ...]:
    public: dict[str, str] = {}
    for point in cloud.endpoints:
        if point.interface == "public":
            public.setdefault(point.service_type, point.url)
    services = [service for service in load_catalog().services if service.name in QUESTIONS]
    found = {
        service.name: next((public[kind] for kind in service.types if kind in public), None)
        for service in services
    }
    return tuple(ApiTarget(service=name, url=root_of(url)) for name, url in found.items() if url)


def root_of(url: str) -> str:
    """Return ``http://host:8776`` of ``http://host:8776/v3/%(tenant_id)s``: no version, no project."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{_VERSION.split(parts.path, maxsplit=1)[0].rstrip('/')}"


def _spread(instances: Iterable[Instance], most: int, waves: Sequence[Sequence[str]]) -> tuple[Instance, ...]:
    """Return at most so many active instances, the first of every host before the second of any.

    What goes wrong goes wrong on the first hosts of all: up to half are of those, as long as others have any.
    """
    places = {short(host): place for place, host in enumerate(chain.from_iterable(waves))}
    sample = {short(host) for wave in waves[:1] for host in wave}
    there: Counter[str] = Counter()
    ranked: list[tuple[int, int, Instance]] = []
    for instance in instances:
        if instance.status == "ACTIVE" and instance.addresses:
            host = short(instance.host or "")
            ranked.append((there[host], places.get(host, len(places)), instance))
            there[host] += 1
    chosen = [instance for _, _, instance in sorted(ranked, key=itemgetter(0, 1))]
    first = [instance for instance in chosen if short(instance.host or "") in sample]
    others = [instance for instance in chosen if short(instance.host or "") not in sample]
    half = max(most // 2, most - len(others))
    return (*first[:half], *others)[:most]
