"""A policy file: what it says of which rule, and its lines, to the byte where it is YAML.

Read as oslo.policy reads it: JSON where it is JSON, else YAML. What oslo.policy would read with another
meaning than the eye, or would not start with, is refused, with all line numbers. A file whose rules stand
within braces cannot hold a reason for each, and becomes YAML with a line for each rule.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from skipstone.convert.inifile import Kind, Line
from skipstone.convert.policy.check import Check, Value, parse
from skipstone.errors import InputError

# what ends a line for PyYAML, whose line numbers are taken
_PHYSICAL = re.compile("[^\r\n\x85\u2028\u2029]*(?:\r\n|[\r\n\x85\u2028\u2029])|[^\r\n\x85\u2028\u2029]+")
_BLANK = " \t\r\n"
_SHOWN_FAULTS = 10


@dataclass(frozen=True)
class Entry:
    """What a file says of one rule; ``line`` counts from 1."""

    name: str
    value: Value = field(hash=False)
    line: int
    file: str

    @property
    def check(self) -> Check:
        """The check that the value stands for."""
        return parse(self.value)


@dataclass(frozen=True)
class Document:
    """One file. ``layout`` is what it is as YAML with lines for each rule; ``before``, if it is that."""

    name: str
    before: tuple[Line, ...]
    layout: tuple[Line, ...]
    entries: tuple[Entry, ...]


def read_document(name: str, text: str) -> Document:
    """Return what a policy file says; raise InputError, with the lines, where it says nothing certain."""
    before = tuple(
        Line(number, Kind.TEXT, line, "") for number, line in enumerate(_PHYSICAL.findall(text), 1)
    )
    pairs = _pairs_of_json(text) if name.endswith(".json") else None
    node = None if pairs is not None else _composed(name, text)
    if pairs is None:
        pairs = list(_pairs_of_yaml(name, node)) if node else []
    entries = tuple(Entry(key, value, line, name) for key, value, line in pairs)
    _refuse_faults(name, entries)
    return Document(name, before, _layout(node, before, entries, text), entries)


def _layout(
    node: yaml.Node | None, before: tuple[Line, ...], entries: tuple[Entry, ...], text: str
) -> tuple[Line, ...]:
    """Return the lines of a file as YAML with lines for each rule."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style:
        return _grouped(before, entries)
    braced = node is not None or "{" in text.lstrip()[:1]
    return _rendered(before, entries) if braced else before


def rule_line(name: str, value: Value, ending: str = "\n") -> Line:
    """Return a line that sets a rule."""
    text = f"{json.dumps(name, ensure_ascii=False)}: {json.dumps(value, ensure_ascii=False)}{ending}"
    return Line(0, Kind.OPTION, text, "", name)


class _Fault(str):
    """A value that is no check, as the file writes it."""

    __slots__ = ()


def _pairs_of_json(text: str) -> list[tuple[str, Value, int]] | None:
    """Return names, values and lines of an object, or None where the text is no JSON object."""
    pairs, decoder = [], json.JSONDecoder()
    try:
        at = _skip(text, 0, "{")
        while text[at] != "}":
            line = text.count("\n", 0, at) + 1
            if text[at] != '"':
                return None
            key, at = decoder.raw_decode(text, at)
            value, at = decoder.raw_decode(text, _skip(text, at, ":"))
            pairs.append((key, _value(value), line))
            at = _skip(text, at, "")
            if text[at] not in ",}" or (text[at] == "," and text[_skip(text, at, ",")] == "}"):
                return None
            at = _skip(text, at, ",") if text[at] == "," else at
    except (ValueError, IndexError):
        return None
    return pairs if not text[at + 1 :].strip(_BLANK) else None


def _skip(text: str, at: int, expected: str) -> int:
    """Return where text goes on after blanks and what is expected there; ValueError where it is not."""
    while text[at] in _BLANK:
        at += 1
    if not text.startswith(expected, at):
        raise ValueError(at)
    at += len(expected)
    while expected and text[at] in _BLANK:
        at += 1
    return at


