"""A large cloud out of a small recorded one: its compute, many times, with zones, racks and instances."""

from hashlib import sha256
from pathlib import Path

from skipstone.cloud.cloudfile import load_cloud
from skipstone.cloud.model import Agent, Aggregate, Cloud, ConfigFile, Host, Instance

RECORDED = Path(__file__).resolve().parent.parent / "tests/plans/zed-small/cloud.yaml"
ZONES, RACK = 5, 40
"""Availability zones, and computes of a rack."""


def big_cloud(computes: int, instances: int) -> Cloud:
    """Return a cloud with so many computes and instances; a compute is what the recorded one is."""
    recorded = load_cloud(RECORDED)
    model = recorded.host("cmp1")
    names = [f"cmp{number:05}" for number in range(computes)]
    zone_of = {name: f"az{number * ZONES // computes + 1}" for number, name in enumerate(names)}
    hosts = [_host(model, name, number) for number, name in enumerate(names)]
    kept = [agent for agent in recorded.agents if not agent.host.startswith("cmp")]
    alike = [agent for agent in recorded.agents if agent.host == "cmp1"]
    agents = [_agent(agent, name, zone_of[name]) for name in names for agent in alike]
    hypervisor = next(one for one in recorded.hypervisors if one.host == "cmp1")
    aggregates = [
        Aggregate(name=zone, zone=zone, hosts=tuple(name for name in names if zone_of[name] == zone))
        for zone in dict.fromkeys(zone_of.values())
    ]
    return recorded.model_copy(
        update={
            "hosts": (*(host for host in recorded.hosts if not host.unit("nova-compute")), *hosts),
            "agents": (*kept, *agents),
            "aggregates": tuple(aggregates),
            "hypervisors": tuple(hypervisor.model_copy(update={"host": name}) for name in names),
            "instances": tuple(
                Instance(
                    id=f"{number:032x}",
                    name=f"vm{number:06}",
                    project=f"{number % 500:032x}",
                    host=names[number * number % computes],
                    status="ACTIVE",
                    addresses=(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}",),
                )
                for number in range(instances)
            ),
        }
    )


def _host(model: Host, name: str, number: int) -> Host:
    address = f"10.200.{number // 250}.{number % 250 + 1}"
    facts = {"name": name, "address": address, "zone": f"r{number // RACK:03}"}
    files = tuple(_file(file, model.address, address) for file in model.config_files)
    return model.model_copy(update={**facts, "config_files": files})


def _file(model: ConfigFile, old: str, new: str) -> ConfigFile:
    """Return a file that has its host's address where the model has its own (``my_ip``), if it has."""
    if not model.text or old not in model.text:
        return model
    text = model.text.replace(old, new)
    return model.model_copy(update={"text": text, "sha256": sha256(text.encode()).hexdigest()})


def _agent(agent: Agent, name: str, zone: str) -> Agent:
    return agent.model_copy(update={"host": name, "zone": zone if agent.service == "nova" else None})
