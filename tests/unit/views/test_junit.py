"""The report as JUnit's XML: what Jenkins and GitLab take, and what it says."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from skipstone.run.state import StepState
from skipstone.views.junit import junit, write_junit
from skipstone.views.report import BudgetReport, Report, build_report
from tests.unit.views.sample_run import build_run
from tests.unit.views.test_verbs import call

# what the Jenkins xUnit plugin's schema (junit-10) allows and requires: attributes, children
SCHEMA: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors"},
        {"time", "skipped", "timestamp", "hostname", "id", "package"},
        {"testcase", "properties", "system-out", "system-err"},
    ),
    "testcase": (
        {"name"},
        {"time", "classname"},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "failure": (set(), {"type", "message"}, set()),
    "error": (set(), {"type", "message"}, set()),
    "skipped": (set(), {"type", "message"}, set()),
    "system-out": (set(), set(), set()),
}


def valid(text: str) -> ET.Element:
    """Return the root of XML that keeps to the schema, and whose counts are right."""
    root = ET.fromstring(text)  # noqa: S314 - our own
    for element in root.iter():
        needed, allowed, children = SCHEMA[element.tag]
        assert needed <= set(element.keys()) <= needed | allowed, element.tag
        assert {child.tag for child in element} <= children, element.tag
        for time in filter(None, [element.get("time")]):
            assert re.fullmatch(r"\d+\.\d+", time)
    for element in [root, *root.iter("testsuite")]:
        cases = list(element.iter("testcase"))
        assert element.get("tests") == str(len(cases))
        for name in ("failure", "error"):
            assert element.get(f"{name}s") == str(sum(case.find(name) is not None for case in cases))
    return root


def case(root: ET.Element, name: str) -> ET.Element:
    return next(one for one in root.iter("testcase") if one.get("name", "").startswith(name))


def test_a_run_that_is_done_passes(tmp_path: Path) -> None:
    root = valid(junit(build_report(build_run(tmp_path))))
    assert root.get("failures") == root.get("errors") == "0"
    assert [suite.get("name") for suite in root][:3] == ["stage backup", "stage prepare", "stage stop"]
    assert case(root, "upgrade-packages").get("time") == "133.000"
    gate = case(root, "outage: take the APIs down")
    assert "approved by ann: window open" in (gate.findtext("system-out") or "")
    assert case(root, "nothing is lost") is not None


def test_what_failed_and_what_did_not_begin(tmp_path: Path) -> None:
    root = valid(junit(build_report(build_run(tmp_path, failed=True))))
    failure = case(root, "sync-databases").find("failure")
    assert failure is not None
    assert failure.get("message") == "the script exited with 1"
    assert failure.text == "errno 150"
    skipped = case(root, "start-services").find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "not begun"
    assert root.get("failures") == "1"


def budget(**facts: object) -> BudgetReport:
    usual: dict[str, object] = {
        "name": "api-writes",
        "limit": 120,
        "spent": 130.0,
        "figures": "nova 130.0 s of 120.0 s",
        "broken": True,
        "accepted": False,
        "who": "ann",
        "why": "window",
    }
    return BudgetReport.model_validate(usual | facts)


@pytest.mark.parametrize(
    ("facts", "tag"),
    [
        ({}, "failure"),
        ({"accepted": True}, "skipped"),
        ({"broken": False, "spent": 1.0}, "system-out"),
        ({"broken": False, "spent": None, "figures": None}, "skipped"),
    ],
)
def test_budgets(tmp_path: Path, facts: dict[str, object], tag: str) -> None:
    report = build_report(build_run(tmp_path)).model_copy(update={"budgets": (budget(**facts),)})
    (child,) = case(valid(junit(report)), "api-writes")
    assert child.tag == tag


def test_what_xml_cannot_say_is_left_out(tmp_path: Path) -> None:
    report = build_report(build_run(tmp_path, failed=True))
    text = junit(_evil(report, "\x1b[31m<b>&\x00 \ud800 ]]> é"))
    failure = case(valid(text), "sync-databases").find("failure")
    assert failure is not None
    assert failure.text == "\ufffd[31m<b>&\ufffd \ufffd ]]> é"
    write_junit(report, tmp_path / "junit.xml")
    assert ET.parse(tmp_path / "junit.xml").getroot().tag == "testsuites"  # noqa: S314 - our own


def _evil(report: Report, text: str) -> Report:
    stages = tuple(
        stage.model_copy(
            update={
                "steps": tuple(
                    step.model_copy(update={"evidence": text}) if step.state is StepState.FAILED else step
                    for step in stage.steps
                )
            }
        )
        for stage in report.run.stages
    )
    return report.model_copy(update={"run": report.run.model_copy(update={"stages": stages})})


def test_the_verb_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKIPSTONE_STATE_DIR", str(tmp_path / "state"))
    build_run(tmp_path / "state" / "runs")
    said = call("report", "--junit", tmp_path / "junit.xml").output
    assert str(tmp_path / "junit.xml") in said
    valid((tmp_path / "junit.xml").read_text())
