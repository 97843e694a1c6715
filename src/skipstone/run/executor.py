"""Carries out one step: is there anything to do? intent, job, outcome, verification.

Every decision is read from the journal, so it does not matter which process makes it: an attempt that an
earlier one began is gone on with, by asking the host for its job; a new one begins only after a known
outcome. What a host does not answer is asked again until the step's deadline has passed.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from skipstone.cloud.command import Command, Outcome
from skipstone.errors import ExitCode
from skipstone.run.follow import Follower, JobRefused
from skipstone.run.job import TIMED_OUT, Job, JobState, News
from skipstone.run.journal import Journal
from skipstone.run.question import Asker, NoAnswer
from skipstone.run.runview import StepView
from skipstone.run.state import Kind, StepState
from skipstone.steps.step import Step

EVIDENCE_LINES = 20
DIAGNOSIS = 30
"""Seconds that a diagnosis may take."""
KILLED = 137
"""What a shell says of a process that SIGKILL ended: timeout(1), where SIGTERM was not enough."""


class Executor:
    """Carries out the steps of one run.

    ``make_job`` names the job of a step's attempt on a host; ``stopping`` says whether no new attempt may
    begin.
    """

    def __init__(
        self,
        journal: Journal,
        asker: Asker,
        *,
        make_job: Callable[[Step, int, str], Job],
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._journal = journal
        self._asker = asker
        self._make_job = make_job
        self._stopping = stopping
        self._began_here: dict[tuple[str, int], float] = {}

    async def carry_out(self, step: Step) -> StepState:
        """Go on with a step until it is DONE, SKIPPED or FAILED, or its host has been silent for too long.

        One that can is PAUSED as soon as no new attempt may begin.

        After silence the attempt stays open (UNKNOWN, or ENDED where only the verification is missing), and
        the next call goes on with it. Raise RunStopped where the journal cannot be written.
        """
        state = await self._attempt(step)
        if state is StepState.PAUSED and not self._stopping():  # an earlier process had asked it to pause
            state = await self._attempt(step)
        for pause in self._asker.patience.retries if step.transient else ():
            if state is not StepState.FAILED or self._stopping():
                break
            await asyncio.sleep(pause)
            state = await self._attempt(step)
        return state

    async def _attempt(self, step: Step) -> StepState:
        if not self._entry(step).state.open and not self._entry(step).state.passed:
            await self._begin(step)
        if self._entry(step).state in {StepState.INTENDED, StepState.RUNNING, StepState.UNKNOWN}:
            await self._see_job_through(step)
        if self._entry(step).state is StepState.ENDED:
            await self._judge(step)
        return self._entry(step).state

    async def _begin(self, step: Step) -> None:
        """Write down what will be done and what undoes it, unless there is nothing to do."""
        try:
            answer = await self._check(step, step.is_done())
        except NoAnswer as silence:
            self._fail(
                step, f"{step.host} could not be asked, so nothing was run", str(silence), "skipstone resume"
            )
            return
        if answer is not None and answer.ok:
            self._note(step, Kind.NOTHING_TO_DO, evidence=tail(answer.stdout))
            return
        attempt = self._entry(step).attempt + 1
        command = command_of(step, again=attempt > self._entry(step).undone + 1)
        self._journal.append(
            Kind.INTENT,
            step=step.id,
            attempt=attempt,
            host=command.host,
            script=command.script,
            revert=_facts(step.revert()),
            revert_rest=_facts(step.revert_rest()),
            intact=_facts(step.intact()),
            reversibility=step.reversibility,
            holds=step.holds(),
            changes=not step.looks,
            undone_anyway=step.undone_anyway,
            parameters=step.model_dump(mode="json"),
        )
        self._began_here[step.id, attempt] = time.monotonic()

    async def _see_job_through(self, step: Step) -> None:
        """Submit the job, unless the host has it already, and follow it to its end.

        It is what the intent says, to which the way back belongs that was written down with it: another
        version of Skipstone may have begun the attempt, and render the step otherwise.
        """
        entry = self._entry(step)
        intent = self._journal.intent(step.id)
        command = Command(intent["host"], intent["script"])
        job = self._make_job(step, entry.attempt, command.host)
        follower = Follower(self._asker, job, command, taken=entry.taken, offset=entry.offset)
        try:
            async with self._pausing(step, follower):
                async for news in follower.news(
                    until=self._give_up_at(entry),
                    on_silence=lambda seen: self._note_silence(step, seen),
                ):
                    with self._journal.together():
                        self._write_news(step, job, news)
        except JobRefused as refusal:
            self._fail(step, f"{command.host} could not start the job, so nothing was run", str(refusal))
        except NoAnswer as silence:
            self._note_silence(step, str(silence))

    @asynccontextmanager
    async def _pausing(self, step: Step, follower: Follower) -> AsyncIterator[None]:
        """Let the job be asked to pause, where it can, once no new attempt may begin."""
        if not step.pausable:
            yield
            return
        asking = asyncio.ensure_future(follower.pause_when(self._stopping))
        try:
            yield
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    def _write_news(self, step: Step, job: Job, news: News) -> None:
        if self._entry(step).state is not StepState.RUNNING:
            self._note(
                step, Kind.SUBMITTED, directory=str(job.directory), unit=job.unit if job.own_unit else ""
            )
        if news.output:
            text = news.output.decode(errors="replace")
            self._note(step, Kind.OUTPUT, text=text, offset=news.offset + len(news.output))
        if news.state is not JobState.RUNNING:
            self._note(
                step,
                Kind.OUTCOME,
                end=news.state,
                code=news.code if news.state is JobState.EXITED else None,
                seconds=news.seconds,
                rebooted=news.rebooted,
            )

    async def _judge(self, step: Step) -> None:
        """Say whether the job that is over did what it should."""
        entry = self._entry(step)
        if step.pausable and entry.code == ExitCode.PAUSED:
            self._note(step, Kind.PAUSED)
            return
        if entry.code != 0:
            evidence = tail(self._journal.output(step.id, entry.attempt))
            self._fail(step, _verdict(step, entry), await self._diagnosed(step, evidence))
            return
        try:
            answer = await self._check(step, step.verify())
        except NoAnswer as silence:
            self._note_silence(step, str(silence))
            return
        if answer is None or answer.ok:
            self._note(step, Kind.VERIFIED, evidence=tail(answer.stdout) if answer else "")
        else:
            evidence = await self._diagnosed(step, tail(answer.stdout + answer.stderr))
            self._fail(step, "it ended well, but its effect cannot be seen", evidence)

    async def _diagnosed(self, step: Step, evidence: str) -> str:
        """Return the evidence with what the step's diagnosis adds; without it where nobody answers."""
        command = step.diagnose()
        if command is None:
            return evidence
        try:
            answer = await self._asker.ask(
                command, deadline=DIAGNOSIS, until=time.monotonic(), on_silence=lambda _: None
            )
        except NoAnswer:
            return evidence
        return f"{evidence}\n{tail(answer.stdout)}".strip()

    async def _check(self, step: Step, command: Command | None) -> Outcome | None:
        """Ask a read-only question; None where the step has none. Raise NoAnswer."""
        if command is None:
            return None
        until = time.monotonic() + self._asker.patience.silence
        return await self._asker.ask(command, deadline=step.deadline, until=until, on_silence=lambda _: None)

    def _give_up_at(self, entry: StepView) -> float:
        """Return when to stop asking for a job, on the monotonic clock: the host ends it at its deadline.

        What an attempt of an earlier process has spent only the journal's times say; that clock may have been
        set since.
        """
        now = time.monotonic()
        began = self._began_here.get((entry.id, entry.attempt))
        spent = now - began if began is not None else _seconds_since(entry.attempt_began)
        return now + max(entry.deadline - spent, 0) + self._asker.patience.silence

    def _entry(self, step: Step) -> StepView:
        return self._journal.step(step.id)

    def _note(self, step: Step, kind: Kind, **facts: object) -> None:
        self._journal.append(kind, step=step.id, attempt=self._entry(step).attempt, **facts)

    def _note_silence(self, step: Step, seen: str) -> None:
        remedy = "see whether the host is up and sshd answers; apply asks it for the job again"
        self._note(step, Kind.NO_ANSWER, what=f"{step.host} does not answer", evidence=seen, remedy=remedy)

    def _fail(self, step: Step, what: str, evidence: str, remedy: str = "") -> None:
        remedy = remedy or "see the evidence, repair the cause, then `skipstone resume` goes on here"
        self._note(step, Kind.FAILURE, what=what, evidence=evidence, remedy=remedy)


