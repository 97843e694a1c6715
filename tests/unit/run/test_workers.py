"""What a run makes of a worker's answer."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pytest

from skipstone.cloud.command import Command, Outcome, Transport
from skipstone.errors import HostUnreachable
from skipstone.run.database import DatabaseAway
from skipstone.run.seal import Seal
from skipstone.run.workers import SharedTransport
from tests.unit.run.toy import Hosts

if TYPE_CHECKING:
    from dbos import DBOSClient

    from skipstone.run.database import Connections

URL = "postgresql://skipstone:{}@db/skipstone"


@dataclass
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


@dataclass
class Away(Answered):
    """A queue whose database is away, or says nothing."""

    silent: bool
    cut_off: asyncio.Event

    async def enqueue_async(self, *_: Any) -> Answered:
        if self.silent:
            await self.cut_off.wait()
        raise DatabaseAway("connection refused")

    def cut(self) -> None:
        self.cut_off.set()


def shared_with(queue: Answered, own: Transport) -> SharedTransport:
    client, connections = cast("DBOSClient", queue), cast("Connections", queue)
    seal = Seal(URL.format("correct-horse"))
    return SharedTransport(own, client, connections, seal=seal, cloud="lab", version="v")


@pytest.mark.parametrize("silent", [False, True])
def test_without_the_database_the_host_is_asked_from_here(silent: bool) -> None:
    hosts = Hosts()

    async def ask() -> Outcome:
        transport = shared_with(Away("", silent, asyncio.Event()), hosts)
        asking = asyncio.create_task(transport.run(Command(host="cmp1", script="true"), deadline=60))
        await asyncio.sleep(0.1)
        transport.go_alone()
        return await asyncio.wait_for(asking, 5)

    assert asyncio.run(ask()).stdout == "checked true\n"


def test_a_worker_with_another_password_has_done_nothing_and_another_may_be_asked() -> None:
    answer = Seal(URL.format("battery-staple")).close({"unreachable": "x", "evidence": ""})
    transport = shared_with(Answered(answer), cast("Transport", None))
    with pytest.raises(HostUnreachable, match="another password") as caught:
        asyncio.run(transport.run(Command(host="cmp1", script="true"), deadline=5))
    assert caught.value.where == "cmp1"
    assert "same URL" in caught.value.evidence
