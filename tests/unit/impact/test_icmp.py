import asyncio
import socket
import struct
import time

import pytest

from skipstone.errors import SkipstoneError
from skipstone.impact import icmp
from skipstone.impact.icmp import Pinger


def ping(*addresses: str, limit: float = 0.5) -> list[bool]:
    async def run() -> list[bool]:
        pinger = Pinger()
        try:
            return list(await asyncio.gather(*(pinger.ping(address, limit) for address in addresses)))
        finally:
            pinger.close()

    return asyncio.run(run())


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_RAW])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_both_kinds_of_socket_reach_both_families(
    kind: socket.SocketKind, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(icmp, "KINDS", (kind,))
    try:
        assert ping(address) == [True]
    except (SkipstoneError, OSError) as fault:
        pytest.skip(f"not on this machine: {fault}")


def test_many_are_asked_at_once_and_each_reply_finds_its_question() -> None:
    began = time.monotonic()
    addresses = [f"127.0.{n}.1" for n in range(50)]
    assert ping(*addresses, "240.0.0.1") == [True] * 50 + [False]
    assert time.monotonic() - began < 2


def test_a_reply_is_good_even_if_the_loop_stood_still_when_it_came() -> None:
    async def run() -> bool:
        pinger = Pinger()
        try:
            asking = asyncio.create_task(pinger.ping("127.0.0.1", 0.2))
            await asyncio.sleep(0)
            time.sleep(0.5)  # noqa: ASYNC251 - the stall is what is tested
            return await asking
        finally:
            pinger.close()

    assert asyncio.run(run()) is True


def test_nobody_may_ping_is_an_error_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> socket.socket:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(socket, "socket", refuse)
    with pytest.raises(SkipstoneError) as caught:
        icmp._open(icmp._FAMILIES[4])
    assert "ping_group_range" in caught.value.remedy


def test_a_packet_has_the_checksum_that_makes_it_whole() -> None:
    packet = Pinger()._packet(4)
    words = struct.unpack(f"!{len(packet) // 2}H", packet)
    total = sum(words)
    total = (total >> 16) + (total & 0xFFFF)
    assert total + (total >> 16) == 0xFFFF
