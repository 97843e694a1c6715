"""A rehearsal's report in the terminal and as a page."""

import re
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from rich.progress import Progress, TaskID

from skipstone.cloud.cloudfile import load_cloud
from skipstone.errors import InputError
from skipstone.rehearsal.report import (
    ApiReport,
    Asked,
    DatabaseReport,
    DifferenceReport,
    Phase,
    PurgeReport,
    RehearsalReport,
    ResourceReport,
    TableChange,
    TableWork,
    Taken,
    load_rehearsal,
    slowest_of,
)
from skipstone.views.rehearsal import Shown, prediction, show_rehearsal
from skipstone.views.rehearsal_page import draw, render, rows_of, write_rehearsal
from skipstone.views.timeline import WIDTH, Style
from tests.unit.rehearsal.sample_report import report_of

CLOUD = load_cloud(Path(__file__).parents[2] / "plans" / "zed-small" / "cloud.yaml")
TAKEN = Taken(dumps=1 << 20, disk=3 << 20, server=5 << 20, commands=7 << 20, cores=2, load=0.5, processor=20)
STATEMENT = "pymysql.err.OperationalError: (1091, 'no such key') [SQL: ALTER TABLE `x`] " + "v" * 5000


def edited(report: RehearsalReport, **command: object) -> RehearsalReport:
    """Return the report with other facts about every command."""
    data = report.model_dump()
    for service in data["services"]:
        for stop in service["stops"]:
            stop["commands"] = [{**one, **command} for one in stop["commands"]]
    return RehearsalReport.model_validate(data)


