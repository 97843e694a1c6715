"""Follows one job from its submission to its end, over as many connections as that takes."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from skipstone.cloud.command import Command, Outcome
from skipstone.errors import SkipstoneError
from skipstone.run.job import CHUNK, REFUSED, Job, JobState, News, parse_news
from skipstone.run.question import Asker, NoAnswer, Nonsense


class JobRefused(Exception):  # noqa: N818 - reads as what happened
    """The host could not start the job; the text is what it said."""


class Follower:
    """Follows one attempt's job.

    ``taken`` says that the host is known to have the job: it is then never submitted again, and a host
    that does not know it has lost it. ``offset`` is how much of its output is known already.
    """

    def __init__(self, asker: Asker, job: Job, command: Command, *, taken: bool, offset: int) -> None:
        self._asker = asker
        self._job = job
        self._command = command
        self._taken = taken
        self._offset = offset
        self._line = b""

    async def news(self, *, until: float, on_silence: Callable[[str], None]) -> AsyncIterator[News]:
        """Yield what the host says, with whole lines of output, until the job is over (the last one).

        Raise JobRefused where it was never started, NoAnswer where the host is silent at ``until``.
        """
        over = False
        while not over:
            answer = await self._ask(until, on_silence)
            if answer.state is JobState.ABSENT and not self._taken:
                if time.monotonic() >= until:
                    raise NoAnswer("the job was handed over, but did not begin")
                continue
            self._taken = True
            over = answer.state is not JobState.RUNNING and len(answer.output) < CHUNK
            whole = self._whole_lines(answer, over=over)
            if over and whole.state is JobState.ABSENT:
                whole = replace(whole, state=JobState.LOST)
            yield whole if over else replace(whole, state=JobState.RUNNING)

    async def _ask(self, until: float, on_silence: Callable[[str], None]) -> News:
        if self._taken:
            wait = self._asker.patience.watch
            script = self._job.watch(offset=self._offset, wait=wait)
        else:
            wait = self._asker.patience.first_watch
            script = self._job.submission(self._command.script, wait=wait)
        return await self._asker.ask_for(
            _read,
            Command(self._command.host, script),
            deadline=wait + self._asker.patience.grace,
            until=until,
            on_silence=on_silence,
        )

    async def pause_when(self, wanted: Callable[[], bool]) -> None:
        """Ask the job to stop where it is once that is ``wanted``; return when the host has heard it.

        Until then it is asked again and again: cancel this where the job is over.
        """
        command = Command(self._command.host, self._job.pause())
        while True:
            if wanted() and await self._heard(command):
                return
            await asyncio.sleep(self._asker.patience.pause)

    async def _heard(self, command: Command) -> bool:
        try:
            answer = await self._asker.ask(
                command,
                deadline=self._asker.patience.grace,
                until=time.monotonic(),
                on_silence=lambda _: None,
            )
        except NoAnswer:
            return False
        return answer.ok

    def _whole_lines(self, news: News, *, over: bool) -> News:
        """Cut after the last line feed (a secret must not be cut in two), or after everything at the end."""
        skipped = news.offset - self._offset
        output = self._line + news.output
        self._offset = news.offset + len(news.output)
        if skipped > 0:
            output = b"[%d bytes are only in the host's file]\n" % skipped + output
        end = len(output) if over or len(output) > CHUNK else output.rfind(b"\n") + 1
        self._line = output[end:]
        return replace(news, output=output[:end], offset=self._offset - len(self._line) - end)


def _read(answer: Outcome) -> News:
    if answer.code == REFUSED:
        raise JobRefused(answer.stderr.strip() or "it said nothing")
    try:
        return parse_news(answer.stdout)
    except SkipstoneError as error:
        said = re.sub(r"\s+", " ", answer.stderr + error.evidence)[-500:]
        raise Nonsense(f"{error} (exit code {answer.code}): {said}") from error
