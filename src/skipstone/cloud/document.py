"""A YAML file whose every value knows its line, so that an error can say where to look.

Duplicate keys are errors here, by YAML's own rule, which PyYAML's loaders do not keep: a host written
twice would silently lose its first entry.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from yaml.nodes import MappingNode, Node, SequenceNode

from skipstone.errors import InputError

Model = TypeVar("Model", bound=BaseModel)
Place = Sequence[str | int]

# libyaml's loader is about ten times faster, which the file of a large cloud needs
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS = {"missing": "this key is missing", "extra_forbidden": "no key of this name is known here"}


@dataclass(frozen=True)
class Document:
    """One YAML file: its plain ``data``, and the error class and remedy of whoever reads it."""

    path: Path
    data: Any
    error: type[InputError]
    remedy: str
    lines: dict[tuple[str, ...], int] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, path: Path, *, error: type[InputError] = InputError, remedy: str = "") -> "Document":
        """Read and parse a file; raise ``error`` where it cannot be read or is not YAML."""
        try:
            loader = _Loader(path.read_text(encoding="utf-8"))
            root = loader.get_single_node()
            data = None if root is None else loader.construct_document(root)
        except (OSError, UnicodeDecodeError) as fault:
            what = "this file cannot be read"
            raise error(what, where=str(path), evidence=str(fault), remedy=remedy) from fault
        except yaml.YAMLError as fault:
            raise _syntax_error(path, fault, error, remedy) from fault
        document = cls(path, data, error, remedy)
        if root is not None:
            document._mark(root)
        return document

    def line(self, place: Place) -> int:
        """Return the line of a field, or of the nearest thing around it that exists."""
        keys = tuple(str(part) for part in place)
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys, 1)

    def fault(self, what: str, place: Place = (), *, evidence: str = "", remedy: str = "") -> InputError:
        """Return an error about one field, placed as ``file:line: field``."""
        name = ".".join(str(part) for part in place)
        where = f"{self.path}:{self.line(place)}" + (f": {name}" if name else "")
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

    def _mark(self, root: Node) -> None:
        for place, node in _walk(root, (), set()):
            self.lines.setdefault(place, node.start_mark.line + 1)
            if isinstance(node, MappingNode):
                self._refuse_duplicates(place, node)

    def _refuse_duplicates(self, place: tuple[str, ...], node: MappingNode) -> None:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in seen and name != "<<":
                self.lines[(*place, name)] = line
                raise self.fault(f"this key is written twice, first in line {seen[name]}", (*place, name))
            seen[name] = line


def _syntax_error(path: Path, fault: yaml.YAMLError, error: type[InputError], remedy: str) -> InputError:
    mark = getattr(fault, "problem_mark", None)
    where = f"{path}:{mark.line + 1}" if mark else str(path)
    evidence = str(getattr(fault, "problem", None) or fault)
    return error("this is not valid YAML", where=where, evidence=evidence, remedy=remedy)


def _walk(node: Node, place: tuple[str, ...], above: set[int]) -> Iterator[tuple[tuple[str, ...], Node]]:
    """Yield every key and value with its place, once each, so that an alias to itself ends too."""
    yield place, node
    if id(node) in above:
        return
    above.add(id(node))
    if isinstance(node, MappingNode):
        for key, value in node.value:
            yield (*place, str(key.value)), key
            yield from _walk(value, (*place, str(key.value)), above)
    elif isinstance(node, SequenceNode):
        for index, value in enumerate(node.value):
            yield from _walk(value, (*place, str(index)), above)
