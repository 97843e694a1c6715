"""The plan file: YAML that a person reviews, refused when it was changed afterwards.

Beside its parameters every step shows the exact commands it will run. They are there to be read: on loading
they are rendered again from the parameters and must be the same. What differs from another step's in the
host's name alone is not shown again.
"""

import difflib
import json
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from skipstone.errors import InputError, PlanRefused
from skipstone.plan.plan import Plan, Stage
from skipstone.plan.yamltext import item_text, yaml_text
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
    """Hash of everything in the plan, as JSON with its keys in order; made step by step: it can be large."""
    found = sha256()
    head = plan.model_dump(mode="json", exclude={"stages"})
    for piece in _with_list(head, "stages", map(_stage_pieces, plan.stages)):
        found.update(piece.encode())
    return found.hexdigest()


def _stage_pieces(stage: Stage) -> Iterator[str]:
    steps = ([_compact(step.model_dump(mode="json"))] for step in stage.steps)
    return _with_list(stage.model_dump(mode="json", exclude={"steps"}), "steps", steps)


def _with_list(facts: dict[str, Any], name: str, items: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield the JSON of facts and one list more, in pieces."""
    for number, key in enumerate(sorted([*facts, name])):
        yield f'{"," if number else "{"}"{key}":'
        if key != name:
            yield _compact(facts[key])
            continue
        yield "["
        for position, item in enumerate(items):
            yield from ((",",) if position else ())
            yield from item
        yield "]"
    yield "}"


def _compact(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def to_data(plan: Plan) -> dict[str, Any]:
    """Return the plan as plain data, with the digest and every step's commands."""
    data = plan.model_dump(mode="json")
    for stage_data, stage in zip(data["stages"], plan.stages, strict=True):
        for step_data, step in zip(stage_data["steps"], stage.steps, strict=True):
            step_data["scripts"] = commands_of(step)
    return {"digest": plan_digest(plan), "point_of_no_return": plan.point_of_no_return, **data}


def _from_data(data: dict[str, Any], where: str) -> tuple[Plan, Scripts]:
    """Return the plan that ``to_data`` wrote and the commands it showed; raise PlanRefused where edited."""
    shown = _shown(step for stage in data.get("stages", ()) for step in stage.get("steps", ()))
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


def _shown(steps: Iterable[dict[str, Any]]) -> Scripts:
    """Take the commands that are shown out of the steps' data, and return them."""
    found: Scripts = {}
    names: dict[str, str] = {}
    for step in steps:
        name, scripts = str(step.get("id")), step.pop("scripts", None) or {}
        names[name] = step.get("group") or step["host"]
        like = scripts.get(_LIKE)
        found[name] = _renamed(found[like], names[like], names[name]) if isinstance(like, str) else scripts
    return found


_LIKE = "like"
"""In the place of a step's scripts: the step whose they are, with the other host's name."""

_MODELS = 4
"""Steps of a kind that others may be like."""


def _renamed(scripts: dict[str, dict[str, str]], old: str, new: str) -> dict[str, dict[str, str]]:
    return {
        act: {key: text.replace(old, new) for key, text in command.items()}
        for act, command in scripts.items()
    }


class _Showing:
    """Says what of a step's commands the file shows, for each step in its order."""

    def __init__(self) -> None:
        self._models: dict[type[Step], list[tuple[str, str, dict[str, dict[str, str]]]]] = {}

    def scripts(self, step: Step) -> dict[str, Any]:
        """Return the commands, or which earlier step's they are but for the name of the host."""
        scripts, name = commands_of(step), step.group or step.host
        models = self._models.setdefault(type(step), [])
        for model, host, shown in models:
            if host != name and _renamed(shown, host, name) == scripts:
                return {_LIKE: model}
        if len(models) < _MODELS:
            models.append((step.id, name, scripts))
        return scripts


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
    showing = _Showing()
    yield yaml_text(head | plan.model_dump(mode="json", exclude={"stages"}))
    yield "stages:\n" if plan.stages else "stages: []\n"
    for stage in plan.stages:
        yield item_text(stage.model_dump(mode="json", exclude={"steps"}), "")
        yield "  steps:\n" if stage.steps else "  steps: []\n"
        for step in stage.steps:
            yield item_text(step.model_dump(mode="json") | {"scripts": showing.scripts(step)}, "  ")


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
        data = _parsed(path)
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


def _parsed(path: Path) -> Any:  # noqa: ANN401 - whatever somebody has written
    """Return a file's data; as ``save_plan`` writes it, it is read step by step, which takes less memory."""
    pieces, data = _split(path), None
    for kind, text in pieces:
        found = yaml.load(text, Loader=yaml.CSafeLoader)
        if kind is _HEAD:
            data = found
        elif not isinstance(data, dict) or not isinstance(found, list):
            break
        elif kind is _STAGE:
            data["stages"] = [*(data["stages"] or ()), *found]
        else:
            stage = data["stages"][-1]
            stage["steps"] = stage["steps"] or []
            stage["steps"] += found
    else:
        return data
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


_HEAD, _STAGE, _STEP = "", "- ", "  - "


def _split(path: Path) -> Iterator[tuple[str, str]]:
    """Yield what stands before the stages, and then each stage without its steps and each step."""
    kind, lines, after = _HEAD, list[str](), False
    with path.open(encoding="utf-8") as file:
        for line in file:
            begins = next((mark for mark in (_STAGE, _STEP) if after and line.startswith(mark)), None)
            if begins:
                yield kind, "".join(lines)
                kind, lines = begins, []
            after = after or line == "stages:\n"
            lines.append(line)
    yield kind, "".join(lines)
