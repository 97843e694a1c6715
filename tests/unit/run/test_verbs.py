"""``status``, ``log`` and what ``apply`` refuses; ``apply`` itself is run in tests/faults."""

import asyncio
import json
from pathlib import Path

import pytest
from rich.console import Console

from skipstone.cli.main import main
from skipstone.errors import InputError
from skipstone.plan.planfile import save_plan
from skipstone.run.fold import Fold
from skipstone.run.journal import read_events
from skipstone.run.lock import hold_cloud
from skipstone.settings import load_settings
from skipstone.steps.registry import KINDS
from skipstone.views.progress import run_json, run_picture, shown_progress
from skipstone.views.waves import narrowed
from tests.unit.run.toy import Hosts, Rig, Toy, in_waves, plan_of, toy


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """A failed run of two steps, of which the second has not begun."""
    monkeypatch.setenv("SKIPSTONE_STATE_DIR", str(tmp_path))
    monkeypatch.setitem(KINDS, "toy", Toy)
    rig = Rig(tmp_path, Hosts(codes={"a": [3]}))
    asyncio.run(rig.apply(plan_of([toy("a"), toy("b", "a")])))
    return rig


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    out, err = capsys.readouterr()
    return int(end.value.code or 0), out, err


@pytest.mark.usefixtures("rig")
def test_status_shows_what_an_operator_needs(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = answer(capsys, "status")
    assert code == 0
    for text in ("toyplan-1", "failed", "0/2 steps", "a on h1: its script exited with 3", "output of", "->"):
        assert text in out


@pytest.mark.usefixtures("rig")
def test_status_as_json_is_the_same_object(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = answer(capsys, "status", "toy", "--json")
    data = json.loads(out)
    assert code == 0
    assert (data["state"], data["interrupted"], data["stages"][0]["state"]) == ("failed", False, "failed")
    assert data["stages"][0]["steps"][0]["code"] == 3
    assert data["began"].endswith("+00:00")


@pytest.mark.usefixtures("rig")
def test_log_has_every_command_and_output(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = answer(capsys, "log")
    assert "$ do a" in out
    assert "output of toyplan-1/a.1" in out
    assert "FAILED: its script exited with 3" in out
    code, out, _ = answer(capsys, "log", "--step", "a", "--json")
    events = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [event["kind"] for event in events] == ["intent", "submitted", "output", "outcome", "failure"]


@pytest.mark.usefixtures("rig")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("status", "nix"), "there is no run 'nix'"),
        (("log", "--step", "nix"), "the run has no step 'nix'"),
    ],
)
def test_what_is_not_there(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    code, _, err = answer(capsys, *arguments)
    assert code == 2
    assert words in err


def test_no_run_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SKIPSTONE_STATE_DIR", str(tmp_path))
    assert answer(capsys, "status")[0] == 2


def test_a_run_without_its_process_is_interrupted(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    plan = plan_of([toy("c")], name="other")
    with rig.runner(plan) as (runner, _):
        runner._begin()
        assert json.loads(answer(capsys, "status", "other", "--json")[1])["interrupted"] is False
    assert json.loads(answer(capsys, "status", "other", "--json")[1])["interrupted"] is True
    with hold_cloud(rig.base / "clouds", plan.cloud, "another-run", runs=rig.base / "runs"):
        assert "interrupted" in answer(capsys, "status", "other")[1]


def test_progress_without_a_terminal_is_lines(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    fold = Fold()
    with shown_progress(Console(force_terminal=False, width=40)) as progress:
        for event in read_events(rig.base / "runs/toyplan-1/journal.db"):
            fold.add(event)
            progress.hear(event, fold)
    lines = capsys.readouterr().out.splitlines()
    assert [line[10:] for line in lines if line[:2].isdigit()][1:] == [
        "a: a (on h1)",
        "a: FAILED: its script exited with 3",
        "run failed: a on h1: its script exited with 3",
    ]


def test_the_picture_of_a_running_step_names_host_and_last_line(rig: Rig) -> None:
    plan = plan_of([toy("c")], name="other")
    seen: list[str] = []
    with rig.runner(plan) as (runner, journal):

        def look(*_: object) -> None:
            console = Console(width=100)
            with console.capture() as capture:
                console.print(run_picture(journal.view))
            seen.append(capture.get())

        journal.listeners.append(look)
        asyncio.run(runner.run())
    assert any("output of other-1/c.1" in picture and "h1" in picture for picture in seen)


def test_a_wave_is_shown_by_its_hosts_however_many_they_are(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Hosts(codes={f"c{number}.1": [1] for number in range(30)}))
    view = asyncio.run(rig.apply(in_waves(200, failures=40)))
    console = Console(width=120)
    with console.capture() as capture:
        console.print(run_picture(view))
    lines = capture.get().splitlines()
    assert [line for line in lines if "170/200 hosts, 30 failed" in line]
    assert len(lines) < 80
    assert [line for line in lines if line.startswith("✗ c29.1")], "every one is named"
    assert json.loads(run_json(view))["stages"][0]["hosts"] == {
        "done": 170,
        "at_work": 0,
        "failed": 30,
        "lost": 0,
        "total": 200,
    }


def test_a_setting_that_lets_fewer_steps_run_than_hosts_may_be_down_is_told() -> None:
    assert "up to 10 hosts may be down at the same time, but no more than 4" in narrowed(
        in_waves(20, down=10), 4
    )
    assert not narrowed(in_waves(20, down=4), 4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "nobody can be asked"),
        (("--yes", "--until", "nix"), "the plan has no stage 'nix'"),
        (("--yes", "--no-measure"), "there is no host 'h1'"),
    ],
)
def test_apply_refuses_before_it_touches_anything(
    rig: Rig, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], words: str
) -> None:
    base = rig.base
    known = "h2" if "no host" in words else "h1"
    (base / "inventory.yaml").write_text(f"name: toycloud\nhosts:\n  {known}: {{groups: [control]}}\n")
    name = "unbegun" if "asked" in words else "toyplan"
    save_plan(plan_of([toy("a"), toy("b", "a")], name=name), base / "plan.yaml")
    before = len(read_events(base / "runs/toyplan-1/journal.db"))
    code, _, err = answer(
        capsys, "apply", str(base / "plan.yaml"), "-i", str(base / "inventory.yaml"), *options
    )
    assert code == 2
    assert words in err
    assert len(read_events(base / "runs/toyplan-1/journal.db")) == before


def test_settings_come_from_the_environment_before_the_file(tmp_path: Path) -> None:
    (tmp_path / "skipstone").mkdir()
    file = tmp_path / "skipstone" / "settings.yaml"
    file.write_text("steps_at_once: 7\nstate_dir: /from/file\n")
    environ = {"HOME": "/home/me", "XDG_CONFIG_HOME": str(tmp_path)}
    assert load_settings(environ).steps_at_once == 7
    assert load_settings({**environ, "SKIPSTONE_STATE_DIR": "/from/env"}).state_dir == Path("/from/env")
    assert load_settings({"HOME": "/home/me"}).runs == Path("/home/me/.local/state/skipstone/runs")
    with pytest.raises(InputError, match=r"SKIPSTONE_STEPS_AT_ONCE: .*greater"):
        load_settings({**environ, "SKIPSTONE_STEPS_AT_ONCE": "0"})
    file.write_text("stepz: 7\n")
    with pytest.raises(InputError, match=r"settings\.yaml: stepz"):
        load_settings(environ)
    file.write_text("- no\n")
    with pytest.raises(InputError, match="keys with values"):
        load_settings(environ)
