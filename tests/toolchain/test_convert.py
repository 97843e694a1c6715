"""What a conversion writes, judged by the target release's own code, as ``config validate`` does.

The file sets every option of the source release that has a group of its own, under today's name and under
every older one: far more than any cloud does. Needs the toolchains (the package index, or a warm uv cache).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from skipstone.catalog import load_catalog
from skipstone.catalog.release import Release
from skipstone.convert.conversion import convert
from skipstone.convert.option import Name
from skipstone.convert.options import ReleaseOptions, known_services, load_history
from skipstone.convert.remark import Matter
from skipstone.settings import load_settings
from skipstone.toolchain.building import build
from skipstone.toolchain.virtualenv import VirtualenvToolchain
from skipstone.validation.validation import validate

pytestmark = [pytest.mark.real, pytest.mark.network, pytest.mark.timeout(3600)]

DEPLOYED = sorted(Path("tests/unit/convert/deployed").glob("*.conf"))
STRANGE = {Matter.OPTION_UNKNOWN, Matter.OPTION_DEAD, Matter.SECTION_UNKNOWN, Matter.VALUE_REFUSED}


def every_option(options: ReleaseOptions) -> Iterator[str]:
    names = sorted({*options.options, *options.replacements})
    for name in names:
        option = options.options.get(name)
        value = option.text_of_default() if option else None
        yield f"[{name.group}]\n{name.option} = {' '.join((value or 'x').split())}\n"


def judged(
    toolchain: VirtualenvToolchain, service: str, text: str, directory: Path
) -> Mapping[Matter, set[Name]]:
    """Return what the target says of a file, by what it is about."""
    path = directory / "judged.conf"
    path.write_text(text, encoding="utf-8")
    known = load_history(service).at(str(toolchain.release))
    found: dict[Matter, set[Name]] = defaultdict(set)
    for each in validate({path.name: path}, toolchain, service, known)[path.name]:
        found[each.matter].add(Name(each.section, each.option))
    return found


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
    text = "".join(every_option(way[0]))
    before = judged(toolchain, service, text, tmp_path)
    assert before[Matter.OPTION_UNKNOWN]
    (done,) = convert({"before.conf": text}, history, way)
    after = judged(toolchain, service, done.text, tmp_path)
    # castellan reads [key_manager] auth_url, and so does [barbican] auth_endpoint
    both = {name for name in way[-1].options if name in way[-1].replacements}
    assert after[Matter.OPTION_DEPRECATED] <= both
    assert after[Matter.OPTION_UNKNOWN] == set()
    told = {Name(each.section, each.option) for each in done.remarks if each.matter is Matter.VALUE_REFUSED}
    refused = {Name(name.group, name.option) for name in after[Matter.VALUE_REFUSED]}
    assert {name for name in told if name in way[-1].options and not way[-1].options[name].many} <= refused
    assert after[Matter.REFERENCE_LOST] == set()


@pytest.mark.parametrize("path", DEPLOYED, ids=lambda path: path.stem)
def test_the_target_finds_no_fault_in_what_deployment_tools_write_but_what_was_told(
    path: Path, target: Release, toolchain: VirtualenvToolchain, tmp_path: Path
) -> None:
    service = path.stem.partition("-")[0]
    history = load_history(service)
    way = history.between(load_catalog().release("zed"), target)
    (done,) = convert({path.name: path.read_text(encoding="utf-8")}, history, way)
    said = judged(toolchain, service, done.text, tmp_path)
    told = {Name(each.section, each.option) for each in done.remarks if each.matter in STRANGE}
    assert said[Matter.OPTION_UNKNOWN] <= told
    assert said[Matter.VALUE_REFUSED] <= told
    assert said[Matter.REFERENCE_LOST] == set()
    announced = {
        Name(each.section, each.option) for each in done.remarks if each.matter is Matter.OPTION_DEPRECATED
    }
    assert said[Matter.OPTION_DEPRECATED] <= announced


def test_the_target_reads_values_and_references_and_sections_of_the_operators(
    toolchain: VirtualenvToolchain, tmp_path: Path
) -> None:
    text = (
        "[DEFAULT]\nenabled_backends = fast\nosapi_volume_workers = many\nlog_dir = $no_such/x\n"
        "log_file = ${my_ip}.log\nmy_ip = 192.0.2.1\n"
        "[fast]\nvolume_driver = x\nreserved_percentage = all\n[keystone_authtoken]\nauth_type = password\n"
        "username = cinder\nno_such = 1\n"
    )
    said = judged(toolchain, "cinder", text, tmp_path)
    assert {matter: found for matter, found in said.items() if found} == {
        Matter.VALUE_REFUSED: {Name("DEFAULT", "osapi_volume_workers"), Name("fast", "reserved_percentage")},
        Matter.REFERENCE_LOST: {Name("DEFAULT", "log_dir")},
    }
