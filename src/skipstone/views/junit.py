"""The report as JUnit's XML, as Jenkins and GitLab read it.

A suite per stage, and one for gates, for budgets, for the verification. What has no meaning there (a
difference that is expected) is a pass with its text as output. Only what an operator must look at fails.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from xml.etree import ElementTree as ET

from skipstone.impact.verification import Difference, Weight
from skipstone.run.state import GateState, StepState
from skipstone.views.report import BudgetReport, DecisionReport, Report, StepReport, write_text
from skipstone.views.verification import describe

_ILLEGAL = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot say, not even escaped: what terminals are told in colours, for one."""


class Result(StrEnum):
    """What became of a case; the element that says so."""

    PASSED = ""
    FAILED = "failure"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Case:
    """One test case; ``message`` is one line, ``text`` the evidence."""

    name: str
    result: Result = Result.PASSED
    message: str = ""
    text: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Suite:
    """One test suite."""

    name: str
    cases: tuple[Case, ...]
    began: datetime | None = None


def write_junit(report: Report, path: Path) -> None:
    """Write the file; raise InputError where that is not possible."""
    write_text(path, junit(report))


def junit(report: Report) -> str:
    """Return the report as XML; suites without cases are left out."""
    suites = [suite for suite in _suites(report) if suite.cases]
    root = ET.Element("testsuites", {"name": _clean(f"skipstone {report.run.id}"), **_totals(suites)})
    for suite in suites:
        root.append(_element(report, suite))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False).join(
        ('<?xml version="1.0" encoding="UTF-8"?>\n', "\n")
    )


def _suites(report: Report) -> Iterator[Suite]:
    for stage in report.run.stages:
        yield Suite(f"stage {stage.name}", tuple(_step(step) for step in stage.steps), stage.began)
    gates = [one for one in report.decisions if one.opened]
    yield Suite("gates", tuple(map(_gate, gates)), gates[0].opened if gates else None)
    yield Suite("budgets", tuple(map(_budget, report.budgets)), report.run.began)
    yield Suite("verification", tuple(_verification(report)), report.run.ended)


def _step(step: StepReport) -> Case:
    name = f"{step.id}: {step.title}" if step.title != step.id else step.id
    result, message = _became(step)
    return Case(name, result, message, step.evidence or step.error, step.seconds)


def _became(step: StepReport) -> tuple[Result, str]:
    match step.state:
        case StepState.DONE:
            return Result.PASSED, ""
        case StepState.FAILED:
            return Result.FAILED, step.error
        case StepState.PENDING:
            return Result.SKIPPED, "not begun"
        case StepState.SKIPPED:
            failed = f"; it had failed: {step.error}" if step.error else ""
            return Result.SKIPPED, f"left out by a person{failed}"
        case StepState.UNKNOWN:
            return Result.ERROR, step.error or "its host does not answer"
        case _:
            return Result.SKIPPED, "not over"


def _gate(gate: DecisionReport) -> Case:
    said = f"{gate.state} by {gate.who}: {gate.why}" if gate.who else gate.state
    result = {GateState.APPROVED: Result.PASSED, GateState.OPEN: Result.SKIPPED}.get(
        GateState(gate.state), Result.FAILED
    )
    seconds = (gate.decided - gate.opened).total_seconds() if gate.decided and gate.opened else 0.0
    text = "\n".join([said, *gate.basis])
    return Case(f"{gate.about}: {gate.title}", result, said, text, seconds)


def _budget(budget: BudgetReport) -> Case:
    if budget.figures is None:
        return Case(budget.name, Result.SKIPPED, "not measured")
    if budget.accepted:
        said = f"{budget.figures}; accepted by {budget.who}: {budget.why}"
        return Case(budget.name, Result.SKIPPED, said, said)
    result = Result.FAILED if budget.broken else Result.PASSED
    return Case(budget.name, result, budget.figures, budget.figures)


def _verification(report: Report) -> Iterator[Case]:
    if report.verification is None:
        return
    yield from map(_difference, report.verification.differences)
    for trial in report.verification.trials:
        result = Result.PASSED if trial.ok else Result.FAILED
        yield Case(f"trial: {trial.name}", result, trial.detail, trial.detail, trial.seconds)
    if not report.verification.losses:
        yield Case("nothing is lost")


def _difference(one: Difference) -> Case:
    name = " ".join(filter(None, (one.subject, one.name or one.id, one.fact)))
    said = f"{one.weight}: {describe(one)}"
    return Case(name, Result.FAILED if one.weight is Weight.LOSS else Result.PASSED, said, said)


def _element(report: Report, suite: Suite) -> ET.Element:
    facts = {"name": _clean(suite.name), **_totals([suite])}
    facts["skipped"] = str(_count([suite], Result.SKIPPED))
    if suite.began:
        facts["timestamp"] = f"{suite.began:%Y-%m-%dT%H:%M:%S}"
    element = ET.Element("testsuite", facts)
    for case in suite.cases:
        element.append(_case(f"{report.run.cloud}.{suite.name.replace('.', '-')}", case))
    return element


def _case(group: str, case: Case) -> ET.Element:
    element = ET.Element(
        "testcase",
        {"name": _clean(case.name), "classname": _clean(group), "time": f"{case.seconds:.3f}"},
    )
    if case.result is Result.PASSED:
        if case.text:
            ET.SubElement(element, "system-out").text = _clean(case.text)
        return element
    facts = {"message": _clean(case.message)}
    if case.result is not Result.SKIPPED:
        facts["type"] = case.result
    ET.SubElement(element, case.result, facts).text = _clean(case.text) or None
    return element


def _totals(suites: Iterable[Suite]) -> dict[str, str]:
    suites = list(suites)
    return {
        "tests": str(sum(len(suite.cases) for suite in suites)),
        "failures": str(_count(suites, Result.FAILED)),
        "errors": str(_count(suites, Result.ERROR)),
        "time": f"{sum(case.seconds for suite in suites for case in suite.cases):.3f}",
    }


def _count(suites: Iterable[Suite], result: Result) -> int:
    return sum(case.result is result for suite in suites for case in suite.cases)


def _clean(text: str) -> str:
    return _ILLEGAL.sub("�", text)
