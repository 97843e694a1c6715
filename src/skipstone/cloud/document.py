"""A YAML file read with care: an error about any of its values can say in which line it stands."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from yaml.nodes import MappingNode, Node, SequenceNode

from skipstone.errors import InputError

Model = TypeVar("Model", bound=BaseModel)
Place = Iterable[str | int]

_UNKNOWN = "no key of this name is known here"
_WORDS = {
    "missing": "this key is missing",
    "extra_forbidden": _UNKNOWN,
    "unexpected_keyword_argument": _UNKNOWN,
}


class _Loader(yaml.CSafeLoader):
    """A safe loader that refuses a key given twice: a host's first entry would silently be lost."""

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Build a mapping; raise where a key comes twice."""
        seen: dict[Any, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                what = f"{key.value} is written twice, first in line {seen[key.value]}"
                raise yaml.constructor.ConstructorError(None, None, what, key.start_mark)
            seen[key.value] = line
        return super().construct_mapping(node, deep)


@dataclass(frozen=True)
class Document:
    """One YAML file: its plain ``data``, and the error class and remedy of whoever reads it."""

    path: Path
    data: Any
    error: type[InputError]
    remedy: str

    @classmethod
    def read(cls, path: Path, *, error: type[InputError] = InputError, remedy: str = "") -> "Document":
        """Read and parse a file; raise ``error`` where it cannot be read or is not YAML."""
        try:
            data = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a safe loader
        except (OSError, UnicodeDecodeError) as fault:
            what = "this file cannot be read"
            raise error(what, where=str(path), evidence=str(fault), remedy=remedy) from fault
        except yaml.YAMLError as fault:
            mark = getattr(fault, "problem_mark", None)
            where = f"{path}:{mark.line + 1}" if mark else str(path)
            evidence = str(getattr(fault, "problem", None) or fault)
            raise error("this is not valid YAML", where=where, evidence=evidence, remedy=remedy) from fault
        return cls(path, data, error, remedy)

    def fault(self, what: str, place: Place = (), *, evidence: str = "", remedy: str = "") -> InputError:
        """Return an error about one field, placed as ``file:line: field``."""
        keys = [str(part) for part in place]
        root = yaml.compose(self.path.read_text(encoding="utf-8"), yaml.CSafeLoader)
        line = _find(root, keys).start_mark.line + 1 if root else 1
        where = ": ".join((f"{self.path}:{line}", *([".".join(keys)] if keys else [])))
        return self.error(what, where=where, evidence=evidence, remedy=remedy or self.remedy)

    def validate(self, model: type[Model]) -> Model:
        """Return the data as a model; raise the error of the first field that does not fit."""
        if not isinstance(self.data, Mapping):
            raise self.fault("keys with values are expected here", evidence=f"found {self.data!r:.80}")
        try:
            return model.model_validate(self.data)
        except ValidationError as fault:
            first = fault.errors(include_url=False)[0]
            what = _WORDS.get(first["type"], first["msg"][:1].lower() + first["msg"][1:])
            found = "" if first["type"] == "missing" else f"found {first['input']!r:.80}"
            more = f"; {fault.error_count() - 1} more errors follow" if fault.error_count() > 1 else ""
            raise self.fault(what, first["loc"], evidence=found + more) from fault


def _find(node: Node, place: Iterable[str]) -> Node:
    """Return the node at a place (of a mapping's value, its key), or the nearest thing on the way to it."""
    at = node
    for step in place:
        inside = _inside(node)
        if step not in inside:
            return at
        at, node = inside[step]
    return at


def _inside(node: Node) -> dict[str, tuple[Node, Node]]:
    """Return what a node holds: name -> where it is written, and its value."""
    if isinstance(node, MappingNode):
        return {str(key.value): (key, value) for key, value in node.value}
    if isinstance(node, SequenceNode):
        return {str(index): (item, item) for index, item in enumerate(node.value)}
    return {}
