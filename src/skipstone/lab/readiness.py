"""How the cloud looks from this machine: which APIs answer, which agents are alive, which instances serve.

Heartbeats older than the hosts' boot do not count: a restored cloud remembers agents that do not run yet.
"""

import contextlib
import re
import urllib.error
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from skipstone.errors import LabError
from skipstone.lab.waiting import fetch, wait_for

READY_SECONDS = 300
SERVED = re.compile(rb"boot=(\S+) tick=\d+ up=([\d.]+)")  # guest_files/init


class Answer(BaseModel):
    """Whether one thing is well; ``detail`` says what is not."""

    model_config = ConfigDict(frozen=True)

    name: str
    well: bool
    detail: str = ""


class Instance(BaseModel):
    """One instance as its users see it: ``boot_id`` and ``uptime_seconds`` come from the instance itself."""

    model_config = ConfigDict(frozen=True)

    name: str
    id: str
    host: str
    status: str
    address: str
    boot_id: str = ""
    uptime_seconds: float = 0


class Look(BaseModel):
    """One look at the cloud."""

    model_config = ConfigDict(frozen=True)

    apis: tuple[Answer, ...] = ()
    agents: tuple[Answer, ...] = ()
    instances: tuple[Instance, ...] = ()

    def unwell(self) -> list[str]:
        """Return what is not as it should be, in words."""
        lines = [f"{a.name}: {a.detail}" for a in (*self.apis, *self.agents) if not a.well]
        return lines + [
            f"instance {i.name} ({i.status}) does not serve" for i in self.instances if not i.boot_id
        ]


def look(cloud: Any, agents: tuple[str, ...], since: datetime | None = None) -> Look:  # noqa: ANN401
    """Look at the cloud once; never raises for what does not work, but tells it in the answers.

    ``agents`` are those that must report, after ``since`` where it is given.
    """
    apis = _apis(cloud)
    if not all(answer.well for answer in apis):
        return Look(apis=apis)
    try:
        return Look(apis=apis, agents=_agents(cloud, agents, since), instances=_instances(cloud))
    except Exception as error:  # noqa: BLE001 - an API that falls over between two questions
        return Look(
            apis=(*apis, Answer(name="cloud", well=False, detail=f"{type(error).__name__}: {error}"[:300]))
        )


def wait_agents(cloud: Any, agents: tuple[str, ...], since: datetime) -> None:  # noqa: ANN401
    """Wait until every API answers and every agent has reported after ``since``; raises LabError."""
    _wait(lambda: _agents_unwell(cloud, agents, since))


def wait_ready(cloud: Any, agents: tuple[str, ...], since: datetime) -> Look:  # noqa: ANN401
    """Wait until all of the cloud is well, instances too; raises LabError with what is not."""
    seen: list[Look] = []

    def unwell() -> list[str]:
        seen[:] = [look(cloud, agents, since)]
        return seen[0].unwell()

    _wait(unwell)
    return seen[0]


def _wait(unwell: Any) -> None:  # noqa: ANN401
    last: list[str] = []

    def well() -> bool:
        last[:] = unwell()
        return not last

    try:
        wait_for("the cloud is ready", well, READY_SECONDS, pause=2)
    except LabError as error:
        raise LabError(
            error.what,
            evidence="\n".join(last) or error.evidence,
            remedy="skipstone lab status; lab exec ctl1 -- ...",
        ) from error


def _agents_unwell(cloud: Any, agents: tuple[str, ...], since: datetime) -> list[str]:  # noqa: ANN401
    apis = [answer for answer in _apis(cloud) if not answer.well]
    return [f"{a.name}: {a.detail}" for a in (apis or _agents(cloud, agents, since)) if not a.well]


def _apis(cloud: Any) -> tuple[Answer, ...]:  # noqa: ANN401
    try:
        catalog = cloud.service_catalog
    except Exception as error:  # noqa: BLE001 - whatever keystone says or does not say
        return (Answer(name="identity", well=False, detail=f"{type(error).__name__}: {error}"[:300]),)
    addresses = [(entry["type"], _root(entry)) for entry in catalog if entry.get("endpoints")]
    with ThreadPoolExecutor(max_workers=8) as pool:
        return tuple(pool.map(lambda pair: _ask(*pair), addresses))


def _root(entry: dict[str, Any]) -> str:
    scheme, _, rest = str(entry["endpoints"][0]["url"]).partition("://")
    return f"{scheme}://{rest.split('/')[0]}/"


def _ask(name: str, url: str) -> Answer:
    try:
        fetch(url)
    except urllib.error.HTTPError as error:
        return Answer(name=name, well=error.code < 500, detail=f"{url} answers {error.code}")  # noqa: PLR2004
    except OSError as error:
        return Answer(name=name, well=False, detail=f"{url}: {error}")
    return Answer(name=name, well=True, detail=url)


def _agents(cloud: Any, expected: tuple[str, ...], since: datetime | None) -> tuple[Answer, ...]:  # noqa: ANN401
    # the row of an engine that is alive counts: heat's leave one behind whenever they start anew
    reported = {answer.name: answer for answer in sorted(_reported(cloud, since), key=lambda a: a.well)}
    missing = {name: Answer(name=name, well=False, detail="never reported") for name in expected}
    return tuple((missing | reported).values())


def _reported(cloud: Any, since: datetime | None) -> Iterable[Answer]:  # noqa: ANN401
    for service in cloud.compute.services():
        yield _agent(f"{service.binary} on {service.host}", service.state == "up", service.updated_at, since)
    for agent in cloud.network.agents():
        yield _agent(f"{agent.binary} on {agent.host}", agent.is_alive, agent.last_heartbeat_at, since)
    kinds = {entry["type"] for entry in cloud.service_catalog}
    if "volumev3" in kinds:
        for service in cloud.block_storage.services():
            yield _agent(
                f"{service.binary} on {service.host}", service.state == "up", service.updated_at, since
            )
    if "orchestration" in kinds:
        for engine in cloud.orchestration.get("/services").json()["services"]:
            name = f"{engine['binary']} on {engine['host']}"
            yield _agent(name, engine["status"] == "up", engine["updated_at"] or engine["created_at"], since)


def _agent(name: str, alive: bool, heartbeat: str | None, since: datetime | None) -> Answer:
    when = datetime.fromisoformat(heartbeat.replace("Z", "")).replace(tzinfo=UTC) if heartbeat else None
    fresh = since is None or (when is not None and when >= since)
    return Answer(name=name, well=alive and fresh, detail=f"last heartbeat {heartbeat}")


def _instances(cloud: Any) -> tuple[Instance, ...]:  # noqa: ANN401
    servers = list(cloud.compute.servers(all_projects=True))
    with ThreadPoolExecutor(max_workers=8) as pool:
        return tuple(pool.map(_instance, servers))


def _instance(server: Any) -> Instance:  # noqa: ANN401
    addresses = [entry for entries in (server.addresses or {}).values() for entry in entries]
    floating = [entry["addr"] for entry in addresses if entry.get("OS-EXT-IPS:type") == "floating"]
    address = (floating or [entry["addr"] for entry in addresses] or [""])[0]
    boot_id, uptime = _served(address)
    return Instance(
        name=server.name,
        id=server.id,
        host=server.hypervisor_hostname or "",
        status=server.status,
        address=address,
        boot_id=boot_id,
        uptime_seconds=uptime,
    )


def _served(address: str) -> tuple[str, float]:
    with contextlib.suppress(OSError):
        if match := SERVED.search(fetch(f"http://{address}/", timeout=3) if address else b""):
            return match[1].decode(), float(match[2])
    return "", 0
