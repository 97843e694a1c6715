import re
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from skipstone.plan.plan import Plan, Stage
from skipstone.plan.planfile import ACTS, commands_of, load_plan, save_plan
from skipstone.steps.backup import CheckBackups
from skipstone.steps.configuration import PlaceFile
from skipstone.steps.drain import DrainHost, ReturnInstances
from skipstone.steps.registry import STEPS
from skipstone.steps.step import Reversibility
from tests.unit.steps.samples import SAMPLES

SCRIPTS = {
    f"{type(step).__name__}.{act}.{number}": command["script"]
    for number, step in enumerate(SAMPLES)
    for act, command in commands_of(step).items()
}


def test_every_kind_has_a_sample() -> None:
    assert {type(step) for step in SAMPLES} == set(STEPS)


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_is_valid_for_the_hosts_shell(name: str) -> None:
    """Debian's /bin/sh is dash: no arrays, no process substitution, no function names with a dash."""
    script = SCRIPTS[name]
    done = subprocess.run(["dash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{name}: {done.stderr}\n{script}"


@pytest.mark.parametrize("name", SCRIPTS)
def test_lists_are_sorted_alike_whatever_the_hosts_locale_is(name: str) -> None:
    """A job has not the locale of a question over ssh, nor has the one who runs a script by hand."""
    assert not re.findall(r"(?m)(?:^|[|(;&{])\s*(?:sort|comm|join|uniq)[\s)].*", SCRIPTS[name])


@pytest.mark.parametrize("step", SAMPLES, ids=lambda step: type(step).__name__)
def test_rendering_is_pure(step: PlaceFile) -> None:
    assert commands_of(step) == commands_of(type(step).model_validate(step.model_dump()))


@pytest.mark.parametrize("step", SAMPLES, ids=lambda step: type(step).__name__)
def test_a_step_that_only_a_backup_undoes_can_say_how(step: PlaceFile) -> None:
    assert set(commands_of(step)) <= set(ACTS)
    if step.reversibility is Reversibility.FROM_BACKUP and step.reset():
        assert step.revert()


def test_a_plan_of_every_kind_of_step_comes_back_from_its_file(tmp_path: Path) -> None:
    steps = tuple(step.model_copy(update={"id": f"stage.{n}"}) for n, step in enumerate(SAMPLES))
    plan = Plan(
        id="p",
        skipstone="0",
        strategy="in-place",
        cloud="lab",
        fingerprint={},
        source="zed",
        target="epoxy",
        stages=(Stage(name="stage", title="All", steps=steps),),
    )
    save_plan(plan, tmp_path / "plan.yaml")
    assert load_plan(tmp_path / "plan.yaml") == plan


def run(script: str) -> int:
    return subprocess.run(["sh", "-s"], input=script, text=True, check=False, capture_output=True).returncode


def test_a_placed_file_holds_exactly_the_text_and_is_reverted(tmp_path: Path) -> None:
    text = "[x]\ny = it's $HOME `id` \\ 100%\n"
    step = PlaceFile(
        id="a.b",
        title="Place",
        host="ctl1",
        deadline=5,
        estimate=1,
        path=str(tmp_path / "new.d" / "x.conf"),
        text=text,
        owner=f"{tmp_path.owner()}:{tmp_path.group()}",
    )
    assert run(step.is_done().script) != 0
    assert run(step.apply().script) == 0
    assert (tmp_path / "new.d" / "x.conf").read_text() == text
    assert run(step.is_done().script) == 0
    revert = step.revert()
    assert revert
    (tmp_path / "new.d" / "x.conf.skipstone-part").write_text("of an attempt that was cut off")
    assert run(revert.script) == 0
    assert run(step.is_done().script) != 0
    assert not list((tmp_path / "new.d").iterdir())


def test_a_backup_that_is_gone_or_damaged_is_named(tmp_path: Path) -> None:
    (tmp_path / "manifest").write_text(f"{sha256(b'archive').hexdigest()}  etc.tar.gz\n")
    (tmp_path / "definitions.json").write_text("{}")

    def check() -> str:
        step = CheckBackups(
            id="a.b",
            title="Check",
            host="ctl1",
            deadline=5,
            estimate=1,
            directories=(str(tmp_path),),
            files=(str(tmp_path / "definitions.json"),),
        )
        done = subprocess.run(
            ["sh", "-s"], input=step.apply().script, text=True, check=False, capture_output=True
        )
        assert (done.returncode == 0) == (done.stderr == "")
        return done.stderr

    assert str(tmp_path) in check()
    (tmp_path / "etc.tar.gz").write_text("archive")
    assert check() == ""
    (tmp_path / "etc.tar.gz").write_text("broken")
    assert "gone or damaged" in check()
    (tmp_path / "etc.tar.gz").write_text("archive")
    (tmp_path / "definitions.json").unlink()
    assert "definitions.json" in check()


def test_room_for_the_next_dump_is_seen_to_before_anything_stops(tmp_path: Path) -> None:
    dump = tmp_path / "running"
    dump.mkdir()
    (dump / "nova.sql.gz").write_bytes(bytes(1 << 20))
    (dump / "manifest").write_text(f"{sha256(bytes(1 << 20)).hexdigest()}  nova.sql.gz\n")
    step = CheckBackups(
        id="a.b",
        title="Check",
        host="ctl1",
        deadline=5,
        estimate=1,
        directories=(str(dump),),
        once_more=(str(dump),),
    )

    def said(free: int) -> str:
        df = tmp_path / "df"
        df.write_text(f"#!/bin/sh\necho Avail; echo {free}\n")
        df.chmod(0o755)
        script = f"PATH={tmp_path}:$PATH\n{step.apply().script}"
        done = subprocess.run(["sh", "-s"], input=script, text=True, check=False, capture_output=True)
        assert (done.returncode == 0) == (done.stderr == "")
        return done.stderr

    assert said(1 << 21) == ""
    assert f"{dump} has {1 << 20} free" in said(1 << 20)


@pytest.mark.parametrize(("code", "passes"), [(0, True), (1, True), (2, False), (4, False)])
def test_what_is_let_be_on_a_drains_way_there_and_back_is_no_failure(
    tmp_path: Path, code: int, passes: bool
) -> None:
    (tmp_path / "skipstone").write_text(f"#!/bin/sh\nexit {code}\n")
    (tmp_path / "skipstone").chmod(0o755)
    acts = [step.apply() for step in SAMPLES if isinstance(step, DrainHost | ReturnInstances)]
    acts += [act for step in SAMPLES if isinstance(step, DrainHost) if (act := step.revert())]
    assert len(acts) == 5
    for act in acts:
        assert (run(f"PATH={tmp_path}:$PATH\n{act.script}") == 0) is passes
