"""Resolves and pins what releases' virtualenvs are made of: ``tools/lock_toolchains.py [RELEASE...]``.

The services' newest point releases come from the catalog, the rest from the package index as it was near the
release: ``tools/toolchains.yaml`` says how near. With ``--constraints FILE`` (an upper-constraints.txt of
openstack/requirements) its versions are taken instead. The result names no index.
"""

import argparse
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from pinned import pinned, walk
from uv import find_uv_bin

from skipstone.catalog import load_catalog
from skipstone.catalog.release import Release
from skipstone.toolchain.lock import BUILDERS, LOCKS, canonical, project

RECIPES = Path(__file__).with_name("toolchains.yaml")
# PyMySQL: the services leave the choice of a driver to the operator. pkg_resources is gone from setuptools 82
ALWAYS = ("pymysql", "pip", "pbr", "wheel", "setuptools<81")
# of machine code: where there is no compiler they can only come as wheels
ONE_WHEEL = ("bcrypt", "cryptography", "pynacl")  # good for every later Python
COMPILED = (
    "cffi", "greenlet", "lxml", "markupsafe", "msgpack", "netifaces", "numpy", "psutil", "pyyaml", "rpds-py",
    "scrypt", "setproctitle", "simplejson", "yappi", "zstd",
)  # fmt: skip
PLATFORM = "x86_64-manylinux_2_31"


def requirements(release: Release, recipe: dict[str, Any]) -> Iterator[str]:
    """Yield what a release's virtualenv is asked to have."""
    for name, entry in release.services.items():
        if name not in recipe.get("without", ()):
            yield f"{project(name)}=={entry.latest}"
    yield from ALWAYS
    yield from recipe.get("replaced", {}).values()
    yield from recipe.get("bounds", ())


def resolve(release: Release, recipe: dict[str, Any], constraints: Path | None) -> Any:  # noqa: ANN401
    """Return the packages of a ``pylock.toml``; end the program where there is no solution."""
    with tempfile.TemporaryDirectory() as work:
        asked, overrides, made = (Path(work) / name for name in ("asked.in", "overrides.txt", "pylock.toml"))
        asked.write_text("\n".join(requirements(release, recipe)) + "\n", encoding="utf-8")
        dropped = (f"{name}; sys_platform == 'never'\n" for name in recipe.get("replaced", ()))
        overrides.write_text("".join(dropped), encoding="utf-8")
        argv = [
            find_uv_bin(),
            "pip",
            "compile",
            "-q",
            "--format",
            "pylock.toml",
            "--python-version",
            recipe["python"],
        ]
        argv += ["--python-platform", PLATFORM, "-o", str(made), str(asked), "--overrides", str(overrides)]
        argv += [word for name in (*ONE_WHEEL, *COMPILED) for word in ("--only-binary", name)]
        argv += ["--constraints", str(constraints)] if constraints else _dated(release, recipe)
        if subprocess.run(argv, check=False).returncode != 0:
            raise SystemExit(f"{release} cannot be locked: correct {RECIPES.name}")
        return tomllib.loads(made.read_text(encoding="utf-8"))["packages"]


def _dated(release: Release, recipe: dict[str, Any]) -> Iterator[str]:
    """Yield the days after which nothing is taken; packages of machine code have a year to get wheels.

    The services' point releases have no such day.
    """
    wheels_by = recipe["newest"] + timedelta(days=365)
    days = dict.fromkeys(COMPILED, wheels_by) | recipe.get("later", {})
    days |= {project(name): "false" for name in release.services}
    yield from ("--exclude-newer", str(recipe["newest"]))
    for name, day in days.items():
        yield from ("--exclude-newer-package", f"{name}={day}")


def walked(release: Release, recipe: dict[str, Any], constraints: Path | None) -> dict[str, dict[str, Any]]:
    """Return the packages for Python 2.7, in the form of a ``pylock.toml``."""
    if not constraints:
        raise SystemExit(f"{release} needs --constraints: upper-constraints.txt of openstack/requirements")
    own = dict(line.split("==") for line in requirements(release, recipe) if "==" in line)
    pins = pinned(constraints) | recipe.get("pins", {}) | own
    replaced = recipe.get("replaced", {})
    roots = [*own, "pymysql", *BUILDERS, *replaced.values()]
    found = walk(roots, pins, [*recipe.get("dropped", ()), *replaced])
    return {name: _package(pins[name], files) for name, files in found.items()}


def _package(version: str, files: list[dict[str, Any]]) -> dict[str, Any]:
    wheels = [file for file in files if file["filename"].endswith(".whl")]
    return {"version": version, "wheels": wheels} if wheels else {"version": version, "sdist": files[0]}


def hashes(package: dict[str, Any]) -> set[str]:
    """Return the hashes of a package's files: its wheels, or the source where there is none to use."""
    files = package.get("wheels") or [package["sdist"]]
    return {file["hashes"]["sha256"] for file in files}


def lock(release: Release, recipe: dict[str, Any], constraints: Path | None) -> str:
    """Return the text of a lock file."""
    if recipe["python"] == "2.7":
        packages = walked(release, recipe, constraints)
    else:
        packages = {canonical(package["name"]): package for package in resolve(release, recipe, constraints)}
    head = {"release": release.version, "python": recipe["python"], "newest": recipe.get("newest", "")}
    head["sources"] = " ".join(sorted(name for name, found in packages.items() if not found.get("wheels")))
    if constraints:
        head["newest"] = "upper-constraints"
    lines = [f"# {key}: {value}" for key, value in head.items()]
    for name, package in sorted(packages.items()):
        marks = [f"    --hash=sha256:{digest}" for digest in sorted(hashes(package))]
        lines.append(" \\\n".join([f"{name}=={package['version']}", *marks]))
    return "\n".join(lines) + "\n"


def main() -> None:
    """Lock the releases of the command line, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("releases", nargs="*", metavar="RELEASE")
    parser.add_argument("--constraints", type=Path, metavar="FILE", help="an upper-constraints.txt")
    options = parser.parse_args()
    catalog = load_catalog()
    recipes = yaml.safe_load(RECIPES.read_text(encoding="utf-8"))
    for release in [catalog.release(name) for name in options.releases or recipes]:
        recipe = recipes[release.codename]
        path = LOCKS / f"{release.version}-{release.codename}-python{recipe['python']}.txt"
        path.write_text(lock(release, recipe, options.constraints), encoding="utf-8")
        print(path.name)


if __name__ == "__main__":
    main()
