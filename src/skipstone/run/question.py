"""A question to a host, asked again until it is answered.

Only for what may be asked twice: read-only scripts, and submissions of jobs, which start nothing twice. A
lost connection, a host that is being rebooted and an sshd that restarts are all silence, not an answer. Nor
is it one when a host runs no program at all for a moment, as while dpkg puts a new C library in its place.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from skipstone.cloud.command import Command, Outcome, Result, Transport
from skipstone.errors import HostUnreachable

Told = TypeVar("Told")


@dataclass(frozen=True)
class Patience:
    """How long is waited for what, in seconds.

    ``retries`` are the pauses before each further attempt at a step whose failures are transient;
    ``silence`` is how long a host that does not answer is asked again, beyond the deadline of what it does,
    and how long one whose answers make no sense;
    ``pause`` is the first wait between two such questions, doubled up to ``longest_pause``. One question
    about a job waits ``watch`` on the host for news, and its submission only ``first_watch``, for the journal
    does not say before its end that the host has the job; ``grace`` is what the connection may add.
    """

    retries: tuple[float, ...] = (5, 15, 45)
    silence: float = 120
    pause: float = 1
    longest_pause: float = 15
    watch: int = 20
    first_watch: int = 2
    grace: float = 30


class NoAnswer(Exception):  # noqa: N818 - reads as what happened
    """The host has not answered until the time for it was over; the text says what was seen instead."""


class Nonsense(Exception):  # noqa: N818 - reads as what happened
    """What a host said is no answer; the text has it."""


@dataclass(frozen=True)
class Asker:
    """Asks hosts through a transport, with patience."""

    transport: Transport
    patience: Patience

    async def ask(
        self, command: Command, *, deadline: float, until: float, on_silence: Callable[[str], None]
    ) -> Outcome:
        """Return the first answer, whatever it is; else as ``ask_for``."""
        return await self.ask_for(
            lambda outcome: outcome, command, deadline=deadline, until=until, on_silence=on_silence
        )

    async def ask_for(
        self,
        read: Callable[[Outcome], Told],
        command: Command,
        *,
        deadline: float,
        until: float,
        on_silence: Callable[[str], None],
    ) -> Told:
        """Return what ``read`` makes of the first answer; each question may take ``deadline`` seconds.

        ``read`` raises Nonsense where it is none, and the host is asked again. ``until`` is when to give up,
        on the clock of ``time.monotonic``; the first question is asked in any case. ``on_silence`` hears of
        the first question without an answer. Raise NoAnswer at the end.
        """
        pause, silent, nonsense = self.patience.pause, False, None
        while True:
            try:
                return read(await self._once(command, deadline))
            except _Silence as silence:
                seen, nonsense = str(silence), None
            except Nonsense as told:
                seen, nonsense = str(told), nonsense or time.monotonic() + self.patience.silence
            if not silent:
                on_silence(seen)
                silent = True
            if time.monotonic() + pause >= min(until, nonsense or until):
                raise NoAnswer(seen)
            await asyncio.sleep(pause)
            pause = min(2 * pause, self.patience.longest_pause)
            deadline = min(deadline, max(until - time.monotonic(), 1))

    async def _once(self, command: Command, deadline: float) -> Outcome:
        try:
            outcome = await self.transport.run(command, deadline=deadline)
        except HostUnreachable as error:
            raise _Silence(f"{error}: {error.evidence}") from error
        if outcome.result is Result.UNKNOWN:
            raise _Silence(outcome.stderr.strip() or "the connection was lost")
        return outcome


class _Silence(Exception):  # noqa: N818 - reads as what happened
    """This time there was no answer; the text says what was seen instead."""
