"""One HTTP exchange of a probe, over a connection of its own.

A kept connection would go on to an old worker, or hide that no new one can be made; and aiohttp silently
repeats a request whose kept connection breaks.
"""

import errno
import ssl
from collections.abc import Mapping

import aiohttp

_MOST = 64 << 20
"""Bytes of a reply: nova's list of a thousand servers, the most that it gives at once, has three million."""


class Unserved(Exception):  # noqa: N818 - reads as what happened
    """A question was not served; the text is the reason: short, and the same for the same reason.

    ``timed_out`` says that no reply came in time, ``status`` what the server answered, if it did.
    """

    def __init__(self, reason: str, *, status: int | None = None, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.timed_out = timed_out


def new_http(tls: ssl.SSLContext | bool) -> aiohttp.ClientSession:
    """Return a session that keeps no connection; ``tls`` is what aiohttp takes as ``ssl``."""
    connector = aiohttp.TCPConnector(force_close=True, limit=0, ssl=tls)
    return aiohttp.ClientSession(
        connector=connector, trust_env=False, headers={"User-Agent": "skipstone-probe"}
    )


async def exchange(
    http: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    timeout: float,  # noqa: ASYNC109 - aiohttp's own limits the whole exchange
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, bytes]:
    """Return status and body of one exchange; raise Unserved where there was no complete reply."""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with http.request(
            method, url, data=body, headers=headers, timeout=limit, allow_redirects=False
        ) as response:
            return response.status, await _whole(response)
    except TimeoutError as fault:
        raise Unserved(f"no reply in {timeout:g} s", timed_out=True) from fault
    except aiohttp.ClientConnectorError as fault:
        refused = fault.os_error.errno == errno.ECONNREFUSED
        raise Unserved("connection refused" if refused else "cannot connect") from fault
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientPayloadError) as fault:
        raise Unserved("connection lost") from fault
    except aiohttp.ClientError as fault:
        raise Unserved(type(fault).__name__) from fault


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    """Return a reply's body to its end, in however many pieces it comes; raise Unserved where it has none."""
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > _MOST:
            raise Unserved(f"a reply of more than {_MOST >> 20} MiB", status=response.status)
    return bytes(body)
