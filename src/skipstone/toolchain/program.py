"""Programs that toolchains are built with: what they leave behind when they fail, as an error that helps."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from skipstone.errors import ToolchainError

EVIDENCE_LINES = 15
# they would lead a virtualenv's Python, or uv, to other packages than its own
FOREIGN = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "CONDA_PREFIX", "UV_PYTHON", "UV_PROJECT_ENVIRONMENT")


class Sign(NamedTuple):
    """A pattern in what uv, pip or mmdebstrap write, what has happened then, and what to do."""

    pattern: str
    meaning: str
    remedy: str


# the first that is found counts
SIGNS = (
    Sign(
        r"no space left on device|disk quota exceeded|os error (28|122)",
        "the disk is full",
        """make room for about 1 GB there and in the download cache (`uv cache dir`), or name other places
with SKIPSTONE_CACHE_DIR and UV_CACHE_DIR""",
    ),
    Sign(
        r"hash(es)? mismatch|do not match the hashes",
        "a package is not the one that was locked",
        """something on the way to the package index changes packages, or the download cache is damaged
(`uv cache clean`); where neither is so, tell the maintainers""",
    ),
    Sign(
        r"(dns|connect) error|error sending request|operation timed out|max retries|peer certificate"
        r"|failed to fetch: ",
        "the package index is out of reach",
        """uv reads the index, proxies and certificates from its own configuration (UV_DEFAULT_INDEX,
SSL_CERT_FILE, uv.toml); without a network, fill a directory with `skipstone toolchain download` elsewhere
and give it with --wheels""",
    ),
    Sign(
        r"no solution found|not found in the|no matching distribution|no usable wheels|there is no version",
        "a locked package is not where packages come from",
        "a mirror may lack it; with --wheels, fill the directory anew: `skipstone toolchain download`",
    ),
    Sign(
        r"failed to fetch|unable to locate package|does not have a release file|apt-get update .* failed",
        "the Debian archive is out of reach, or has no longer the suite",
        """the mirror of this machine's apt must carry the suite; Debian moves old ones to its archive""",
    ),
    Sign(
        r"operation not permitted|permission denied",
        "this machine does not let an ordinary user have a file system of its own",
        "run it as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1)",
    ),
)


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without what would lead to other packages, with these changes."""
    own = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return own | dict(changes or {})


def run(
    argv: Sequence[str],
    *,
    what: str,
    where: str,
    timeout: float,
    changes: Mapping[str, str] | None = None,
    together: bool = False,
) -> str:
    """Run a program to its end and return what it wrote on stdout; ``together``: and on stderr.

    Raises ToolchainError, ``what`` being the sentence for a failure that has no sign of its own.
    """
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if together else subprocess.PIPE,
            text=True,
            errors="replace",
            env=environment(changes),
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        program = str(error.filename)
        raise ToolchainError(
            f"{program} is not there", where=where, remedy=f"install {program}: apt-get install {program}"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise ToolchainError(f"{what}: it took longer than {timeout:.0f} s", where=where) from error
    if done.returncode != 0:
        raise failure((done.stderr or "") + done.stdout, what=what, where=where)
    return done.stdout


def failure(output: str, *, what: str, where: str) -> ToolchainError:
    """Return the error that a failed program's output tells of."""
    evidence = "\n".join(output.strip().splitlines()[-EVIDENCE_LINES:])
    for sign in SIGNS:
        if re.search(sign.pattern, output, re.IGNORECASE):
            remedy = " ".join(sign.remedy.split())
            return ToolchainError(f"{what}: {sign.meaning}", where=where, evidence=evidence, remedy=remedy)
    return ToolchainError(what, where=where, evidence=evidence)
