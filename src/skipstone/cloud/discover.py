"""Discovery: one Cloud from what hosts, databases, brokers and APIs say, asked side by side.

It changes nothing anywhere. What cannot be asked becomes a Problem of the Cloud, and the rest goes on.
"""

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from skipstone.catalog import Catalog
from skipstone.cloud import database
from skipstone.cloud.answer import Reply, Silence, ask, greet
from skipstone.cloud.api import Api, ApiSilent, open_api, problem
from skipstone.cloud.api_facts import SURVEYS, survey_service
from skipstone.cloud.command import Transport
from skipstone.cloud.composition import Parts, compose
from skipstone.cloud.host_facts import read_host, unreachable
from skipstone.cloud.inventory import Group, Inventory, InventoryHost
from skipstone.cloud.masking import Secrets
from skipstone.cloud.model import Asked, Broker, Cloud, Host, Problem, Stack
from skipstone.cloud.scope import Scope
from skipstone.cloud.transport import open_transport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pydantic import JsonValue

HOST_DEADLINE, BROKER_DEADLINE, DATABASE_DEADLINE = 120.0, 120.0, 600.0
"""Seconds after which a script is given up."""


@dataclass(frozen=True)
class Progress:
    """One conversation (with a host, a broker, an API), when it begins and when it is done with."""

    asked: Asked
    where: str
    done: bool


OnProgress = Callable[[Progress], None]


async def discover(inventory: Inventory, catalog: Catalog, on_progress: OnProgress | None = None) -> Cloud:
    """Ask everything and return the Cloud; what went unanswered is in its ``problems``.

    Raise InventoryError where the inventory names a cloud that clouds.yaml has not.
    """
    taken_at = datetime.now(UTC).replace(microsecond=0)
    api = open_api(inventory)
    async with open_transport(inventory) as transport:
        discovery = _Discovery(inventory, catalog, transport, on_progress or (lambda _: None))
        parts = await discovery.parts(api)
    return compose(inventory.name, taken_at, catalog, parts, discovery.secrets)


class _Discovery:
    """All conversations of one discovery, and the problems they left."""

    def __init__(
        self, inventory: Inventory, catalog: Catalog, transport: Transport, on_progress: OnProgress
    ) -> None:
        self.secrets = Secrets()
        self._inventory = inventory
        self._catalog = catalog
        self._transport = transport
        self._on_progress = on_progress
        self._parts = Parts()
        self._problems: list[Problem] = []

    async def parts(self, api: Api) -> Parts:
        """Ask hosts and APIs at once; the databases when the hosts' configuration has named them."""
        surveys = asyncio.create_task(self._surveys(api))
        brokers: list[asyncio.Task[Broker | None]] = []
        hosts = await asyncio.gather(*(self._host(host, brokers) for host in self._inventory.hosts))
        self._parts.hosts = tuple(hosts)
        await self._databases()
        self._parts.brokers = tuple(filter(None, await asyncio.gather(*brokers)))
        await surveys
        self._note_missing(Group.DATABASE, Asked.DATABASE)
        self._note_missing(Group.BROKER, Asked.BROKER)
        self._parts.problems = tuple(self._problems)
        return self._parts

    async def _host(self, host: InventoryHost, brokers: "list[asyncio.Task[Broker | None]]") -> Host:
        """Ask a host about itself; its broker, if it has one, at the same time."""
        async with self._conversation(Asked.SSH, host.name):
            await greet(self._transport, host.name)
            if Group.BROKER in host.groups:
                brokers.append(asyncio.create_task(self._broker(host)))
            scope = Scope.of(self._catalog).model_dump(mode="json")
            reply = await self._ask(host, "host", scope, Asked.PACKAGES, HOST_DEADLINE)
            return read_host(host, reply.facts, (reply.begun, reply.ended), self.secrets)
        return unreachable(host)

    async def _broker(self, host: InventoryHost) -> Broker | None:
        async with self._conversation(Asked.BROKER, host.name):
            reply = await self._ask(host, "broker", None, Asked.BROKER, BROKER_DEADLINE)
            if "version" in reply.facts:
                return Broker(host=host.name, **reply.facts)
        return None

    async def _databases(self) -> None:
        """Ask the database servers one after the other, each for what none before it had.

        So Galera's copies are counted once, and cells that nova_api names are looked for on later servers.
        """
        wanted = database.databases_of(self._catalog, self._parts.hosts)
        reachable = {host.name for host in self._parts.hosts if host.reachable}
        for host in self._inventory.hosts_in(Group.DATABASE):
            if host.name in reachable:
                async with self._conversation(Asked.DATABASE, host.name):
                    wanted = await self._server(host, wanted)

    async def _server(self, host: InventoryHost, wanted: dict[str, str]) -> dict[str, str]:
        """Ask one server; return the databases that are still to be found."""
        argument = database.argument(self._catalog, wanted)
        facts = (await self._ask(host, "database", argument, Asked.DATABASE, DATABASE_DEADLINE)).facts
        if "version" not in facts:
            return wanted
        databases = tuple(database.read_databases(self._catalog, facts))
        self._parts.servers += (database.read_server(host.name, facts),)
        self._parts.databases += databases
        self._parts.stacks += tuple(Stack(**row) for row in facts.get("heat_stacks", ()))
        for row in facts["nova_services"]:
            self._parts.nova_levels[row["host"], row["binary"]] = row["version"]
        found = {known.name for known in databases}
        return {name: known_as for name, known_as in facts["names"].items() if name not in found}

    async def _surveys(self, api: Api) -> None:
        """Ask every API in a thread of its own, if keystone lets us in at all."""
        logged_in = False
        async with self._conversation(Asked.API, "log-in"):
            await asyncio.to_thread(api.log_in)
            logged_in = True
        if logged_in:
            await asyncio.gather(*(self._survey(api, service) for service in SURVEYS))

    async def _survey(self, api: Api, service: str) -> None:
        async with self._conversation(Asked.API, service):
            survey = await asyncio.to_thread(survey_service, api, self._catalog, service)
            self._problems += survey.problems
            self._parts.add_survey(survey.fields, survey.counts)

    async def _ask(
        self, host: InventoryHost, script: str, argument: "JsonValue", about: Asked, deadline: float
    ) -> Reply:
        reply = await ask(self._transport, host.name, script, argument, about=about, deadline=deadline)
        self._problems += reply.problems
        return reply

    @asynccontextmanager
    async def _conversation(self, asked: Asked, where: str) -> "AsyncIterator[None]":
        """Announce a conversation, and keep the problem with which it may end."""
        self._on_progress(Progress(asked, where, done=False))
        try:
            yield
        except Silence as silence:
            self._problems.append(silence.problem)
        except ApiSilent as error:
            self._problems.append(problem(error, "log in"))
        finally:
            self._on_progress(Progress(asked, where, done=True))

    def _note_missing(self, group: Group, asked: Asked) -> None:
        if not self._inventory.hosts_in(group):
            self._problems.append(
                Problem(
                    asked=asked,
                    where=self._inventory.name,
                    what=f"no host of the inventory is in the group {group}",
                    remedy=f"put the hosts into the group {group}, and discover again",
                )
            )
