"""What a run makes of a worker's answer."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pytest

from skipstone.cloud.command import Command, Transport
from skipstone.errors import HostUnreachable
from skipstone.run.seal import Seal
from skipstone.run.workers import SharedTransport

if TYPE_CHECKING:
    from dbos import DBOSClient

URL = "postgresql://skipstone:{}@db/skipstone"


@dataclass(frozen=True)
class Answered:
    """A queue whose worker answers at once."""

    answer: str

    async def enqueue_async(self, *_: Any) -> "Answered":
        return self

    async def get_result(self, **_: Any) -> str:
        return self.answer

    def cancel_workflow(self, name: str) -> None:
        pass

    def delete_workflow(self, name: str) -> None:
        pass


def test_a_worker_with_another_password_has_done_nothing_and_another_may_be_asked() -> None:
    answer = Seal(URL.format("battery-staple")).close({"unreachable": "x", "evidence": ""})
    client, own = cast("DBOSClient", Answered(answer)), cast("Transport", None)
    transport = SharedTransport(own, client, Seal(URL.format("correct-horse")), "lab", "v")
    with pytest.raises(HostUnreachable, match="another password") as caught:
        asyncio.run(transport.run(Command(host="cmp1", script="true"), deadline=5))
    assert caught.value.where == "cmp1"
    assert "same URL" in caught.value.evidence
