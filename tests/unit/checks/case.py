"""What a case of a check is, and the disturbances that cases are made of."""

from dataclasses import dataclass
from functools import reduce

from skipstone.checks.check import Check
from skipstone.checks.finding import Severity
from skipstone.cloud.model import Agent, Cloud

from .good_cloud import AS_IT_IS, Change

INHIBITOR, WARNING, UNKNOWN, INFO = Severity.INHIBITOR, Severity.WARNING, Severity.UNKNOWN, Severity.INFO


@dataclass(frozen=True)
class Case:
    """``bad`` disturbs the good cloud so that ``check`` finds one thing; ``good`` mends it where needed."""

    check: type[Check]
    name: str
    bad: Change
    severity: Severity = INHIBITOR
    where: str = ""
    evidence: str = ""
    handled_by: str | None = None
    good: Change = AS_IT_IS
    target: str = "2025.1"
    good_target: str = "2025.1"


def all_of(*changes: Change) -> Change:
    def change(cloud: Cloud) -> Cloud:
        return reduce(lambda done, each: each(done), changes, cloud)

    return change


def agents_too(*more: Agent) -> Change:
    return lambda cloud: cloud.model_copy(update={"agents": (*cloud.agents, *more)})
