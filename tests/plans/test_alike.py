"""What a plan file says of a step that is another host's but for its name holds for its commands too."""

import json
from pathlib import Path

import pytest

from skipstone.plan.alike import Writing
from skipstone.plan.plan import Plan
from skipstone.plan.planfile import commands_of
from tests.plans.test_plans import CASES, plan_of


def whole(plan: Plan) -> dict[str, dict[str, object]]:
    """Return each step's commands, with the name that it may have from another host."""
    return {
        step.id: {"host": step.group or step.host, "commands": commands_of(step)} for step in plan.steps()
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.stem}")
def test_commands_are_the_others_with_the_hosts_name(case: Path) -> None:
    plan = plan_of(case)
    writing, commands, seen = Writing(), whole(plan), set()
    for step in plan.steps():
        text = json.dumps(step.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        brief = writing.brief(step, text)
        if brief is None:
            continue
        assert brief["host"] == commands[step.id]["host"]
        values = brief.get("but", {})
        assert isinstance(values, dict)
        # hashes of files, and versions of packages, are shown beside it
        assert all(str(value) in json.dumps(commands[step.id]) for value in values.values()), values
        if not values:
            model = commands[str(brief["like"])]
            renamed = json.dumps(model).replace(str(model["host"]), str(brief["host"]))
            assert json.loads(renamed) == commands[step.id]
            seen.add(type(step))
    assert len(seen) > 8
