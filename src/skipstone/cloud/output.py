"""What a command wrote, bounded: a runaway command must not fill the orchestrator's memory."""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

OUTPUT_LIMIT = 16 * 1024 * 1024
_CHUNK = 64 * 1024


class Drain(Protocol):
    """Where a command's output goes."""

    async def drain(self, read: Callable[[int], Awaitable[bytes]]) -> None:
        """Read a stream to its end; one that is read slowly is written slowly."""
        ...


class Output:
    """The last OUTPUT_LIMIT bytes of a stream, as text; its end is where errors are."""

    def __init__(self, limit: int = OUTPUT_LIMIT) -> None:
        self._limit = limit
        self._chunks: deque[bytes] = deque()
        self._kept = 0
        self._dropped = 0

    async def drain(self, read: Callable[[int], Awaitable[bytes]]) -> None:
        """Read a stream to its end."""
        while chunk := await read(_CHUNK):
            self.add(chunk)

    def add(self, chunk: bytes) -> None:
        """Append what was read."""
        self._chunks.append(chunk)
        self._kept += len(chunk)
        while self._kept - len(self._chunks[0]) >= self._limit:
            self._dropped += len(self._chunks[0])
            self._kept -= len(self._chunks.popleft())

    @property
    def text(self) -> str:
        """What was kept; bytes that are not UTF-8 are replaced, and a cut is said in the first line."""
        text = b"".join(self._chunks).decode("utf-8", errors="replace")
        return f"[{self._dropped} bytes cut here]\n{text}" if self._dropped else text
