"""Detached jobs on a real shell: started once, never lost sight of."""

import asyncio
import itertools
import os
import signal
import subprocess
import time
from pathlib import Path, PurePosixPath

import pytest

from skipstone.cloud.command import OPERATOR
from skipstone.cloud.inventory import Inventory
from skipstone.cloud.local import LocalTransport
from skipstone.errors import SkipstoneError
from skipstone.run.job import BACKLOG, CHUNK, REFUSED, TIMED_OUT, Job, JobState, News, parse_news
from skipstone.run.state import RunState, StepState
from tests.unit.run.toy import HASTE, Rig, plan_of, toy

_numbers = itertools.count()


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job("run", f"step/{next(_numbers)}", 1, deadline=20, jobs=PurePosixPath(tmp_path), own_unit=False)


def sh(script: str, path: str = "") -> "subprocess.CompletedProcess[str]":
    """Run a script on a real shell; programs in ``path`` come first."""
    environment = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}".lstrip(":")}
    return subprocess.run(
        ["/bin/sh"], input=script, env=environment, capture_output=True, text=True, timeout=30, check=False
    )


def submit(job: Job, script: str, wait: int = 5) -> News:
    return parse_news(sh(job.submission(script, wait=wait)).stdout)


def watch(job: Job, offset: int = 0, wait: int = 5) -> News:
    return parse_news(sh(job.watch(offset=offset, wait=wait)).stdout)


def end_of(job: Job, news: News) -> News:
    while news.state is JobState.RUNNING:
        news = watch(job, news.offset + len(news.output))
    return news


def runner_of(job: Job) -> int:
    """Return the pid of what runs the job: the first of those that have the lock open."""
    lock = str(Path(job.directory, "lock"))
    for handle in sorted(Path("/proc").glob("[0-9]*/fd/9"), key=lambda path: int(path.parts[2])):
        try:
            if str(handle.readlink()) == lock:
                return int(handle.parts[2])
        except OSError:
            continue
    raise AssertionError("nothing holds the lock")


def end(job: Job) -> None:
    """Kill the job and all that it has started."""
    subprocess.run(["pkill", "-KILL", "-s", str(os.getsid(runner_of(job)))], check=True)


def test_a_short_job_needs_one_question(job: Job) -> None:
    news = submit(job, "echo out; echo err >&2; exit 3")
    news = end_of(job, news)
    assert (news.state, news.code, news.rebooted) == (JobState.EXITED, 3, False)
    assert Path(job.directory, "output").read_bytes() == b"out\nerr\n"


def test_a_second_submission_starts_nothing(job: Job, tmp_path: Path) -> None:
    script = f"echo once >>{tmp_path}/count; sleep 0.3"
    for _ in range(3):
        news = submit(job, script)
    assert end_of(job, news).state is JobState.EXITED
    submit(job, script)
    assert (tmp_path / "count").read_text() == "once\n"


def test_submissions_at_the_same_time_start_one(job: Job, tmp_path: Path) -> None:
    text = job.submission(f"echo once >>{tmp_path}/count; sleep 0.2", wait=5)
    racers = [subprocess.Popen(["/bin/sh", "-c", text], stdout=subprocess.DEVNULL) for _ in range(6)]
    for racer in racers:
        assert racer.wait(timeout=30) == 0
    assert end_of(job, watch(job)).state is JobState.EXITED
    assert (tmp_path / "count").read_text() == "once\n"


def test_a_job_is_asked_to_pause_in_its_directory(job: Job) -> None:
    assert sh(job.pause()).returncode != 0, "it is not there yet"
    news = submit(job, 'cd /; until [ -e "$SKIPSTONE_JOB/pause" ]; do sleep 0.05; done; exit 75', wait=0)
    assert news.state is JobState.RUNNING
    assert sh(job.pause()).returncode == 0
    news = end_of(job, news)
    assert (news.state, news.code) == (JobState.EXITED, 75)


def test_output_comes_as_it_is_written(job: Job) -> None:
    news = submit(job, "echo one; sleep 2; printf 'two\\377'")
    assert (news.state, news.output) == (JobState.RUNNING, b"one\n")
    news = end_of(job, watch(job, offset=4))
    assert (news.state, news.offset + len(news.output)) == (JobState.EXITED, 8)


def test_a_long_silence_is_one_question(job: Job) -> None:
    began = time.monotonic()
    news = submit(job, "sleep 20", wait=2)
    assert news.state is JobState.RUNNING
    assert 1 <= time.monotonic() - began < 6
    end(job)


def test_the_job_outlives_whoever_submitted_it(job: Job, tmp_path: Path) -> None:
    text = job.submission(f"sleep 1; echo done >{tmp_path}/done", wait=20)
    submitter = subprocess.Popen(["/bin/sh", "-c", text], stdout=subprocess.DEVNULL, start_new_session=True)
    while not Path(job.directory, "claim").exists():
        time.sleep(0.02)
    os.killpg(submitter.pid, signal.SIGKILL)
    submitter.wait()
    assert end_of(job, watch(job)).state is JobState.EXITED
    assert (tmp_path / "done").exists()


