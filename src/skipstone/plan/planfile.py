"""The plan file: YAML that a person reviews, refused when it was changed afterwards.

Beside its parameters every step shows the exact commands it will run. They are there to be read: on loading
they are rendered again from the parameters and must be the same.
"""

import difflib
import json
import textwrap
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from skipstone.errors import InputError, PlanRefused
from skipstone.plan.plan import Plan
from skipstone.steps.registry import KINDS
from skipstone.steps.step import Step

ACTS = ("is_done", "apply", "verify", "diagnose", "reset", "revert", "intact")

Scripts = dict[str, dict[str, dict[str, str]]]
"""Step's id -> act -> host and script."""

HEADER = """\
# A plan of Skipstone. Read it, or print it as a runbook:  skipstone runbook {name}
# Do not edit it: change the cloud, the inventory or the target, and plan again. An edited plan is refused.
"""


def commands_of(step: Step) -> dict[str, dict[str, str]]:
    """Return what a step will run: act -> host and script; an act without a command is absent."""
    found = {act: getattr(step, act)() for act in ACTS}
    return {
        act: {"host": command.host, "script": command.script} for act, command in found.items() if command
    }


def plan_digest(plan: Plan) -> str:
    """Hash of everything in the plan."""
    text = json.dumps(plan.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


def to_data(plan: Plan) -> dict[str, Any]:
    """Return the plan as plain data, with the digest and every step's commands."""
    data = plan.model_dump(mode="json")
    for stage_data, stage in zip(data["stages"], plan.stages, strict=True):
        for step_data, step in zip(stage_data["steps"], stage.steps, strict=True):
            step_data["scripts"] = commands_of(step)
    return {"digest": plan_digest(plan), "point_of_no_return": plan.point_of_no_return, **data}


def _from_data(data: dict[str, Any], where: str) -> tuple[Plan, Scripts]:
    """Return the plan that ``to_data`` wrote and the commands it showed; raise PlanRefused where edited."""
    shown = {
        str(step.get("id")): step.pop("scripts", None) or {}
        for stage in data.get("stages", ())
        for step in stage.get("steps", ())
    }
    stages = [{**stage, "steps": [_step(step, where) for step in stage["steps"]]} for stage in data["stages"]]
    known = {key: value for key, value in data.items() if key not in {"digest", "point_of_no_return"}}
    plan = Plan.model_validate({**known, "stages": stages})
    if data.get("digest") != plan_digest(plan):
        remedy = "Make the plan again with `skipstone plan`; an edited plan is never carried out."
        raise PlanRefused("the plan was changed after it was made", where=where, remedy=remedy)
    return plan, shown


def _step(data: dict[str, Any], where: str) -> Step:
    kind = KINDS.get(str(data.get("kind")))
    if kind is None:
        raise PlanRefused(
            f"step {data.get('id')} is of the unknown kind {data.get('kind')}",
            where=where,
            remedy="Use the version of Skipstone that made the plan, or plan again.",
        )
    return kind.model_validate(data)


class _Dumper(yaml.CSafeDumper):
    """Writes scripts as blocks, not as one quoted line."""


def _as_block(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _as_block)


def save_plan(plan: Plan, path: Path) -> None:
    """Write the plan; the same plan gives the same bytes."""
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8") as file:
        file.write(HEADER.format(name=path.name))
        file.writelines(_pieces(plan))
    part.replace(path)


def _pieces(plan: Plan) -> Iterator[str]:
    """Yield the file's text step by step: a plan of ten thousand as one tree would take 120 MB."""
    head = {"digest": plan_digest(plan), "point_of_no_return": plan.point_of_no_return}
    yield _open_list(head | plan.model_dump(mode="json", exclude={"stages"}), "stages", empty=not plan.stages)
    for stage in plan.stages:
        facts = stage.model_dump(mode="json", exclude={"steps"})
        head_of_stage = _open_list(facts, "steps", empty=not stage.steps)
        yield "- " + textwrap.indent(head_of_stage, "  ").removeprefix("  ")
        for step in stage.steps:
            text = _yaml([step.model_dump(mode="json") | {"scripts": commands_of(step)}])
            yield textwrap.indent(text, "  ")


def _open_list(facts: dict[str, Any], name: str, *, empty: bool) -> str:
    """Return a mapping's text that ends with the key of a list, whose items come after it."""
    return _yaml(facts) + (f"{name}: []\n" if empty else f"{name}:\n")


def _yaml(data: object) -> str:
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)
    return text


def load_plan(path: Path) -> Plan:
    """Read a plan file.

    Raise InputError where it cannot be read or is no plan; PlanRefused where it was edited, or where its
    commands are not those that this version of Skipstone runs.
    """
    plan, shown = _read(path)
    for step in plan.steps():
        if shown[step.id] != commands_of(step):
            raise PlanRefused(
                f"the commands of step {step.id} are not those that its parameters give",
                where=str(path),
                remedy="If nobody edited it, another version of Skipstone made it: see what changes with"
                f" `skipstone renew {path}`. An edited plan is never carried out.",
            )
    return plan


def renew_plan(path: Path) -> tuple[Plan, str]:
    """Return a plan of another version of Skipstone, and as a diff how its commands change with this one.

    The plan's parameters and digest stay the same, so a run that was begun goes on with it. Raise as
    ``load_plan``, except for commands.
    """
    plan, shown = _read(path)
    diffs = (
        difflib.unified_diff(
            shown[step.id].get(act, {}).get("script", "").splitlines(),
            commands_of(step).get(act, {}).get("script", "").splitlines(),
            f"{step.id} {act}",
            f"{step.id} {act}",
            lineterm="",
        )
        for step in plan.steps()
        for act in ACTS
    )
    return plan, "\n".join(line for diff in diffs for line in diff)


def _read(path: Path) -> tuple[Plan, Scripts]:
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError("the plan cannot be read", where=str(path), evidence=str(error)) from error
    if not isinstance(data, dict) or "stages" not in data:
        raise InputError(
            "this is not a plan", where=str(path), remedy="Give the file that `skipstone plan -o` wrote."
        )
    try:
        return _from_data(data, str(path))
    except (ValidationError, KeyError, TypeError, AttributeError) as error:
        raise PlanRefused(
            "the plan is damaged or of another format",
            where=str(path),
            evidence=str(error),
            remedy="Make the plan again with `skipstone plan`.",
        ) from error
