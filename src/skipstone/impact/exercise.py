"""Trying the cloud out: a new network, router, instance and floating IP, and a live migration.

Everything is called after one name and removed again, the last first, also after a failure; what could not
be removed is a failed trial of its own.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from skipstone.cloud.credentials import new_session, read_region
from skipstone.errors import SkipstoneError
from skipstone.impact.clock import Clock
from skipstone.impact.icmp import Pinger
from skipstone.impact.instance import BootProbe
from skipstone.impact.sample import Kind, Probe, Reply
from skipstone.impact.verification import Trial
from skipstone.impact.wire import new_http

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from openstack.compute.v2.flavor import Flavor
    from openstack.compute.v2.server import Server
    from openstack.connection import Connection
    from openstack.network.v2.network import Network
    from openstack.network.v2.subnet import Subnet

_CIDR = "198.18.77.0/24"  # RFC 2544's range for benchmarks: no provider network has it
_REQUEST = 60.0
"""Nova's API may wait so long for its conductor (rpc_response_timeout)."""
_BUILD = 300
_MIGRATE = 300
_ANSWER = 180.0
_PAUSE = 2.0


class Named(Protocol):
    """What has a name and an id."""

    id: str
    name: str


Found = TypeVar("Found", bound=Named)


@dataclass(frozen=True)
class Choice:
    """What to build the trial instance of, by name or id; None is chosen from what instances use now."""

    image: str | None = None
    flavor: str | None = None
    network: str | None = None


class TrialFailed(SkipstoneError):  # noqa: N818 - reads as what happened
    """One thing that was tried did not work; nothing after it was tried."""


def exercise(
    cloud: str | None, clouds_file: Path | None, choice: Choice, tell: Callable[[str], None]
) -> tuple[Trial, ...]:
    """Try out the cloud of an entry of clouds.yaml, and return every trial with the time it took.

    ``tell`` hears what is tried now. Raise InventoryError where there are no usable credentials.
    """
    from openstack.connection import Connection  # noqa: PLC0415 - half a second that --help must not pay

    region = read_region(cloud, clouds_file)
    connection = Connection(config=region, session=new_session(region, _REQUEST))
    trying = _Trying(connection, choice, tell)
    with ExitStack() as things:
        try:
            trying.all(things)
        except TrialFailed:
            tell("not tried any further")
        trying.remove(things)
    return tuple(trying.trials)


