"""Reads the catalog's YAML files: the one place where they are validated.

Reading is fast because files are composed with line marks only when one of them is wrong.
"""

from collections.abc import Hashable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from skipstone.catalog.catalog import Catalog
from skipstone.catalog.entry import Entry
from skipstone.catalog.release import BEFORE_CATALOG, Release
from skipstone.catalog.service import Service
from skipstone.errors import CatalogError

E = TypeVar("E", bound=Entry)
Location = Sequence[int | str]


class _Loader(yaml.CSafeLoader):
    """A safe loader that refuses a key given twice, which YAML would silently let win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Build a mapping; raise where a key comes twice."""
        seen: set[Any] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _line(node: yaml.Node, location: Location) -> int:
    """Return the line (from 1) where the field at a location begins, or the deepest one on the way to it."""
    line = node.start_mark.line
    for step in location:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line
        elif isinstance(node, yaml.MappingNode):
            inside = [(key, value) for key, value in node.value if key.value == str(step)]
            if not inside:
                break
            line, node = inside[0][0].start_mark.line, inside[0][1]
    return int(line) + 1


class _File:
    """One YAML file, and the errors that name a place in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = f"{path.parent.name}/{path.name}"

    def read(self, model: type[E], context: dict[str, Any]) -> E:
        """Read and validate the file; raise CatalogError."""
        try:
            content = yaml.load(self.path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a safe loader
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            line = mark.line + 1 if mark else 1
            what = f"{error.problem}"
            raise CatalogError(what, where=f"{self.name}:{line}", remedy="correct the YAML") from error
        try:
            return model.model_validate(content, context=context)
        except ValidationError as error:
            raise self._refused(error) from error

    def error(self, location: Location, what: str) -> CatalogError:
        """Return an error about the field at a location."""
        return CatalogError(what, where=self._where(location))

    def _refused(self, error: ValidationError) -> CatalogError:
        problems = error.errors(include_url=False)
        lines = [f"{self._where(problem['loc'])}: {problem['msg']}" for problem in problems]
        return CatalogError(
            problems[0]["msg"],
            where=self._where(problems[0]["loc"]),
            evidence="\n".join(lines[1:]),
            remedy="docs/reference/catalog.md describes every field",
        )

    def _where(self, location: Location) -> str:
        root = yaml.compose(self.path.read_text(encoding="utf-8"), yaml.CSafeLoader)
        line = _line(root, location) if root else 1
        field = ".".join(str(step) for step in location)
        return f"{self.name}:{line}: {field}"


def _files(directory: Path) -> Iterator[_File]:
    for path in sorted(directory.glob("*.yaml")):
        yield _File(path)


def _check_release(file: _File, release: Release, older: dict[str, Release], names: set[str]) -> None:
    """Refuse a release whose name, services or floors do not fit the rest."""
    if file.path.stem != f"{release.version}-{release.codename}":
        raise file.error(("version",), f"the file of {release.codename} is called {file.path.name}")
    for name, entry in release.services.items():
        if name not in names:
            raise file.error(("services", name), f"no file services/{name}.yaml describes {name}")
        floor = entry.schema_.floor
        if floor not in BEFORE_CATALOG and floor not in older and floor != release.codename:
            message = f"the floor {floor!r} is no release up to {release.codename}"
            raise file.error(("services", name, "schema", "floor"), message)


def _check_service(file: _File, service: Service, releases: Sequence[Release]) -> None:
    """Refuse a service whose databases the releases do not know, or whose blockers leave a hole."""
    if file.path.stem != service.name:
        raise file.error(("name",), f"the file of {service.name} is called {file.path.name}")
    newest = releases[-1].services.get(service.name)
    for index, database in enumerate(service.databases):
        if newest and database.schema_ not in newest.schema_.heads:
            message = f"{releases[-1].codename} has no heads for {database.schema_}"
            raise file.error(("databases", index, "schema"), message)
    known = {database.name for database in service.databases}
    for index, blocker in enumerate(service.blockers):
        if blocker.database not in known:
            raise file.error(("blockers", index, "database"), f"no database is called {blocker.database}")


def read_catalog(directory: Path) -> Catalog:
    """Read ``releases/`` and ``services/`` below a directory; raise CatalogError naming file, line, field."""
    names = {file.path.stem for file in _files(directory / "services")}
    releases: dict[str, Release] = {}
    for file in _files(directory / "releases"):
        release = file.read(Release, {})
        _check_release(file, release, releases, names)
        releases[release.codename] = release
    if not releases:
        raise CatalogError("no release", where=str(directory / "releases"))
    ordered = tuple(sorted(releases.values()))
    services = []
    for file in _files(directory / "services"):
        service = file.read(Service, {"releases": releases})
        _check_service(file, service, ordered)
        services.append(service)
    return Catalog.model_construct(
        releases=ordered, services=tuple(sorted(services, key=lambda service: service.order))
    )


@cache
def load_catalog() -> Catalog:
    """Return Skipstone's own catalog, read once per process."""
    return read_catalog(Path(str(files("skipstone.catalog"))))
