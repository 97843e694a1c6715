"""Finds what a release needs on Python 2.7, for which uv does not resolve: a walk, as every version is given.

The versions are those of openstack/requirements (``upper-constraints.txt`` of the release's last tag), but
where ``tools/toolchains.yaml`` says another; the requirements are those in the packages themselves, without
what only extras ask for.
"""

import io
import json
import os
import re
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version

from skipstone.toolchain.lock import canonical

INDEX = os.environ.get("UV_DEFAULT_INDEX", "").rstrip("/")
JSON = "application/vnd.pypi.simple.v1+json"
SECONDS = 120
FITTING = re.compile(
    r"-(py2|py2\.py3|py27|cp27)-none-any\.whl|-cp27-cp27mu-manylinux(1|2010|2014|_2_\d+)\w*x86_64.*\.whl"
    r"|-py2\.py3-none-manylinux\w*x86_64.*\.whl"
)
SOURCE = re.compile(r"\.(tar\.gz|tar\.bz2|zip)$")
THERE = {
    "python_version": "2.7", "python_full_version": "2.7.18", "sys_platform": "linux2", "os_name": "posix",
    "platform_machine": "x86_64", "platform_system": "Linux", "platform_python_implementation": "CPython",
    "implementation_name": "cpython", "extra": "",
}  # fmt: skip

File = dict[str, Any]


def pinned(constraints: Path) -> dict[str, str]:
    """Return the versions of an upper-constraints file, for Python 2.7."""
    found = {}
    for line in constraints.read_text(encoding="utf-8").splitlines():
        spec, _, marker = line.partition("#")[0].partition(";")
        name, _, version = spec.strip().partition("===")
        if version and (not marker or "2.7" in marker):
            found[canonical(name)] = version.strip()
    return found


def walk(roots: Iterable[str], pins: Mapping[str, str], dropped: Iterable[str]) -> dict[str, list[File]]:
    """Return the files of everything that these projects need, themselves included.

    Ends the program where no index is named, it lacks a version, or no version is given.
    """
    if not INDEX:
        raise SystemExit("name the package index's simple pages in UV_DEFAULT_INDEX")
    left = {canonical(name) for name in dropped}
    found: dict[str, list[File]] = {}
    todo = {canonical(name) for name in roots}
    with ThreadPoolExecutor(8) as pool:
        while todo:
            new = dict(zip(todo, pool.map(partial(files, pins=pins), todo), strict=True))
            found |= new
            needed = pool.map(lambda own: set(requirements(own[0])), new.values())
            todo = set().union(*needed) - set(found) - left
    return found


def files(name: str, pins: Mapping[str, str]) -> list[File]:
    """Return a version's wheels for Python 2.7, or its source where there is none."""
    if name not in pins:
        raise SystemExit(f"{name} has no version: pin it, or drop it")
    listed = json.loads(_read(f"{INDEX}/{name}/", JSON))["files"]
    own = [file for file in listed if _version(name, file["filename"]) == Version(pins[name])]
    wheels = [file for file in own if FITTING.search(file["filename"])]
    found = wheels or [file for file in own if SOURCE.search(file["filename"])]
    if not found:
        raise SystemExit(f"the index has no {name} {pins[name]} for Python 2.7")
    return found


def requirements(file: File) -> Iterator[str]:
    """Yield the projects that a file's own metadata asks for on Python 2.7."""
    data = io.BytesIO(_read(file["url"]))
    lines = _wheel_lines(data) if file["filename"].endswith(".whl") else _source_lines(data)
    for requirement in map(Requirement, lines):
        if not requirement.marker or requirement.marker.evaluate(THERE):
            yield canonical(requirement.name)


def _version(name: str, filename: str) -> Version | None:
    """Return the version in a file's name; old sources are named in many ways."""
    stem = SOURCE.sub("", filename)[len(name) + 1 :]
    try:
        return Version(stem.split("-")[0] if filename.endswith(".whl") else stem)
    except InvalidVersion:
        return None


def _wheel_lines(data: io.BytesIO) -> Iterator[str]:
    with zipfile.ZipFile(data) as wheel:
        (name,) = (one for one in wheel.namelist() if one.endswith(".dist-info/METADATA"))
        head = wheel.read(name).decode(errors="replace").partition("\n\n")[0]
    for line in head.splitlines():
        key, _, value = line.partition(":")
        if key.lower() == "requires-dist":
            yield value.strip()


def _source_lines(data: io.BytesIO) -> Iterator[str]:
    section = ""
    for raw in _requires_txt(data).splitlines():
        line = raw.partition("#")[0].strip()
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not section.partition(":")[0]:
            marker = section.partition(":")[2]
            yield f"{line}; {marker}" if marker else line


def _requires_txt(data: io.BytesIO) -> str:
    ending = "egg-info/requires.txt"
    if zipfile.is_zipfile(data):
        with zipfile.ZipFile(data) as source:
            return next((source.read(one).decode() for one in source.namelist() if one.endswith(ending)), "")
    data.seek(0)
    with tarfile.open(fileobj=data) as source:
        for member in source.getmembers():
            if member.name.endswith(ending) and (file := source.extractfile(member)):
                return file.read().decode()
    return ""


def _read(url: str, accept: str = "*/*") -> bytes:
    with urlopen(Request(url, headers={"Accept": accept}), timeout=SECONDS) as answer:  # noqa: S310 - the index
        data: bytes = answer.read()
    return data
