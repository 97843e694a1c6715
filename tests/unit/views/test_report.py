import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console

from skipstone.errors import InputError
from skipstone.impact.sample import Kind as Asked
from skipstone.impact.versions import Change
from skipstone.run.directory import RunDirectory
from skipstone.run.state import RunState, StepState
from skipstone.views.page import render, write_page
from skipstone.views.report import Report, build_report, write_json
from skipstone.views.summary import show_summary
from skipstone.views.timeline import WIDTH, Style, draw
from tests.unit.views.sample_run import APIS, build_run
from tests.unit.views.test_junit import budget


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


def crowded(report: Report, hosts: int, *, failed: int = 0) -> Report:
    """Return the report of a run that did three steps on each of very many computes."""
    stage = next(stage for stage in report.run.stages if stage.name == "computes")
    (first, *_) = stage.steps
    assert first.began
    steps = []
    for number in range(hosts):
        for step, title in enumerate(("Drain", "Upgrade", "Start")):
            began = first.began + timedelta(seconds=number / hosts * 150 + step)
            bad = number < failed and step == 1
            facts = {
                "id": f"{title}.{number}",
                "title": f"{title} cmp{number:05}",
                "host": f"cmp{number:05}",
                "began": began,
                "ended": began + timedelta(seconds=20),
                "seconds": 20.0,
                "state": StepState.FAILED if bad else StepState.DONE,
                "error": "its script exited with 3" if bad else "",
            }
            steps.append(first.model_copy(update=facts))
    stages = tuple(
        one.model_copy(update={"name": "wave-1", "steps": tuple(steps)}) if one is stage else one
        for one in report.run.stages
    )
    return report.model_copy(update={"run": report.run.model_copy(update={"stages": stages})})


def test_ten_thousand_hosts_are_one_lane_and_a_small_page(tmp_path: Path) -> None:
    report = build_report(build_run(tmp_path))
    page = render(crowded(report, 10_000, failed=3))
    assert len(page) < 400_000
    assert "10000 hosts" in page
    assert "Upgrade …" in page
    timeline = draw(crowded(report, 10_000, failed=3))
    assert timeline
    hosts = next(section for section in timeline.sections if section.title == "Hosts")
    labels = [lane.label for lane in hosts.lanes]
    # the few others, those that failed, and one for all of the wave
    assert {"ctl1", "cmp00000", "cmp00001", "cmp00002", "Computes"} <= set(labels)
    assert len(labels) < 10
    crowd = hosts.lanes[labels.index("Computes")]
    assert (crowd.detail, crowd.remark) == ("10000 hosts", "3 failed")
    assert len(crowd.bars) < 10
    assert "its script exited with 3" in page


def test_a_stage_of_few_hosts_has_a_lane_for_each(tmp_path: Path) -> None:
    timeline = draw(crowded(build_report(build_run(tmp_path)), 10))
    assert timeline
    hosts = next(section for section in timeline.sections if section.title == "Hosts")
    assert {f"cmp{number:05}" for number in range(10)} <= {lane.label for lane in hosts.lanes}


def test_a_flapping_api_does_not_fill_the_page(tmp_path: Path) -> None:
    report = build_report(build_run(tmp_path))
    assert report.impact
    nova = next(one for one in report.impact.apis if one.name == "nova")
    (outage,) = nova.outages
    many = tuple(
        outage.model_copy(
            update={
                "start": outage.start + timedelta(seconds=number / 50),
                "end": outage.start + timedelta(seconds=number / 50 + 0.01),
            }
        )
        for number in range(10_000)
    )
    apis = tuple(
        one.model_copy(update={"outages": many}) if one is nova else one for one in report.impact.apis
    )
    impact = report.impact.model_copy(update={"apis": apis})
    assert len(render(report.model_copy(update={"impact": impact}))) < 400_000


def test_what_guests_say_and_budgets_are_on_the_page(tmp_path: Path) -> None:
    report = build_report(build_run(tmp_path))
    assert report.impact
    ping = report.impact.instances[0].ping
    assert ping
    pair = ping.model_copy(update={"kind": Asked.PAIR, "name": "web1 → web2"})
    disk = ping.model_copy(update={"kind": Asked.DISK, "name": "web1 /srv"})
    impact = report.impact.model_copy(update={"pairs": (pair,), "disks": (disk,)})
    change = Change(
        what="package nova", before="26.2", after="31.0", hosts=tuple(f"cmp{n}" for n in range(9))
    )
    page = render(report.model_copy(update={"impact": impact, "changes": (change,), "budgets": (budget(),)}))
    for text in ("web1 → web2", "web1 /srv", "tries failed", "cmp5 and 3 more", "nova 130.0 s of 120.0 s"):
        assert text in page


def test_the_budgets_of_a_run_are_in_its_report(tmp_path: Path) -> None:
    directory = build_run(tmp_path, budgets={"api-writes": 180.0, "instance-gap": 5.0})
    found = {one.name: one for one in build_report(directory).budgets}
    assert found["api-writes"].broken
    assert found["api-writes"].spent == pytest.approx(APIS["nova"], abs=0.6)
    assert found["api-writes"].figures == "nova 204.5 s of 180.0 s"
    assert not found["instance-gap"].broken