@dataclass
class _Trying:
    """The trials in their order; each needs the ones before."""

    cloud: Connection
    choice: Choice
    tell: Callable[[str], None]
    name: str = field(default_factory=lambda: f"skipstone-verify-{uuid.uuid4().hex[:8]}")
    trials: list[Trial] = field(default_factory=list)

    def all(self, things: ExitStack) -> None:
        """Try everything; raise TrialFailed at the first that does not work."""
        with self._trial("choose image, flavor and external network") as said:
            image, flavor, external = self._choose()
            said.append(f"{image.name}, {flavor.name}, {external.name}")
        with self._trial("new network and subnet"):
            network, subnet = self._network(things)
        with self._trial("new router with a gateway"):
            self._router(things, subnet, external)
        with self._trial("new instance") as said:
            server = self._server(things, image, flavor, network)
            said.append(f"active on {server.compute_host}")
        with self._trial("new floating IP") as said:
            address = self._floating_ip(things, server, external)
            said.append(address)
        with self._trial("the instance answers ping from outside"):
            boot = asyncio.run(_answer(address))
        with self._trial("live migration") as said:
            said.append(self._migrate(server, address, boot))

    def remove(self, things: ExitStack) -> None:
        """Remove what was made, the last first."""
        try:
            with self._trial("all of it removed"):
                things.close()
        except TrialFailed:
            self.tell(f"look for things called {self.name}")

    @contextmanager
    def _trial(self, name: str) -> Iterator[list[str]]:
        from keystoneauth1.exceptions import ClientException  # noqa: PLC0415
        from openstack.exceptions import SDKException  # noqa: PLC0415

        self.tell(name)
        said: list[str] = []
        began = time.monotonic()
        try:
            yield said
        except (SDKException, ClientException, SkipstoneError) as fault:
            text = f"{type(fault).__name__}: {fault}"
            self.trials.append(Trial(name=name, ok=False, seconds=time.monotonic() - began, detail=text))
            raise TrialFailed(text) from fault
        self.trials.append(Trial(name=name, ok=True, seconds=time.monotonic() - began, detail="".join(said)))

    def _choose(self) -> tuple[Named, Flavor, Network]:
        compute, network = self.cloud.compute, self.cloud.network
        images = [one for one in self.cloud.image.images(status="active") if one.disk_format != "aki"]
        flavors = sorted(compute.flavors(), key=lambda one: (one.ram, one.disk))
        external = list(network.networks(is_router_external=True))
        used = {one.image.id for one in compute.servers(all_projects=True) if one.image and one.image.id}
        return (
            _pick("image", self.choice.image, sorted(images, key=lambda one: (one.id not in used, one.size))),
            _pick("flavor", self.choice.flavor, flavors),
            _pick("external network", self.choice.network, external),
        )

    def _network(self, things: ExitStack) -> tuple[Network, Subnet]:
        api = self.cloud.network
        network = api.create_network(name=self.name)
        things.callback(api.delete_network, network)
        return network, api.create_subnet(name=self.name, network_id=network.id, ip_version=4, cidr=_CIDR)

    def _router(self, things: ExitStack, subnet: Subnet, external: Network) -> None:
        api = self.cloud.network
        router = api.create_router(name=self.name, external_gateway_info={"network_id": external.id})
        things.callback(api.delete_router, router)
        api.add_interface_to_router(router, subnet=subnet.id)
        things.callback(api.remove_interface_from_router, router, subnet.id)

    def _server(self, things: ExitStack, image: Named, flavor: Flavor, network: Network) -> Server:
        api, compute = self.cloud.network, self.cloud.compute
        group = api.create_security_group(name=self.name)
        things.callback(api.delete_security_group, group)
        for protocol in ("icmp", "tcp"):
            api.create_security_group_rule(
                security_group_id=group.id, direction="ingress", ether_type="IPv4", protocol=protocol
            )
        server = compute.create_server(
            name=self.name,
            image_id=image.id,
            flavor_id=flavor.id,
            networks=[{"uuid": network.id}],
            security_groups=[{"name": self.name}],
        )
        things.callback(self._delete_server, server)
        return compute.wait_for_server(server, wait=_BUILD)

    def _delete_server(self, server: Server) -> None:
        # its port goes only after it, and security group, subnet and router wait for the port
        self.cloud.compute.delete_server(server)
        self.cloud.compute.wait_for_delete(server, wait=_BUILD)

    def _floating_ip(self, things: ExitStack, server: Server, external: Network) -> str:
        api = self.cloud.network
        port = next(iter(api.ports(device_id=server.id)))
        floating = api.create_ip(floating_network_id=external.id, port_id=port.id)
        things.callback(api.delete_ip, floating)
        return str(floating.floating_ip_address)

    def _migrate(self, server: Server, address: str, boot: str) -> str:
        compute = self.cloud.compute
        up = {
            one.host
            for one in compute.services(binary="nova-compute")
            if (one.state, one.status) == ("up", "enabled")
        }
        before = compute.get_server(server).compute_host
        if not up - {before}:
            return "not tried: there is no other compute that is up"
        compute.live_migrate_server(server, host=None, block_migration="auto")
        deadline = time.monotonic() + _MIGRATE
        while (now := compute.get_server(server)).compute_host == before or now.status != "ACTIVE":
            if now.status == "ERROR" or time.monotonic() > deadline:
                raise TrialFailed(f"it stayed on {before}, {now.status}")
            time.sleep(_PAUSE)
        if (after := asyncio.run(_answer(address))) != boot:
            raise TrialFailed(f"another boot-id: {boot} before, {after} after")
        return f"{before} → {now.compute_host}" + (", same boot-id" if boot else "")


def _pick(what: str, wanted: str | None, found: list[Found]) -> Found:
    """Return the one that was asked for, or the first; raise TrialFailed where there is none."""
    for one in found:
        if wanted in {None, one.id, one.name}:
            return one
    raise TrialFailed(f"there is no {what} {wanted or ''}".rstrip())


async def _answer(address: str) -> str:
    """Wait until an address answers ping; return the boot-id that it serves, or nothing."""
    if not await _pinged(address):
        raise TrialFailed(f"{address} does not answer in {_ANSWER:g} s")
    async with new_http(tls=True) as http:
        probe = BootProbe(Probe(0, Kind.BOOT, "", "", address), http, Clock(), 80, _PAUSE)
        for _ in range(10):
            sample = await probe.ask()
            if sample.reply is Reply.GOOD and sample.text:
                return sample.text
            await asyncio.sleep(_PAUSE)
    return ""


async def _pinged(address: str) -> bool:
    pinger = Pinger()
    deadline = time.monotonic() + _ANSWER
    try:
        while time.monotonic() < deadline:
            # a reply that does not come is waited for: there is no need of a pause
            try:
                if await pinger.ping(address, _PAUSE):
                    return True
            except OSError:
                await asyncio.sleep(_PAUSE)
        return False
    finally:
        pinger.close()