def test_a_killed_job_is_lost_and_never_started_again(job: Job, tmp_path: Path) -> None:
    script = f"echo once >>{tmp_path}/count; sleep 20"
    assert submit(job, script, wait=0).state is JobState.RUNNING
    while not (tmp_path / "count").exists():
        time.sleep(0.02)
    end(job)
    assert watch(job).state is JobState.LOST
    assert submit(job, script).state is JobState.LOST
    assert (tmp_path / "count").read_text() == "once\n"


def test_a_job_whose_runner_is_killed_is_not_over(job: Job, tmp_path: Path) -> None:
    script = f"touch {tmp_path}/begun; sleep 3; touch {tmp_path}/end"
    assert submit(job, script, wait=0).state is JobState.RUNNING
    while not (tmp_path / "begun").exists():
        time.sleep(0.02)
    os.kill(runner_of(job), signal.SIGKILL)
    assert watch(job, wait=0).state is JobState.RUNNING
    assert watch(job, wait=10).state is JobState.LOST
    assert (tmp_path / "end").exists()


def test_a_daemon_of_the_script_does_not_hold_the_job(job: Job) -> None:
    news = end_of(job, submit(job, "setsid sleep 5 >/dev/null 2>&1 &"))
    assert (news.state, news.code, news.seconds < 5) == (JobState.EXITED, 0, True)


def test_a_job_that_begins_while_it_is_looked_at_is_not_lost(job: Job, tmp_path: Path) -> None:
    """It is started late: once its lock was found free, and before anything else is looked at."""
    programs = {
        "setsid": "exit 0",
        "sleep": "exit 0",
        "stat": f"""
PATH={os.environ["PATH"]}
[ -d claim ] || setsid -f /bin/sh {job.directory}/job </dev/null >/dev/null 2>&1
until [ -d claim ]; do sleep 0.02; done
exec stat "$@\"""",
    }
    (tmp_path / "late").mkdir()
    for name, text in programs.items():
        program = tmp_path / "late" / name
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
    script = job.submission(f"until [ -e {tmp_path}/seen ]; do sleep 0.05; done", wait=5)
    assert parse_news(sh(script, str(tmp_path / "late")).stdout).state is JobState.ABSENT
    assert watch(job, wait=0).state is JobState.RUNNING
    (tmp_path / "seen").touch()
    assert end_of(job, watch(job)).state is JobState.EXITED


def test_a_reboot_is_noticed(job: Job) -> None:
    end_of(job, submit(job, "true"))
    Path(job.directory, "boot").write_text("another boot\n")
    assert watch(job).rebooted


def test_an_unknown_job_is_absent(job: Job) -> None:
    assert watch(job).state is JobState.ABSENT


def test_the_host_ends_it_at_its_deadline(tmp_path: Path) -> None:
    job = Job("run", "slow", 1, deadline=1, jobs=PurePosixPath(tmp_path), own_unit=False)
    news = end_of(job, submit(job, "sleep 20"))
    assert (news.state, news.code) == (JobState.EXITED, TIMED_OUT)
    assert news.seconds >= 1


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    job = Job("run", "step", 1, deadline=5, jobs=PurePosixPath(tmp_path / "file"), own_unit=False)
    answer = sh(job.submission("true", wait=1))
    assert answer.returncode == REFUSED
    assert "Not a directory" in answer.stderr


def test_half_a_submission_starts_nothing(job: Job) -> None:
    """As ``Command.stdin`` sends it: one compound command, whose half is a syntax error."""
    whole = "{\n" + job.submission("true", wait=1) + "\n} </dev/null\n"
    for length in range(0, len(whole) - len("} </dev/null\n"), 97):
        sh(whole[:length])
    assert not Path(job.directory).exists()


def test_a_flood_of_output_is_cut_at_its_beginning(job: Job) -> None:
    news = end_of(job, submit(job, f"head -c {BACKLOG + 2 * CHUNK} /dev/zero", wait=0))
    assert watch(job).offset == BACKLOG + CHUNK
    assert len(watch(job).output) == CHUNK
    assert news.state is JobState.EXITED


def test_an_answer_after_a_talkative_profile(job: Job) -> None:
    text = "Welcome to h1\n" + sh(job.watch(offset=0, wait=1)).stdout
    assert parse_news(text).state is JobState.ABSENT
    with pytest.raises(SkipstoneError, match="makes no sense"):
        parse_news("Welcome to h1\n")


def test_a_step_from_its_submission_to_its_end(tmp_path: Path) -> None:
    """A whole step on this machine, whose last line has no end and whose output is long."""
    transport = LocalTransport(Inventory(name="toy", path=tmp_path, hosts=()))
    rig = Rig(tmp_path, transport, patience=HASTE)
    script = f"yes 0123456789 | head -c {CHUNK + 5}; printf '\\nlast'"
    with rig.runner(plan_of([toy("a", host=OPERATOR, script=script)])) as (runner, journal):
        view = asyncio.run(runner.run())
        output = journal.output("a", 1)
    assert view.state is RunState.DONE
    (step,) = view.steps()
    assert (step.state, step.last_line, len(output)) == (StepState.DONE, "last", CHUNK + 10)
