"""What every script on a host needs: running programs that read, and collecting what failed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}

LONGEST = 600
"""Characters of a complaint that are kept."""


def run(*command: str, stdin: str | None = None, timeout: float = 60, codes: tuple[int, ...] = (0,)) -> str:
    """Return what a program prints, as it is; raise OSError with its last words where it fails."""
    try:
        done = subprocess.run(
            command,
            env={**ENVIRONMENT, "HOME": os.environ.get("HOME", "/root")},
            input=(stdin or "").encode(),
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(f"{command[0]} did not answer within {timeout:g} s") from error
    if done.returncode not in codes:
        said = (done.stderr or done.stdout).decode(errors="replace")
        raise OSError(f"{command[0]} exited with {done.returncode}: {excerpt(said)}")
    return done.stdout.decode(errors="replace")


def excerpt(text: str) -> str:
    """Return the beginning and the end of what a program complained, without colours and Erlang's cookie."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text).strip().splitlines()
    said = "\n".join(line for line in lines if line.strip() and "cookie" not in line)
    return said if len(said) <= LONGEST else f"{said[: LONGEST // 2]} [...] {said[-LONGEST // 2 :]}"


class Answer:
    """Facts under their names; a question that fails leaves a problem instead of a fact."""

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {}
        self.problems: list[dict[str, str]] = []

    def attempt(self, name: str, question: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever JSON holds
        """Return what a question answers, or None where it failed."""
        try:
            return question()
        except (OSError, ValueError, KeyError, IndexError) as error:
            self.problems.append({"name": name, "evidence": f"{type(error).__name__}: {error}"})
            return None

    def ask(self, name: str, question: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever JSON holds
        """Attempt a question and keep its answer, if any, as a fact of this name."""
        failed = len(self.problems)
        value = self.attempt(name, question)
        if len(self.problems) == failed:
            self.facts[name] = value
        return value

    def write(self) -> None:
        """Print the answer as one line of JSON."""
        sys.stdout.write(json.dumps({**self.facts, "problems": self.problems}) + "\n")
