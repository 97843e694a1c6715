"""A Cloud on disk: YAML that a person can read and compare, the same bytes for the same Cloud.

In a file named ``.json`` it is JSON, for clouds of thousands of hosts: YAML takes minutes to read then. What
hosts have alike is there once (``sharing``).
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from pydantic_core import from_json

from skipstone.cloud.document import Document
from skipstone.cloud.fingerprint import digest_of
from skipstone.cloud.model import Cloud
from skipstone.cloud.sharing import SHARED, expand, shared_text
from skipstone.collecting import collecting_later
from skipstone.errors import InputError

_REMEDY = "make it anew with `skipstone discover -i INVENTORY -o FILE`"
_FORMAT = 1


class _Dumper(yaml.CSafeDumper):
    """Writes texts of several lines as such."""


def _text(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def save_cloud(cloud: Cloud, path: Path) -> None:
    """Write a Cloud, in one move, readable by its owner only: it holds no secret, but a map of the cloud."""
    digest = digest_of(cloud)
    if path.suffix == ".json":
        write_privately(path, lambda file: file.write(shared_text(cloud, digest) + "\n"))
        return
    content = {"digest": digest} | cloud.model_dump(mode="json", exclude_none=True)
    write_privately(path, lambda file: yaml.dump(content, file, _Dumper, sort_keys=False, width=120))


def write_privately(path: Path, write: Callable[[Any], object]) -> None:
    """Write a file beside its place and move it there; raise InputError where that cannot be done."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            write(file)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        what = "this file cannot be written"
        raise InputError(what, where=str(path), evidence=str(error), remedy="name another place") from error


def load_cloud(path: Path) -> Cloud:
    """Read a Cloud; raise InputError with file, line and field where it is not one, or was edited.

    A digest in the file must be that of what the file holds: a plan stands on it.
    """
    if cloud := _from_json(path):
        return cloud
    document = Document.read(path, error=InputError, remedy=_REMEDY)
    data = document.data
    if not isinstance(data, dict) or "taken_at" not in data:
        raise document.fault("this is not the file of a discovered cloud")
    if data.get("format") != _FORMAT:
        raise document.fault(
            f"this file is of format {data.get('format')!r}, and {_FORMAT} is the one that is read",
            ["format"],
        )
    digest = data.pop("digest", None)
    try:
        expand(data)
    except (LookupError, TypeError) as error:
        raise document.fault("hosts share what is not there", [SHARED], evidence=repr(error)) from error
    cloud = document.validate(Cloud)
    if digest is not None and digest != digest_of(cloud):
        raise document.fault("this file was edited, or written by another version", ["digest"])
    return cloud


@collecting_later()
def _from_json(path: Path) -> Cloud | None:
    """Return the Cloud of a file as ``save_cloud`` writes it as JSON; None where something is wrong with it.

    Whoever reads it as YAML then, which JSON is, can say what and where.
    """
    if path.suffix != ".json":
        return None
    try:
        data = from_json(path.read_bytes())
        digest = data.pop("digest")
        expand(data)
        cloud = Cloud.model_validate(data, context={})
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return cloud if digest == digest_of(cloud) else None
