"""One HTTP exchange, against a server that sends its reply in pieces."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from skipstone.impact import wire
from skipstone.impact.wire import Unserved, exchange, new_http

LIST = json.dumps({"servers": [{"id": str(number), "name": "x" * 200} for number in range(1000)]}).encode()


@asynccontextmanager
async def server(body: bytes, *, promised: int | None = None) -> AsyncIterator[str]:
    """Serve one body in pieces, some of which arrive later."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        length = len(body) if promised is None else promised
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n".encode())
        with suppress(ConnectionError):  # who has had enough hangs up
            for start in range(0, len(body), 50_000):
                writer.write(body[start : start + 50_000])
                await writer.drain()
                await asyncio.sleep(0.01)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        over.set()

    over = asyncio.Event()
    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        try:
            yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
        finally:
            await over.wait()


async def ask(body: bytes, *, promised: int | None = None) -> bytes:
    async with server(body, promised=promised) as url, new_http(tls=True) as http:
        _, content = await exchange(http, "GET", url, timeout=10)
    return content


def test_a_reply_that_comes_in_pieces_is_read_to_its_end() -> None:
    """A list of nova's with a dozen servers came cut off: only what had arrived by then was read."""
    assert asyncio.run(ask(LIST)) == LIST


def test_a_reply_that_ends_too_early_is_none() -> None:
    with pytest.raises(Unserved, match="connection lost"):
        asyncio.run(ask(LIST, promised=len(LIST) + 1))


def test_an_endless_reply_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_MOST", 100_000)
    with pytest.raises(Unserved, match="more than"):
        asyncio.run(ask(LIST))
