"""The plan file: YAML that a person reviews, refused when it was changed afterwards.

Beside its parameters every step shows the exact commands it will run. They are there to be read: on loading
they are rendered again from the parameters and must be the same. A step that is another one's but for the
host is not shown again (``alike``).
"""

import difflib
import os
import re
from collections import deque
from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import chain, islice
from pathlib import Path
from typing import Any

import yaml
from pydantic import JsonValue, ValidationError

from skipstone.collecting import collecting_later
from skipstone.errors import InputError, PlanRefused
from skipstone.plan.alike import Reading, Writing, gathered, spread
from skipstone.plan.plan import Plan, Stage
from skipstone.plan.repeating import Entry, Repeat, Steps, compact, entries_of, made, text_of
from skipstone.plan.yamltext import flow_text, item_text, yaml_text
from skipstone.steps.step import Step

ACTS = ("is_done", "apply", "verify", "diagnose", "reset", "revert", "revert_rest", "intact")

Shown = list[tuple[Step, dict[str, dict[str, str]]]]
"""Steps, with act -> host and script."""

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
    return _digest(plan, map(_text, _entries(plan)))


def _entries(plan: Plan) -> Iterator[Entry]:
    """Yield every step in plan order, some of them as repeats."""
    return chain.from_iterable(entries_of(stage.steps) for stage in plan.stages)


def _text(entry: Entry) -> str:
    return entry.text if isinstance(entry, Repeat) else text_of(entry)


def _digest(plan: Plan, texts: Iterator[str]) -> str:
    found = sha256()
    head = plan.model_dump(mode="json", exclude={"stages"})
    for piece in _with_list(head, "stages", (_stage_pieces(stage, texts) for stage in plan.stages)):
        found.update(piece.encode())
    return found.hexdigest()


def _stage_pieces(stage: Stage, texts: Iterator[str]) -> Iterator[str]:
    steps = ([text] for text in islice(texts, len(stage.steps)))
    return _with_list(stage.model_dump(mode="json", exclude={"steps"}), "steps", steps)


def _with_list(facts: dict[str, Any], name: str, items: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield the JSON of facts and one list more, in pieces."""
    for number, key in enumerate(sorted([*facts, name])):
        yield f'{"," if number else "{"}"{key}":'
        if key != name:
            yield compact(facts[key])
            continue
        yield "["
        for position, item in enumerate(items):
            yield from ((",",) if position else ())
            yield from item
        yield "]"
    yield "}"


def to_data(plan: Plan) -> dict[str, Any]:
    """Return the plan as plain data, with the digest and every step's commands."""
    data = plan.model_dump(mode="json")
    for stage_data, stage in zip(data["stages"], plan.stages, strict=True):
        for step_data, step in zip(stage_data["steps"], stage.steps, strict=True):
            step_data["scripts"] = commands_of(step)
    return {"digest": plan_digest(plan), "point_of_no_return": plan.point_of_no_return, **data}


def _from_data(data: dict[str, Any], where: str) -> tuple[Plan, Shown]:
    """Return the plan that ``to_data`` wrote and the commands it showed; raise PlanRefused where edited."""
    reading = Reading(where)
    stages = [{**stage, "steps": Steps(map(reading.entry, stage["steps"]))} for stage in data["stages"]]
    known = {key: value for key, value in data.items() if key not in {"digest", "point_of_no_return"}}
    plan = Plan.model_validate({**known, "findings": spread(data.get("findings") or ()), "stages": stages})
    if data.get("digest") != plan_digest(plan):
        remedy = "Make the plan again with `skipstone plan`; an edited plan is never carried out."
        raise PlanRefused("the plan was changed after it was made", where=where, remedy=remedy)
    return plan, reading.shown


@collecting_later()
def save_plan(plan: Plan, path: Path) -> None:
    """Write the plan; the same plan gives the same bytes. Who dies meanwhile leaves the old one or this."""
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8") as file:
        file.write(HEADER.format(name=path.name))
        file.writelines(_pieces(plan))
        file.flush()
        os.fsync(file.fileno())  # a file may have its name on the disk before its text
    part.replace(path)


def _pieces(plan: Plan) -> Iterator[str]:
    """Yield the file's text step by step: a plan of ten thousand as one tree would take 120 MB."""
    writing, steps = Writing(), deque[str]()

    def texts() -> Iterator[str]:
        for entry in _entries(plan):
            text = _text(entry)
            steps.append(_shown(entry, writing.brief(entry, text)))
            yield text

    head = {"digest": _digest(plan, texts()), "point_of_no_return": plan.point_of_no_return}
    facts = plan.model_dump(mode="json", exclude={"stages"})
    yield yaml_text(head | facts | {"findings": gathered(facts["findings"])})
    yield "stages:\n" if plan.stages else "stages: []\n"
    for stage in plan.stages:
        yield item_text(stage.model_dump(mode="json", exclude={"steps"}), "")
        yield "  steps:\n" if stage.steps else "  steps: []\n"
        yield from (steps.popleft() for _ in range(len(stage.steps)))


def _shown(entry: Entry, brief: dict[str, JsonValue] | None) -> str:
    """Return what the file says of a step: in brief, or all of it with its commands."""
    if brief:
        return f"  - {flow_text(brief)}\n"
    step = made(entry)
    return item_text(step.model_dump(mode="json") | {"scripts": commands_of(step)}, "  ")


def load_plan(path: Path) -> Plan:
    """Read a plan file.

    Raise InputError where it cannot be read or is no plan; PlanRefused where it was edited, or where its
    commands are not those that this version of Skipstone runs.
    """
    plan, shown = _read(path)
    for step, commands in shown:
        if commands != commands_of(step):
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
            commands.get(act, {}).get("script", "").splitlines(),
            commands_of(step).get(act, {}).get("script", "").splitlines(),
            f"{step.id} {act}",
            f"{step.id} {act}",
            lineterm="",
        )
        for step, commands in shown
        for act in ACTS
    )
    return plan, "\n".join(line for diff in diffs for line in diff)


@collecting_later()
def _read(path: Path) -> tuple[Plan, Shown]:
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
        brief = _BRIEF.fullmatch(text)
        found = [brief.groupdict()] if brief else yaml.load(text, Loader=yaml.CSafeLoader)
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
_BRIEF = re.compile(r"  - \{like: (?P<like>[a-z][\w.-]*), host: (?P<host>[a-z][\w.-]*)\}\n", re.ASCII)
"""Most of a large file's steps; YAML would take a minute for them."""


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
