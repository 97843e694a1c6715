"""One question put to one host by a script: its text, and what came back."""

import json
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from pydantic import JsonValue

from skipstone.cloud.command import Command, Outcome, Result, Transport
from skipstone.cloud.model import Asked, Problem
from skipstone.errors import HostUnreachable

Facts = Mapping[str, Any]
"""A script's answer: name of a fact -> its value, without what could not be asked."""


@dataclass(frozen=True)
class Reply:
    """What came back: facts, a problem for each question that could not be asked, and when (our clock)."""

    facts: Facts
    problems: tuple[Problem, ...]
    begun: float
    ended: float


def script(name: str, argument: JsonValue) -> str:
    """Return the shell text that runs one of ``scripts/`` on a host.

    The program is an argument of python3, not a file and not a here-document: bash keeps those in /tmp.
    ``-B`` keeps Python from writing byte code, ``-I`` from reading the user's settings.
    """
    program = shlex.quote(_source("reading") + _source(name))
    return (
        "command -v python3 >/dev/null || { echo 'there is no python3' >&2; exit 127; }\n"
        f"exec python3 -I -B -c {program} {shlex.quote(json.dumps(argument))}\n"
    )


def _source(name: str) -> str:
    """Return a script's source without the imports that only hold here."""
    text = (files("skipstone.cloud.scripts") / f"{name}.py").read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    if name != "reading":
        lines = [line for line in lines if "__future__" not in line]
    return "".join(line for line in lines if not line.startswith("from skipstone."))


_REMEDIES = {
    Asked.DATABASE: "see that MariaDB runs and root can use its socket (`mariadb -e 'SELECT 1'`)",
    Asked.BROKER: "see that RabbitMQ runs (`rabbitmqctl status`)",
    Asked.PACKAGES: "try the command on the host, and discover again",
}


class Silence(Exception):  # noqa: N818 - reads as what happened
    """No answer came; ``problem`` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.what)
        self.problem = problem


async def ask(
    transport: Transport, host: str, name: str, argument: JsonValue, *, about: Asked, deadline: float
) -> Reply:
    """Run a script on a host, and return its reply.

    Raise Silence where no answer came at all.
    """
    outcome = await _run(transport, Command(host, script(name, argument)), deadline)
    ended = time.time()
    try:
        facts = json.loads(outcome.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError) as error:
        raise Silence(_no_answer(host, name, outcome, about)) from error
    problems = tuple(_problem(host, about, said) for said in facts.pop("problems"))
    return Reply(facts, problems, ended - outcome.seconds, ended)


async def greet(transport: Transport, host: str) -> None:
    """Open a session with a host, so that later questions find it; raise Silence where none can be had."""
    await _run(transport, Command(host, "true"), 60)


async def _run(transport: Transport, command: Command, deadline: float) -> Outcome:
    try:
        return await transport.run(command, deadline=deadline)
    except HostUnreachable as error:
        said = Problem(
            asked=Asked.SSH, where=command.host, what=error.what, evidence=error.evidence, remedy=error.remedy
        )
        raise Silence(said) from error


def _problem(host: str, about: Asked, said: Mapping[str, str]) -> Problem:
    what = f"could not find out {said['name'].replace('_', ' ')}"
    return Problem(
        asked=about, where=host, what=what, evidence=said["evidence"], remedy=_REMEDIES.get(about, "")
    )


def _no_answer(host: str, name: str, outcome: Outcome, about: Asked) -> Problem:
    lost = outcome.result is Result.UNKNOWN
    return Problem(
        asked=about,
        where=host,
        what=f"the questions about its {name} were not answered",
        evidence=outcome.stderr.strip()[-600:] or f"exit {outcome.code}",
        remedy="look at the host's load and network, then discover again"
        if lost
        else "python3 must work there: OpenStack needs it too",
    )
