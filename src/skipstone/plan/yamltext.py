"""Plain data as YAML that a person reads, fast: PyYAML takes minutes for ten thousand hosts' steps."""

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import yaml

_PLAIN = re.compile(r"[A-Za-z_/][\w./@-]*(?: [\w./@(-][\w./@()-]*)*", re.ASCII)
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
"""What YAML takes for something else than text."""


def yaml_text(data: dict[str, Any]) -> str:
    """Return a mapping as a document."""
    return "".join(f"{line}\n" for line in _mapping(data, ""))


def item_text(data: dict[str, Any], margin: str) -> str:
    """Return a mapping as an item of a list, so far to the right."""
    return "".join(f"{line}\n" for line in _item(data, margin))


def _mapping(data: dict[str, Any], margin: str) -> Iterator[str]:
    for key, value in data.items():
        name = margin + _scalar(key)
        if value and isinstance(value, dict):
            yield f"{name}:"
            yield from _mapping(value, margin + "  ")
        elif value and isinstance(value, list):
            yield f"{name}:"
            for item in value:
                yield from _item(item, margin + "  ")
        else:
            yield f"{name}: {_value(value, margin)}"


def _item(value: object, margin: str) -> Iterator[str]:
    if not value or not isinstance(value, dict):
        yield f"{margin}- {_value(value, margin)}"
        return
    lines = _mapping(value, margin + "  ")
    yield f"{margin}- {next(lines).lstrip()}"
    yield from lines


def _value(value: object, margin: str) -> str:
    """Return what stands on one line, or a text of several."""
    return _block(value, margin + "  ") if isinstance(value, str) and "\n" in value else flow_text(value)


def flow_text(value: object) -> str:
    """Return any data on one line."""
    if isinstance(value, list):
        return f"[{', '.join(map(flow_text, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_scalar(key)}: {flow_text(item)}' for key, item in value.items())}}}"
    if isinstance(value, str):
        return _scalar(value)
    if type(value) is int:
        return str(value)
    return _other(value) if isinstance(value, float) else json.dumps(value)


@lru_cache(maxsize=8192)  # keys, kinds, titles of parts: the same ones ten thousand times
def _scalar(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return json.dumps(text, ensure_ascii=False) if text.isprintable() else _other(text)


def _block(text: str, margin: str) -> str:
    """Return a text of several lines, as it is where that can be told apart from the margin."""
    body = text.rstrip("\n")
    if not body or body[0] in " \n\t" or not text.replace("\n", "").replace("\t", "").isprintable():
        return _other(text)
    end = len(text) - len(body)
    lines = (f"{margin}{line}" if line else "" for line in body.split("\n"))
    mark = {0: "|-", 1: "|"}.get(end, "|+")
    return "\n".join([mark, *lines, *([""] * (end - 1))])


def _other(value: object) -> str:
    text: str = yaml.dump(value, Dumper=yaml.CSafeDumper, default_style='"', width=1 << 30)
    return text.removesuffix("\n")
