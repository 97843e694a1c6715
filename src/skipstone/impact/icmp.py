"""ICMP echo to many addresses over one socket of each address family.

Own code, because icmplib waits for one reply at a time: here a question does not wait for the one before,
as with ``ping``, so that the replies lost in an outage are counted as ``ping`` counts them. Works with
unprivileged ICMP sockets where the kernel allows them (``net.ipv4.ping_group_range``), else with raw ones,
which need root or CAP_NET_RAW.
"""

import asyncio
import os
import socket
import struct
from dataclasses import dataclass
from ipaddress import ip_address

from skipstone.errors import SkipstoneError

_HEADER = struct.Struct("!BBHHH")
_PAYLOAD = b"skipstone-probe" + bytes(41)
_SEQUENCES = 1 << 16
_SO_SNDBUFFORCE = 32  # socket(7); not in Python's socket module
_SEND_QUEUE = 64 << 20


@dataclass(frozen=True)
class _Family:
    """What differs between IPv4 and IPv6; over IPv4 a raw socket gives the IP header too."""

    family: socket.AddressFamily
    protocol: int
    request: int
    reply: int


KINDS = (socket.SOCK_DGRAM, socket.SOCK_RAW)
"""Kinds of socket, the unprivileged first."""

_FAMILIES = {
    4: _Family(socket.AF_INET, socket.IPPROTO_ICMP, 8, 0),
    6: _Family(socket.AF_INET6, socket.IPPROTO_ICMPV6, 128, 129),
}


class Pinger:
    """Sends echo requests and matches the replies; belongs to one running event loop."""

    def __init__(self) -> None:
        self._sockets: dict[int, socket.socket] = {}
        self._waiting: dict[tuple[str, int], asyncio.Future[None]] = {}
        self._identity = os.getpid() & 0xFFFF
        self._sequence = 0

    async def ping(self, address: str, limit: float) -> bool:
        """Return whether a reply came within ``limit`` seconds; raise OSError where none could be sent.

        Raise SkipstoneError where this process may not use ICMP at all.
        """
        version = ip_address(address).version
        self._sequence = (self._sequence + 1) % _SEQUENCES
        reply = asyncio.get_running_loop().create_future()
        key = (address, self._sequence)
        self._waiting[key] = reply
        try:
            self._socket(version).sendto(self._packet(version), (address, 0))
            async with asyncio.timeout(limit):
                await reply
        except TimeoutError:
            # after a stall of this process the reply and the timeout are found at the same moment
            return reply.done() and not reply.cancelled()
        finally:
            del self._waiting[key]
        return True

    def close(self) -> None:
        """Close the sockets."""
        for sock in self._sockets.values():
            asyncio.get_running_loop().remove_reader(sock)
            sock.close()
        self._sockets.clear()

    def _socket(self, version: int) -> socket.socket:
        if version not in self._sockets:
            sock = _open(_FAMILIES[version])
            asyncio.get_running_loop().add_reader(sock, self._receive, sock, version)
            self._sockets[version] = sock
        return self._sockets[version]

    def _packet(self, version: int) -> bytes:
        kind = _FAMILIES[version].request
        bare = _HEADER.pack(kind, 0, 0, self._identity, self._sequence) + _PAYLOAD
        return _HEADER.pack(kind, 0, _checksum(bare), self._identity, self._sequence) + _PAYLOAD

    def _receive(self, sock: socket.socket, version: int) -> None:
        raw = sock.type == socket.SOCK_RAW
        while True:
            try:
                packet, source = sock.recvfrom(2048)
            except OSError:
                return
            if raw and sock.family == socket.AF_INET:
                packet = packet[(packet[0] & 0x0F) * 4 :]
            self._match(packet, source[0], _FAMILIES[version].reply, raw=raw)

    def _match(self, packet: bytes, source: str, wanted: int, *, raw: bool) -> None:
        if len(packet) < _HEADER.size:
            return
        kind, _, _, identity, sequence = _HEADER.unpack_from(packet)
        # over an unprivileged socket the kernel sets the identity and gives only our own replies
        ours = kind == wanted and (not raw or identity == self._identity)
        reply = self._waiting.get((source, sequence)) if ours else None
        if reply and not reply.done():
            reply.set_result(None)


def _open(family: _Family) -> socket.socket:
    fault: OSError | None = None
    for kind in KINDS:
        try:
            sock = socket.socket(family.family, kind | socket.SOCK_NONBLOCK, family.protocol)
        except OSError as error:
            fault = error
        else:
            _enlarge_send_queue(sock)
            return sock
    raise SkipstoneError(
        "this process may not ping",
        evidence=str(fault),
        remedy="run as root, or allow it: sysctl net.ipv4.ping_group_range='0 2147483647'",
    ) from fault


def _enlarge_send_queue(sock: socket.socket) -> None:
    """Make room for the packets that wait for the link addresses of instances that are away.

    Each such neighbour keeps up to 208 KiB (net.ipv4.neigh.*.unres_qlen_bytes), as much as the queue of a
    socket by default: one instance away would keep all others from being asked.
    """
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _SEND_QUEUE)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_QUEUE)


def _checksum(packet: bytes) -> int:
    """Return the Internet checksum (RFC 1071) of a packet of even length."""
    total: int = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
