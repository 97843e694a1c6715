"""A rehearsal's times and findings in a plan; and rehearsals that say nothing about it."""

from pathlib import Path

import pytest

from skipstone.catalog import load_catalog
from skipstone.checks.examination import examine
from skipstone.checks.finding import Severity
from skipstone.cloud.cloudfile import load_cloud
from skipstone.errors import Inhibited, InputError, PlanRefused
from skipstone.plan.plan import Plan
from skipstone.plan.planfile import load_plan, save_plan, to_data
from skipstone.plan.planner import make_plan
from skipstone.rehearsal.report import ApiReport, Asked, Origin, RehearsalReport, load_rehearsal
from skipstone.run.gatekeeper import basis_of
from skipstone.run.runview import RunView, StageView, StepView
from skipstone.steps.step import Step
from tests.unit.rehearsal.sample_report import BEGAN, report_of

CATALOG = load_catalog()
CLOUD = load_cloud(Path(__file__).parents[2] / "plans" / "zed-small" / "cloud.yaml")
TARGET = CATALOG.release("2025.1")
FINDINGS = examine(CLOUD, CATALOG, TARGET)


def plan(rehearsal: RehearsalReport | None = None) -> Plan:
    return make_plan(CLOUD, CATALOG, TARGET, findings=FINDINGS, rehearsal=rehearsal)


def step(made: Plan, name: str) -> Step:
    return next(step for step in made.steps() if step.id == name)


def changed(report: RehearsalReport, **what: object) -> RehearsalReport:
    return report.model_copy(update=what)


def test_measured_seconds_are_the_estimates() -> None:
    guessed, measured = plan(), plan(report_of(CLOUD))
    assert step(measured, "databases.nova.sync").estimate == 7
    assert step(measured, "databases.nova.online").estimate == 101
    dumps = len(CLOUD.databases)
    assert step(measured, "backup.databases").estimate == 7 * dumps, "without what the limit has cost"
    assert step(measured, "stop.dump").estimate == -(-7 * dumps // 2), "two at a time"
    assert step(measured, "finish.nova.online") == step(guessed, "finish.nova.online")
    same = {"backup.broker", "packages.ctl1", "databases.server", "services.nova.ctl1"}
    assert all(step(measured, name) == step(guessed, name) for name in same)


def test_a_step_gets_more_time_than_it_took_in_the_rehearsal() -> None:
    report = report_of(CLOUD)
    slow = report.model_dump()
    for service in slow["services"]:
        for command in service["stops"][0]["commands"]:
            command["seconds"] = 40_000
    measured = plan(RehearsalReport.model_validate(slow))
    assert step(measured, "databases.nova.sync").deadline == 160_000


def test_given_dumps_say_nothing_of_how_long_dumping_takes() -> None:
    guessed, measured = plan(), plan(report_of(CLOUD, live=False))
    for name in ("backup.databases", "stop.dump"):
        assert step(measured, name) == step(guessed, name)
    assert step(measured, "databases.heat.sync").estimate == 7


def test_the_same_rehearsal_gives_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "rehearsal.json").write_text(report_of(CLOUD).model_dump_json(indent=2))
    first, second = (plan(load_rehearsal(tmp_path / "rehearsal.json")) for _ in range(2))
    assert to_data(first) == to_data(second) != to_data(plan())
    save_plan(first, tmp_path / "plan.yaml")
    assert load_plan(tmp_path / "plan.yaml") == first


def test_a_gate_names_the_rehearsal_or_that_there_was_none() -> None:
    for rehearsal, said in (
        (report_of(CLOUD), "rehearsed on 2026-11-20 09:30 UTC with copies of the running cloud"),
        (None, "not rehearsed"),
    ):
        basis = at_outage(plan(rehearsal))
        (line,) = (line for line in basis if "rehearsed" in line)
        assert said in line
        assert rehearsal is None or "every database arrived, in 112 s" in line


def at_outage(made: Plan) -> list[str]:
    """Return what the outage's gate is based on, with the first stage done."""
    done = StepView("backup.broker", "", "ctl1", 4, 9, "none", began=BEGAN, ended=BEGAN)
    view = RunView(stages=(StageView("backup", "", 4, (done,)),))
    gate = next(gate for gate in made.gates if gate.id == "outage")
    return basis_of(made, view, gate)


def test_a_service_that_did_not_arrive_forbids_the_plan() -> None:
    with pytest.raises(Inhibited) as caught:
        plan(report_of(CLOUD, guarded="cinder", failed="nova"))
    assert "2 findings" in caught.value.what
    assert "cinder did not arrive in the rehearsal: it does not hold that a volume" in caught.value.evidence
    assert "cinder-manage db online_data_migrations" in caught.value.remedy


def test_what_was_mended_on_the_copies_is_a_warning_with_its_sql() -> None:
    made = plan(report_of(CLOUD, mended="cinder"))
    (found,) = (one for one in made.findings if one.id == "rehearsal-mended-copies")
    assert found.severity is Severity.WARNING
    assert (found.evidence, found.remedy) == (
        "2 rows (cinder-null-use-quota)",
        "UPDATE volumes SET use_quota = 1",
    )
    assert any("had to mend cinder's copies before 2025.1" in line for line in at_outage(made))


def test_an_api_that_answers_otherwise_is_a_warning_and_no_database_that_did_not_arrive() -> None:
    silent = ApiReport(
        service="nova", asked=Asked.SILENT, seconds=0, resources=(), trouble="Traceback\nno such option"
    )
    made = plan(changed(report_of(CLOUD), apis=(silent,)))
    found = {one.id: one for one in made.findings}
    assert found["rehearsal-other-answers"].severity is Severity.WARNING
    assert found["rehearsal-other-answers"].evidence == "no such option"
    assert ": every database arrived, but the new APIs" in found["databases-rehearsed"].title
    assert sum("new API" in line for line in at_outage(made)) == 2


def test_rows_that_have_become_many_more_are_said() -> None:
    report = report_of(CLOUD)
    few = report.model_dump()
    for service in few["services"]:
        for database in service["databases"]:
            database["rows"] //= 2
    found = {one.id: one.severity for one in plan(RehearsalReport.model_validate(few)).findings}
    assert found["rehearsal-of-other-rows"] is Severity.WARNING
    assert "rehearsal-of-other-rows" not in {one.id for one in plan(report).findings}


def test_a_rehearsal_of_something_else_is_refused() -> None:
    report = report_of(CLOUD)
    nova = next(service for service in report.services if service.service == "nova")
    newer = nova.model_copy(
        update={
            "databases": tuple(one.model_copy(update={"heads": ("abc",)}) for one in nova.databases),
        }
    )
    others = {
        "rehearsed: cloud elsewhere": changed(report, origin=Origin(cloud="elsewhere", plan="p", limit=None)),
        "rehearsed: 2022.2 → 2026.1": changed(report, target="2026.1"),
        "rehearsed: 2023.1 → 2025.1": changed(report, source="2023.1"),
        "not rehearsed: heat at": changed(
            report, services=tuple(one for one in report.services if one.service != "heat")
        ),
        "rehearsed: nova_cell0 at abc": changed(
            report, services=tuple(newer if one is nova else one for one in report.services)
        ),
    }
    for evidence, other in others.items():
        with pytest.raises(PlanRefused) as caught:
            plan(other)
        assert evidence in caught.value.evidence


@pytest.mark.parametrize("text", ["", "{}", '{"services": []}'])
def test_what_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(InputError, match="not the report of a rehearsal"):
        load_rehearsal(tmp_path / "r.json")