def _value(value: object) -> Value:
    """Return a value of JSON, or the fault that it is."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        parts = tuple(_value(part) for part in value)
        if all(isinstance(part, str | tuple) for part in parts):
            return parts  # type: ignore[return-value] # a third level is found when it is parsed
    return _Fault(json.dumps(value))


def _composed(name: str, text: str) -> yaml.Node | None:
    """Return the root of a YAML file, None where it holds nothing but comments."""
    try:
        node = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(
            f"it is no {'JSON and no ' if name.endswith('.json') else ''}YAML, and no service reads it",
            where=f"{name}:{line}",
            evidence=" ".join(filter(None, (error.context, error.problem))),
        ) from error
    except yaml.YAMLError as error:
        raise InputError("it is no YAML, and no service reads it", where=name, evidence=str(error)) from error
    if node is None or (isinstance(node, yaml.ScalarNode) and not node.value):
        return None
    if not isinstance(node, yaml.MappingNode):
        raise InputError("this is no policy file: it has no names of rules with checks", where=name)
    return node


def _pairs_of_yaml(name: str, node: yaml.Node) -> Iterator[tuple[str, Value, int]]:
    for key, value in node.value:
        line = key.start_mark.line + 1
        if key.tag != "tag:yaml.org,2002:str" or value.start_mark.index < key.start_mark.index:
            raise InputError(
                "a rule's name has to be text, and its check no alias of another's",
                where=f"{name}:{line}",
                remedy="write both out",
            )
        yield key.value, _value_of(value), line


def _value_of(node: yaml.Node) -> Value:
    """Return a value of YAML, or the fault that it is."""
    if isinstance(node, yaml.SequenceNode):
        return _value([_plain(part) for part in node.value])
    plain = _plain(node)
    return plain if plain is None or isinstance(plain, str) else _Fault(str(plain))


def _plain(node: yaml.Node) -> object:
    """Return a node as Python has it; ``!`` without quotes is a fault: YAML takes it for nothing."""
    if isinstance(node, yaml.SequenceNode):
        return [_plain(part) for part in node.value]
    if isinstance(node, yaml.ScalarNode):
        mark = node.start_mark
        if not node.value and str(mark.buffer)[mark.pointer] == "!":
            return _Fault("!")
        if node.tag == "tag:yaml.org,2002:str":
            return str(node.value)
        return None if node.tag == "tag:yaml.org,2002:null" else _Fault(node.value)
    return _Fault("{...}")


def _refuse_faults(name: str, entries: tuple[Entry, ...]) -> None:
    """Raise InputError where rules come twice, or have a check that oslo.policy cannot read."""
    faults, seen = [], dict[str, int]()
    for entry in entries:
        if entry.name in seen:
            faults.append(f"line {entry.line}: {entry.name} is in line {seen[entry.name]} too")
        seen[entry.name] = entry.line
        if fault := _fault(entry):
            faults.append(f"line {entry.line}: {entry.name}: {fault}")
    if faults:
        more = f"\nand {len(faults) - _SHOWN_FAULTS} more" if len(faults) > _SHOWN_FAULTS else ""
        raise InputError(
            "what oslo.policy makes of it is not what it says",
            where=f"{name}:{faults[0].split(':')[0].removeprefix('line ')}",
            evidence="\n".join(faults[:_SHOWN_FAULTS]) + more,
            remedy='of a rule that comes twice the last counts; a check that cannot be read is "!": nobody',
        )


def _fault(entry: Entry) -> str:
    """Return why a check cannot be read, or nothing."""
    if isinstance(entry.value, _Fault):
        if entry.value == "!":
            return 'YAML takes ! for nothing, and everybody passes: write "!" for nobody'
        return f"a check is text, and this is not: {entry.value}"
    try:
        parse(entry.value)
    except (ValueError, TypeError, AttributeError):
        # it may have the login of a server that is to be asked
        said = "" if "://" in str(entry.value) else f": {entry.value}"
        return f"oslo.policy cannot read the check{said}"
    return ""


def _grouped(lines: tuple[Line, ...], entries: tuple[Entry, ...]) -> tuple[Line, ...]:
    """Return the lines with those of each rule as one; comments and blank lines below it are not its."""
    found = list(lines[: entries[0].line - 1])
    ends = [entry.line - 1 for entry in entries[1:]] + [len(lines)]
    for entry, end in zip(entries, ends, strict=True):
        stop = end
        while stop > entry.line and _is_between(lines[stop - 1].text):
            stop -= 1
        text = "".join(line.text for line in lines[entry.line - 1 : stop])
        found += [Line(entry.line, Kind.OPTION, text, "", entry.name), *lines[stop:end]]
    return tuple(found)


def _is_between(text: str) -> bool:
    return not text.strip() or text.lstrip().startswith("#") or text.startswith("...")


def _rendered(lines: tuple[Line, ...], entries: tuple[Entry, ...]) -> tuple[Line, ...]:
    """Return a line for each rule, with the comments that had lines of their own."""
    comments = [(line.number, line) for line in lines if line.text.lstrip().startswith("#")]
    rules = [
        (entry.line, Line(entry.line, Kind.OPTION, rule_line(entry.name, entry.value).text, "", entry.name))
        for entry in entries
    ]
    kept = [(number, Line(number, Kind.TEXT, f"{line.text.strip()}\n", "")) for number, line in comments]
    return tuple(line for _, line in sorted([*kept, *rules], key=lambda pair: pair[0]))