def command_of(step: Step, *, again: bool) -> Command:
    """Return what an attempt runs: ``apply``, and after a failed one ``reset`` before it."""
    command, reset = step.apply(), step.reset()
    if not again or reset is None:
        return command
    # subshells, for each script may exit; not joined by ||, which would switch their `set -e` off
    script = f"(\n{reset.script}\n)\ncode=$?\n[ $code = 0 ] || exit $code\n(\n{command.script}\n)\n"
    return Command(command.host, script)


def _facts(command: Command | None) -> dict[str, str] | None:
    return None if command is None else {"host": command.host, "script": command.script}


def tail(text: str) -> str:
    """Return the last lines, as evidence."""
    return "\n".join(text.strip().splitlines()[-EVIDENCE_LINES:])


def _verdict(step: Step, entry: StepView) -> str:
    if entry.code is None:
        return "its job was lost: " + (
            "the host was rebooted" if entry.rebooted else "it was killed on the host"
        )
    if entry.code in {TIMED_OUT, KILLED} and entry.seconds >= step.deadline:
        return f"it was not over at its deadline of {step.deadline} s, and was ended"
    return f"its script exited with {entry.code}"


def _seconds_since(then: datetime | None) -> float:
    """Return how long ago that was, nothing where the clock says that it is yet to come."""
    return max((datetime.now(UTC) - then).total_seconds(), 0) if then else 0
