"""Programs of the machine the lab runs on: started with a deadline, their failure told with its evidence."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from skipstone.errors import LabError

EVIDENCE_LINES = 15


def tail(text: str, lines: int = EVIDENCE_LINES) -> str:
    """Return the last lines of an output, the part that tells why."""
    return "\n".join(text.strip().splitlines()[-lines:])


def run(*argv: str | Path, timeout: float = 60, stdin: str | None = None, where: str = "") -> str:
    """Run a program to its end and return what it wrote on stdout.

    ``timeout`` is in seconds. Raises LabError when the program is missing, fails or takes longer.
    """
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise LabError(
            f"{words[0]} is not installed", where=where, remedy="tools/prepare-machine lab"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise LabError(
            f"{words[0]} took longer than {timeout:.0f} s", where=where, evidence=_shown(words)
        ) from error
    if done.returncode != 0:
        evidence = f"{_shown(words)}\n{tail(done.stderr + done.stdout)}"
        raise LabError(f"{words[0]} failed with exit code {done.returncode}", where=where, evidence=evidence)
    return done.stdout


def succeeds(*argv: str | Path, timeout: float = 60) -> bool:
    """Whether a program that only asks a question ends with 0."""
    try:
        run(*argv, timeout=timeout)
    except LabError:
        return False
    return True


def _shown(words: Sequence[str]) -> str:
    return "$ " + " ".join(words)[:400]
