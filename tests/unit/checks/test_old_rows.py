"""What a service leaves behind is not what it runs."""

from skipstone.catalog import load_catalog
from skipstone.checks.examination import examine
from skipstone.cloud.model import Agent
from tests.unit.checks.good_cloud import good_cloud


def findings(*agents: Agent) -> list[str]:
    cloud = good_cloud()
    cloud = type(cloud).model_validate({**cloud.model_dump(), "agents": (*cloud.agents, *agents)})
    catalog = load_catalog()
    found = examine(cloud, catalog, catalog.release("2025.1"))
    return [finding.where for finding in found if finding.id == "agent-dead"]


def engine(*, alive: bool) -> Agent:
    return Agent(service="heat", binary="heat-engine", host="ctl1", alive=alive, enabled=True, heartbeat=9)


def test_the_row_of_an_engines_earlier_life_is_no_dead_engine() -> None:
    assert findings(engine(alive=False), engine(alive=True)) == []


def test_an_engine_without_a_living_row_is_dead() -> None:
    alone = engine(alive=False).model_copy(update={"host": "ctl9"})
    assert findings(alone) == ["ctl9"]
