"""What is alike on many hosts is in a plan file once: steps that differ in the host's name, and findings.

``{like: computes.cmp1.stop, host: cmp2}`` is the step ``computes.cmp1.stop`` with cmp2 where that says cmp1,
in its commands too; ``but`` has the values that differ otherwise, by their place: ``files.0.sha256``. A
finding of several hosts has all of them at ``where``.
"""

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from pydantic import JsonValue

from skipstone.errors import PlanRefused
from skipstone.plan.repeating import Entry, Model, Repeat, id_and_host, is_plain, made, text_of
from skipstone.steps.registry import KINDS
from skipstone.steps.step import Step

LIKE = "like"
_MODELS = 4
"""Of the steps with the same id but for the host, the latest that others may be like: hosts are of kinds."""

_DIFFERENCES = 8
"""Values that may differ: with more of them, a step is read more easily in full."""


@dataclass(frozen=True)
class Writing:
    """Says of each step, in the order of the file, whether it is like one before it."""

    _models: dict[str, deque[Model]] = field(default_factory=dict)

    def brief(self, entry: Entry, text: str) -> dict[str, JsonValue] | None:
        """Return what the file says instead of a step's parameters (``text``), or None: they are in full."""
        id_, host = id_and_host(entry)
        models = self._models.setdefault(id_.replace(host, "*"), deque(maxlen=_MODELS))
        for model in models:
            if host != model.host and model.renamed(host) == text:
                return {LIKE: model.outline.id, "host": host}
        for model in models:
            differing = _differing(model.renamed(host), text) if host != model.host else None
            if differing is not None:
                return {LIKE: model.outline.id, "host": host, "but": differing}
        models.append(Model(made(entry), text))
        return None


@dataclass(frozen=True)
class Reading:
    """Reads the steps of a plan file, in its order; ``shown`` are those that it shows with their commands."""

    where: str
    shown: list[tuple[Step, dict[str, dict[str, str]]]] = field(default_factory=list)
    _models: dict[str, Model] = field(default_factory=dict)

    def entry(self, item: dict[str, Any]) -> Entry:
        """Return an item's step; raise PlanRefused where its kind is unknown, or KeyError its model."""
        if LIKE in item:
            return self._alike(item[LIKE], item["host"], item.get("but"))
        kind = KINDS.get(str(item.get("kind")))
        if kind is None:
            raise PlanRefused(
                f"step {item.get('id')} is of the unknown kind {item.get('kind')}",
                where=self.where,
                remedy="Use the version of Skipstone that made the plan, or plan again.",
            )
        step = kind.model_validate({key: value for key, value in item.items() if key != "scripts"})
        self.shown.append((step, item.get("scripts") or {}))
        self._models[step.id] = Model(step, text_of(step))
        return step

    def _alike(self, like: str, host: str, but: dict[str, JsonValue] | None) -> Entry:
        model = self._models[like]
        if not but and model.is_plain and is_plain(host):
            return Repeat(model, host)
        data = json.loads(model.renamed(host))
        for place, value in (but or {}).items():
            _put(data, place.split("."), value)
        return type(model.step).model_validate(data)


def gathered(findings: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return findings, of those that follow one another and differ in ``where`` alone one with all places."""
    groups = groupby(findings, lambda finding: {**finding, "where": ""})
    return [{**same, "where": _one_or_all([one["where"] for one in group])} for same, group in groups]


def _one_or_all(places: list[str]) -> str | list[str]:
    return places[0] if len(places) == 1 else places


def spread(findings: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what ``gathered`` was given."""
    return [
        {**finding, "where": place}
        for finding in findings
        for place in (finding["where"] if isinstance(finding["where"], list) else [finding["where"]])
    ]


class _UnlikeError(Exception):
    """Two steps differ in more than values."""


def _differing(model: str, other: str) -> dict[str, JsonValue] | None:
    """Return the values that differ, by their place; None where there is more to it than some values."""
    try:
        found = dict(_differences(json.loads(model), json.loads(other)))
    except (_UnlikeError, ValueError):  # a host that is called `true` gives its name to what is no text
        return None
    return found if len(found) <= _DIFFERENCES else None


def _differences(model: JsonValue, other: JsonValue, place: str = "") -> Iterator[tuple[str, JsonValue]]:
    if model == other:
        return
    if type(model) is not type(other):
        raise _UnlikeError
    parts, others = _parts(model), _parts(other)
    if parts is None or others is None:
        yield place, other
        return
    if parts.keys() != others.keys() or any("." in key for key in parts):
        raise _UnlikeError
    for key, value in parts.items():
        yield from _differences(value, others[key], f"{place}.{key}" if place else key)


def _parts(value: JsonValue) -> Mapping[str, JsonValue] | None:
    """Return what a value is made of, by its place in it; None where it is one."""
    if isinstance(value, list):
        return {str(number): item for number, item in enumerate(value)}
    return value if isinstance(value, dict) else None


def _put(data: Any, place: list[str], value: JsonValue) -> None:  # noqa: ANN401 - any part of a step's data
    *way, last = (int(part) if part.isdigit() else part for part in place)
    for part in way:
        data = data[part]
    data[last] = value
