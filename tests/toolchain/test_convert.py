"""What a conversion writes, judged by the target release's own oslo-config-validator.

The file sets every option of the source release that has a group of its own, under today's name and under
every older one: far more than any cloud does. Needs the toolchains (the package index, or a warm uv cache).
"""

import fnmatch
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from skipstone.catalog import load_catalog
from skipstone.catalog.release import Release
from skipstone.convert.conversion import convert
from skipstone.convert.options import ReleaseOptions, known_services, load_history
from skipstone.settings import load_settings
from skipstone.toolchain.building import build
from skipstone.toolchain.program import environment
from skipstone.toolchain.virtualenv import VirtualenvToolchain

pytestmark = [pytest.mark.real, pytest.mark.network, pytest.mark.timeout(3600)]

PATTERNS = yaml.safe_load(Path("tools/option_catalogs.yaml").read_text(encoding="utf-8"))
NAMESPACES = """
import importlib.metadata, json
points = importlib.metadata.entry_points(group="oslo.config.opts")
print(json.dumps(sorted({point.name for point in points})))
"""


def every_option(options: ReleaseOptions) -> Iterator[str]:
    names = sorted({*options.options, *options.replacements})
    for name in names:
        option = options.options.get(name)
        value = option.text_of_default() if option else None
        yield f"[{name.group}]\n{name.option} = {' '.join((value or 'x').split())}\n"


def namespaces(toolchain: VirtualenvToolchain, service: str) -> list[str]:
    program = toolchain.command(service, ("oslo-config-generator",))
    argv = (*program.argv[:-1], "-c", NAMESPACES)
    said = subprocess.run(argv, capture_output=True, check=True, env=environment(program.environment)).stdout
    patterns = [*PATTERNS[service], *PATTERNS["every"]]
    return [name for name in json.loads(said) if any(fnmatch.fnmatchcase(name, each) for each in patterns)]


def validate(toolchain: VirtualenvToolchain, service: str, path: Path) -> subprocess.CompletedProcess[str]:
    words = [word for name in namespaces(toolchain, service) for word in ("--namespace", name)]
    argv = ("oslo-config-validator", *words, "--input-file", str(path))
    program = toolchain.command(service, argv)
    return subprocess.run(
        program.argv, capture_output=True, text=True, check=False, env=environment(program.environment)
    )


@pytest.fixture(scope="module")
def target() -> Release:
    return load_catalog().release("2025.1")


@pytest.fixture(scope="module")
def toolchain(target: Release) -> VirtualenvToolchain:
    return build(target, load_settings())


@pytest.mark.parametrize("service", known_services())
def test_the_target_finds_no_fault_in_a_converted_file(
    service: str, target: Release, toolchain: VirtualenvToolchain, tmp_path: Path
) -> None:
    history = load_history(service)
    way = history.between(load_catalog().release("zed"), target)
    before, after = tmp_path / "before.conf", tmp_path / "after.conf"
    before.write_text("".join(every_option(way[0])), encoding="utf-8")
    assert validate(toolchain, service, before).returncode == 1
    (done,) = convert({"before.conf": before.read_text(encoding="utf-8")}, history, way)
    after.write_text(done.text, encoding="utf-8")
    judged = validate(toolchain, service, after)
    warnings = set(re.findall(r"^WARNING:root:Deprecated opt (\S+) found$", judged.stderr, re.MULTILINE))
    # castellan reads [key_manager] auth_url, and so does [barbican] auth_endpoint
    both = {f"{name.group}/{name.option}" for name in way[-1].options if name in way[-1].replacements}
    assert warnings <= both
    assert "is not part of the sample" not in judged.stderr
    assert judged.returncode == 0
