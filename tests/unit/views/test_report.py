import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from skipstone.errors import InputError
from skipstone.run.directory import RunDirectory
from skipstone.run.state import RunState
from skipstone.views.page import render, write_page
from skipstone.views.report import Report, build_report, write_json
from skipstone.views.summary import show_summary
from skipstone.views.timeline import WIDTH, Style, draw
from tests.unit.views.sample_run import APIS, build_run


def text_of(report: Report) -> str:
    console = Console(width=140, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123 - rich closes it not
    with console.file:
        console.print(show_summary(report))
        return console.export_text()


def test_a_report_says_what_was_measured(tmp_path: Path) -> None:
    report = build_report(build_run(tmp_path))
    assert report.run.state is RunState.DONE
    assert report.summary.total == 472
    assert report.summary.longest_write_outage == pytest.approx(APIS["nova"], abs=0.6)
    assert report.summary.longest_gap == pytest.approx(3.6, abs=0.21)
    assert (report.summary.replies_lost, report.summary.instances_rebooted) == (31, 0)
    assert not report.summary.outage_open
    assert [stage.seconds for stage in report.run.stages] == [12, 47, 8, 133, 30, 31, 181, 18]
    assert {one.service: (one.before, one.after) for one in report.versions}["nova"] == ("2.93", "2.100")
    assert report.findings[0].id == "mariadb-collations"
    assert report.summary.losses == 0


def test_who_decided_what_on_which_basis_is_in_the_report(tmp_path: Path) -> None:
    report = build_report(build_run(tmp_path))
    (decision,) = report.decisions
    assert (decision.about, decision.state, decision.who) == ("outage", "approved", "ann")
    page = render(report)
    assert "window open" in page
    assert "stop &lt;b&gt;&amp;&lt;/b&gt; packages" in page


def test_what_was_not_measured_is_none_and_said(tmp_path: Path) -> None:
    report = build_report(build_run(tmp_path, measured=False))
    facts = report.summary.model_dump()
    assert {name for name, value in facts.items() if value is None} == {
        "longest_read_outage",
        "longest_write_outage",
        "longest_gap",
        "replies_lost",
        "replies_asked",
        "instances_rebooted",
        "losses",
    }
    assert "not measured" in render(report)
    assert "Not verified" in render(report)
    assert "impact was not measured" in text_of(report)


def test_a_failed_run_is_reported_as_far_as_it_got(tmp_path: Path) -> None:
    report = build_report(build_run(tmp_path, failed=True))
    assert report.run.state is RunState.FAILED
    assert report.summary.outage_open
    page = render(report)
    assert "the script exited with 1" in page
    assert "not over when probing ended" in page
    assert "not over" in text_of(report)


def test_a_reboot_cannot_be_overlooked(tmp_path: Path) -> None:
    report = build_report(build_run(tmp_path, rebooted=True))
    assert report.summary.instances_rebooted == 1
    assert "rebooted: " in render(report)
    assert re.search(r"web2 .*yes", text_of(report))
    timeline = draw(report)
    assert timeline
    lane = next(lane for section in timeline.sections for lane in section.lanes if lane.label == "web2")
    assert lane.remark == "rebooted"
    assert Style.REBOOT in {bar.style for bar in lane.bars}


def test_the_page_needs_no_network_and_is_whole(tmp_path: Path) -> None:
    report = build_report(build_run(tmp_path))
    write_page(report, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert not re.findall(r"(?:src|href)=|url\(|@import|<script", page)
    assert page.count("<svg") == page.count("</svg>") > 20
    assert page.rstrip().endswith("</html>")
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page


def test_names_from_the_cloud_cannot_change_the_page(tmp_path: Path) -> None:
    directory = build_run(tmp_path)
    report = build_report(directory)
    evil = report.model_copy(
        update={"run": report.run.model_copy(update={"cloud": "<script>alert(1)</script>"})}
    )
    assert "<script" not in render(evil)


def test_json_says_the_same_as_the_page(tmp_path: Path) -> None:
    report = build_report(build_run(tmp_path))
    write_json(report, tmp_path / "report.json")
    facts = json.loads((tmp_path / "report.json").read_text())
    assert Report.model_validate(facts) == report
    nova = next(one for one in facts["impact"]["apis"] if (one["name"], one["kind"]) == ("nova", "write"))
    assert f"{nova['bad']}</td>" in render(report)


def test_everything_lies_on_the_axis(tmp_path: Path) -> None:
    timeline = draw(build_report(build_run(tmp_path)))
    assert timeline
    bars = [bar for section in timeline.sections for lane in section.lanes for bar in lane.bars]
    assert all(bar.x >= 0 and bar.x + bar.width <= WIDTH + 0.01 and bar.width >= 2 for bar in bars)
    assert [tick.label for tick in timeline.ticks][:2] == ["0:00", "1:00"]
    stops = {section.title: section for section in timeline.sections}
    stage = next(lane for lane in stops["Stages"].lanes if lane.label == "Stop").bars[0]
    outage = next(lane for lane in stops["APIs"].lanes if lane.label == "nova reads").bars[1]
    # the APIs went away while the stage "Stop" stopped them
    assert stage.x - 1 <= outage.x <= stage.x + stage.width + 1


def test_very_many_instances_stay_readable(tmp_path: Path) -> None:
    report = build_report(build_run(tmp_path))
    assert report.impact
    good = report.impact.instances[2]
    many = [good.model_copy(update={"id": f"i{n}", "name": f"vm{n}"}) for n in range(500)]
    impact = report.impact.model_copy(update={"instances": (*many, *report.impact.instances)})
    timeline = draw(report.model_copy(update={"impact": impact}))
    assert timeline
    section = next(section for section in timeline.sections if section.title == "Instances")
    assert (len(section.lanes), section.hidden) == (60, 443)
    assert {"web1", "web2"} <= {lane.label for lane in section.lanes}
    assert "and 483 more" in text_of(report.model_copy(update={"impact": impact}))


def test_a_file_that_cannot_be_written_is_bad_input(tmp_path: Path) -> None:
    report = build_report(build_run(tmp_path))
    with pytest.raises(InputError, match="cannot be written"):
        write_page(report, tmp_path / "missing" / "report.html")


def test_a_run_without_a_journal_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no journal"):
        build_report(RunDirectory(tmp_path))


def test_kinds_are_said_in_the_summary(tmp_path: Path) -> None:
    text = text_of(build_report(build_run(tmp_path)))
    for name in APIS:
        assert re.search(rf"{name} .*min", text)
    assert "longest write outage" in text