def text_of(page: str) -> str:
    """Return what a reader of a page sees."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.partition("</style>")[2]))


def test_the_page_says_verdict_times_and_needs() -> None:
    work = TableWork(table="nova.instances", read=1234, written=5, altered=True)
    report = edited(report_of(CLOUD), tables=[work.model_dump()]).model_copy(update={"taken": TAKEN})
    text = text_of(render(report))
    assert "Every database arrived" in text
    assert "Nothing: every release" in text
    assert "copies of the running cloud lab" in text
    assert "1,234 5 altered" in text
    assert "3 MiB for the copies, 1 MiB for the dumps" in text
    assert "5 MiB for the database server, 7 MiB for the commands" in text
    assert "one run, so nothing is known of its spread" in text
    assert "2026-11-20 09:30:00 UTC" in text, "when it was read"


def test_what_must_be_done_first_stands_on_top_with_its_command() -> None:
    text = text_of(render(report_of(CLOUD, guarded="cinder", failed="nova")))
    first, _, rest = text.partition("How long the databases")
    assert "Not every database arrived" in first
    assert "2 rows of cinder" in first
    assert "cinder-manage db online_data_migrations" in first
    assert "nova-manage online-data-migrations exited with 1" in first
    assert "it is broken" in first
    assert "it is broken" not in rest


def test_what_was_mended_on_the_copies_is_to_be_done_first(capsys: pytest.CaptureFixture[str]) -> None:
    report = report_of(CLOUD, mended="cinder")
    first = text_of(render(report)).partition("How long the databases")[0]
    show_rehearsal(report)
    printed = " ".join(capsys.readouterr().out.split())
    for told in (first, printed):
        assert "very database arrived" in told
        assert "Nothing: every release" not in told
        assert "cinder, before 2025.1 Epoxy" in told
        assert "2 rows" in told
        assert "mended on the copy: it did not hold that a volume" in told
        assert "UPDATE volumes SET use_quota = 1" in told


def test_what_is_known_of_the_time_is_told_with_its_limits() -> None:
    data = report_of(CLOUD).model_dump()
    for number, service in enumerate(data["services"], start=1):
        before, after = service["stops"][0], {**service["stops"][0]}
        before |= {"release": "2022.2", "commands": [{**before["commands"][1], "seconds": 10.0 * number}]}
        service |= {"stops": (before, after), "planned": ("2022.2", "2025.1")}
    report = RehearsalReport.model_validate(data)
    lines = list(prediction(report))
    assert lines[0] == "database stage: 1 min 51 s, services side by side"
    assert "heat's, 2 min 57 s" in lines[2], "70 s and 106.75 s"
    assert "up to 1 min 10 s of a chain are 2022.2's own online data migrations" in lines[3]
    assert next(prediction(report_of(CLOUD, failed="nova"))).endswith("as far as it got")


def test_the_chart_shows_each_command_in_its_place() -> None:
    data = report_of(CLOUD, failed="nova").model_dump()
    for service in data["services"]:
        sync, online = service["stops"][0]["commands"]
        sync |= {"began": 10.0, "seconds": 5.0}
        online |= {"began": 15.0, "seconds": 15.0}
    timeline = draw(RehearsalReport.model_validate(data))
    assert timeline
    lanes = {section.title: section.lanes[0] for section in timeline.sections}
    sync, online = lanes["heat"].bars
    assert (sync.x, sync.width, sync.style) == (0, WIDTH / 4, Style.STAGE)
    assert (online.x, online.width, online.style) == (WIDTH / 4, WIDTH * 3 / 4, Style.STEP)
    assert [bar.style for bar in lanes["nova"].bars] == [Style.STAGE, Style.FAILED]
    assert (lanes["nova"].bad, lanes["heat"].bad, lanes["heat"].remark) == (True, False, "20.0 s")


def test_nothing_ran_so_nothing_is_drawn() -> None:
    report = edited(report_of(CLOUD)).model_copy(update={"services": ()})
    assert draw(report) is None


def test_tables_that_changed_come_first() -> None:
    rows = {"a": (5, 5), "b": (3, 4), "c": (None, 0), "d": (0, 0), "e": (9, None)}
    tables = tuple(
        TableChange(table=name, before=before, after=after) for name, (before, after) in rows.items()
    )
    database = DatabaseReport(name="x", known_as="x", heads=(), size=0, rows=0, tables=tables)
    assert [table.table for table in rows_of(database)] == ["e", "b", "c", "a"]
    assert {table.table for table in database.changes} == {"b", "c", "e"}


def test_text_of_the_cloud_is_no_markup() -> None:
    page = render(edited(report_of(CLOUD, failed="nova"), output="<script>alert(1)</script>"))
    assert "<script>" not in page


def test_the_suffix_decides_and_only_the_owner_reads(tmp_path: Path) -> None:
    report = report_of(CLOUD)
    for name in ("r.html", "r.json"):
        write_rehearsal(report, tmp_path / name)
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
    assert load_rehearsal(tmp_path / "r.json") == report
    with pytest.raises(InputError, match="cannot be written"):
        write_rehearsal(report, tmp_path / "missing" / "r.json")


def test_what_the_new_apis_answer_is_on_the_page() -> None:
    renamed = DifferenceReport(
        difference="changed", field="status", rows=2, examples=(("1", "a", "b"),), change=None, because=None
    )
    resource = ResourceReport(
        resource="instances",
        held=3,
        compared=3,
        fields=("status",),
        left_out={},
        unread="",
        error="",
        differences=(renamed,),
    )
    api = ApiReport(service="nova", asked=Asked.ANSWERED, seconds=4.0, resources=(resource,), trouble="")
    silent = ApiReport(service="heat", asked=Asked.SILENT, seconds=60.0, resources=(), trouble="<no module>")
    page = render(report_of(CLOUD).model_copy(update={"apis": (api, silent)}))
    said = text_of(page)
    assert "nova not the same 4 s 3 instances 2 instances changed status: unexplained" in said
    assert "heat does not answer &lt;no module&gt;" in said


def test_several_runs_have_a_spread_and_the_slowest_ones_figures() -> None:
    runs = [report_of(CLOUD).model_copy(update={"phases": {Phase.CARRY: s}}) for s in (61.0, 75.0, 60.0)]
    found = slowest_of(runs)
    assert (found.migration_seconds, found.runs) == (75.0, (61.0, 75.0, 60.0))
    assert "3 runs took from 1 min to 1 min 15 s" in text_of(render(found))
    failed = report_of(CLOUD, failed="nova").model_copy(update={"phases": {Phase.CARRY: 1.0}})
    assert not slowest_of([*runs, failed]).passed, "one that failed is never hidden by others"


def test_a_failure_is_printed_in_lines_that_are_not_cut_in_two(capsys: pytest.CaptureFixture[str]) -> None:
    show_rehearsal(edited(report_of(CLOUD, failed="nova"), output=f"Traceback\n{STATEMENT}\n"))
    lines = capsys.readouterr().out.splitlines()
    (line,) = (line for line in lines if "OperationalError" in line)
    assert line.startswith("  pymysql.err.OperationalError: (1091, 'no such key') [SQL: ALTER TABLE `x`] vvv")
    assert line.endswith(" [...]")
    assert not any("vvv" in other for other in lines if other != line)


class SlowBar(Progress):
    """Takes its time between a task that has gone and the one that comes in its place."""

    def remove_task(self, task_id: TaskID) -> None:
        super().remove_task(task_id)
        time.sleep(0.1)


def test_several_threads_may_tell_of_more_bytes_than_were_expected() -> None:
    with SlowBar(disable=True) as bar, ThreadPoolExecutor(4) as pool:
        shown = Shown(bar)
        shown.phase(Phase.LOAD, 1)
        for told in [pool.submit(shown.advance) for _ in range(8)]:
            told.result()
        (task,) = bar.tasks
        assert (task.completed, task.total) == (8, None)


def test_progress_tells_bytes_and_time_left() -> None:
    moments = iter(range(1000))
    with Progress(disable=True, get_time=lambda: float(next(moments))) as bar:
        shown = Shown(bar)
        shown.phase(Phase.READ, 100 << 20)
        for _ in range(3):
            shown.advance(10 << 20)
        (task,) = bar.tasks
        assert task.fields["phase"] == "reading the cloud's databases"
        assert re.fullmatch(r"30 MiB of 100 MiB, .+ left", task.description)
        shown.advance(200 << 20)
        (task,) = bar.tasks
        assert task.description == "230 MiB", "more than the server said there was"
        shown.phase(Phase.CARRY, 7)
        shown.advance()
        (task,) = bar.tasks
        assert (task.completed, task.total, task.description) == (1, 7, "")


def test_what_purging_would_save_is_told_with_what_it_costs() -> None:
    facts = {"service": "nova", "rows": 1200, "seconds": 5.0, "without": 90.0, "with_it": 30.0}
    report = report_of(CLOUD).model_copy(
        update={"purged": (PurgeReport(**facts), PurgeReport(**facts | {"failed": "exited with 9"}))}
    )
    lines = list(prediction(report))
    assert any("1,200 in 5 s: its chain then takes 30 s instead of 1 min 30 s" in line for line in lines)
    assert any("failed: exited with 9" in line for line in lines)
