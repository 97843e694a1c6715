"""``programs.yaml`` against the releases' own executables and modules; ``--releases all`` asks every one.

Needs the toolchains (the package index, or a warm uv cache).
"""

import json
import subprocess

import pytest

from skipstone.catalog import load_catalog
from skipstone.catalog.release import Release
from skipstone.convert.programs import load_programs
from skipstone.settings import load_settings
from skipstone.toolchain.building import build
from skipstone.toolchain.program import environment
from skipstone.toolchain.virtualenv import VirtualenvToolchain

pytestmark = [pytest.mark.real, pytest.mark.network, pytest.mark.timeout(3600)]

FIND = """
import ast, importlib.util, json, os, sys, sysconfig
def names(dotted):
    parts = dotted.split(".")
    for root in sys.path:
        for path in (os.path.join(root, *parts) + ".py", os.path.join(root, *parts, "__init__.py")):
            if os.path.exists(path):
                for node in ast.walk(ast.parse(open(path).read())):
                    if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                        yield node.name
                    elif isinstance(node, ast.Assign):
                        yield from (each.id for each in node.targets if isinstance(each, ast.Name))
                return
wanted = json.loads(sys.argv[1])
print(json.dumps([
    sorted(os.listdir(sysconfig.get_path("scripts"))),
    [each for each in wanted if each.split(":")[1].split(".")[0] in set(names(each.split(":")[0]))],
]))
"""


def found(toolchain: VirtualenvToolchain, wanted: list[str]) -> tuple[set[str], set[str]]:
    """Return the executables of a release, and which of the wanted things its modules have."""
    program = toolchain.python("keystone", ("-c", FIND, json.dumps(wanted)))
    said = subprocess.run(
        program.argv, capture_output=True, check=True, env=environment(program.environment)
    ).stdout
    scripts, things = json.loads(said)
    return set(scripts), set(things)


def test_programs_come_and_go_as_it_is_said(release: Release) -> None:
    catalog, known = load_catalog(), load_programs()
    modules = {f"{each.module}:application": each.offered for each in known.scripts.values() if each.module}
    scripts, things = found(build(release, load_settings()), [*modules, *known.factories])
    for name, script in known.scripts.items():
        assert (name in scripts) == (script.stub or release < catalog.release(script.since)), name
    for name, offered in modules.items():
        assert (name in things) == (release >= catalog.release(offered)), name
    for name, factory in known.factories.items():
        assert (name in things) == (release < catalog.release(factory.since)), name
