"""What a plan says of other files than options, made without secrets, is what the engine makes of them."""

import json
from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from skipstone.catalog import Release, load_catalog
from skipstone.checks.finding import Finding
from skipstone.convert.forms import Form, form_of
from skipstone.convert.inifile import render
from skipstone.convert.paste import convert_paste
from skipstone.convert.policy.conversion import convert
from skipstone.convert.policy.document import read_document
from skipstone.convert.policy.enforcement import enforcements
from skipstone.convert.programs import Hop, convert_starter, load_programs
from skipstone.plan.configuration import Carrying, configuration
from skipstone.steps.conversion import ConvertedFile
from tests.unit.convert.test_policy_properties import Way, policies, ways
from tests.unit.convert.test_programs import PASTE, UNIT, UWSGI
from tests.unit.plan.test_configuration import host
from tests.unit.plan.test_conversion import on_the_host

SECRET = "hunter2hunter2"
UNIT_PATH = "/etc/systemd/system/nova-api.service"
STARTERS = {"/etc/nova/nova-api-uwsgi.ini": UWSGI, UNIT_PATH: UNIT, "/etc/cinder/api-paste.ini": PASTE}
CATALOG = load_catalog()
SERVICES = sorted({script.service for script in load_programs().scripts.values()} | {"cinder"})
RELEASES = [release for release in CATALOG.releases if release > CATALOG.release("rocky")]


def carried(
    files: Mapping[str, str], source: Release, target: Release, *names: str
) -> tuple[dict[str, ConvertedFile], tuple[Finding, ...]]:
    services = [CATALOG.service(name) for name in names]
    done = configuration([host("h1", dict(files), *names)], services, source, target, Carrying())
    return {file.path: file for file in done.files.get("h1", ())}, done.findings


def engine(path: str, text: str, hop: Hop) -> str:
    form = form_of(text)
    if form is Form.PASTE:
        return convert_paste(path, text, hop).text
    return convert_starter(path, text, form, hop).text


@st.composite
def starters(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a file that starts services, with another program, and with what people put between its lines."""
    path, text = draw(st.sampled_from(sorted(STARTERS.items())))
    known = sorted(load_programs().scripts)
    lines = text.replace("nova-api-wsgi", draw(st.sampled_from(known))).splitlines(keepends=True)
    between = ("", "", "# password = old-hunter\n", ";\n", "\n\n", f"env = OS_PASSWORD={SECRET}\n")
    if path.endswith("uwsgi.ini"):
        key, program = draw(st.sampled_from(["module", "mount", "attach-daemon"])), st.sampled_from(known)
        lines.append(f"{key} = /bin/{draw(program)}\n")
    drawn = "".join(
        line if lines[index - 1].endswith("\\\n") else draw(st.sampled_from(between)) + line
        for index, line in enumerate(lines)
    )
    ending = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    return path, (drawn if draw(st.booleans()) else drawn.rstrip("\n")).replace("\n", ending)


@settings(max_examples=60, deadline=None)
@given(starters(), st.sampled_from(RELEASES), st.sampled_from(RELEASES))
def test_what_starts_services_is_converted_as_the_engine_does(
    starter: tuple[str, str], one: Release, other: Release
) -> None:
    source, target = sorted((one, other))
    path, text = starter
    files, findings = carried({path: text}, source, target, *SERVICES)
    wanted = engine(path, text, Hop(source, target))
    assert path not in {finding.title.split()[0] for finding in findings if finding.id == "not-converted"}
    assert (on_the_host(text, files[path]) if path in files else text) == wanted
    said = f"{files} {findings} {[line for file in files.values() for line in file.difference()]}"
    assert SECRET not in said
    assert "old-hunter" not in said


@st.composite
def documents(draw: st.DrawFn, way: Way) -> tuple[str, str]:
    """Draw a policy as YAML or as JSON, with comments and blank lines between its rules."""
    text = draw(policies(way))
    between = st.sampled_from(["", "", "# was: old-hunter\n", "\n", "  # x\n\n"])
    lines = text.splitlines(keepends=True)
    if draw(st.booleans()):
        end = draw(between) if text.endswith("\n") else ""
        return "policy.yaml", "".join(draw(between) + line for line in lines) + end
    rules = [entry for line in lines if line.startswith('"') for entry in json.loads(f"{{{line}}}").items()]
    body = ",\n".join(f"{draw(between)}    {json.dumps(name)}: {json.dumps(value)}" for name, value in rules)
    text = f"{{\n{body}\n}}" + draw(st.sampled_from(["", "\n"]))
    return draw(st.sampled_from(["policy.yaml", "policy.d/a.json"])), text


@settings(max_examples=30, deadline=None)
@given(ways(), st.data(), st.sampled_from(["\n", "\n", "\r\n"]))
def test_a_policy_is_converted_as_the_engine_does(way: Way, data: st.DataObject, ending: str) -> None:
    history, releases = way
    name, text = data.draw(documents(way))
    text = text.replace("\n", ending)
    path = f"/etc/{history.service}/{name}"
    conf = CATALOG.service(history.service).config_files[0]
    source, target = (CATALOG.release(releases[end].release) for end in (0, -1))
    both = {path: text, conf: "[oslo_policy]\npolicy_file = policy.yaml\n"}
    files, _ = carried(both, source, target, history.service)
    enforced = enforcements(history.service, [each.release for each in releases], {})
    (done,) = convert({path: text}, history, releases, enforced).files
    if path in files:
        assert on_the_host(text, files[path]) == done.text
        assert "old-hunter" not in f"{files}{[*files[path].difference()]}"
    else:
        assert done.text == render(read_document(path, text).layout)
