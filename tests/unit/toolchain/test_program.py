"""What failed programs write (recorded), and what the operator is told."""

import sys

import pytest

from skipstone.errors import ToolchainError
from skipstone.toolchain.program import environment, failure, run

RECORDED = {
    "the disk is full": """error: Failed to write to the client cache
  cause: failed to write to file `/x/c/.tmpcS24rG`: No space left on device (os error 28)""",
    "a package is not the one that was locked": """error: Failed to download `amqp==5.1.1`
  cause: Hash mismatch for `amqp==5.1.1`

         Expected:
           sha256:000013fecc0893e946c65cbd5f36427861cffa4ea2201d8f6fca22e2a373b5e2""",
    "the package index is out of reach": """error: Request failed after 3 retries in 9.7s
  cause: Failed to fetch: https://index.invalid/simple/alembic/
  cause: error sending request for url (https://index.invalid/simple/alembic/)
  cause: client error (Connect)
  cause: dns error""",
    "a locked package is not where packages come from": """
error: No solution found when resolving dependencies
  cause: Because there is no version of nova==26.9.9 and you require nova==26.9.9""",
    "the Debian archive is out of reach": """E: Failed to fetch http://mirror.invalid/debian/dists/bullseye/InRelease
E: Some index files failed to download. They have been ignored, or old ones used instead.
E: apt-get update --error-on=any failed: process exited with 100""",
    "this machine does not let an ordinary user": "unshare: unshare failed: Operation not permitted",
}


@pytest.mark.parametrize("meaning", RECORDED)
def test_the_sign_of_a_failure_is_understood(meaning: str) -> None:
    error = failure(RECORDED[meaning], what="nothing was installed", where="/cache")
    assert meaning in error.what
    assert error.what.startswith("nothing was installed: ")
    assert error.where == "/cache"
    assert error.evidence.splitlines()[-1] == RECORDED[meaning].splitlines()[-1]
    assert error.remedy


def test_an_index_that_answers_no_is_no_debian_archive() -> None:
    said = "error: Failed to fetch: `https://index.invalid/simple/nova/`\n  cause: HTTP status 503"
    assert "package index" in failure(said, what="x", where="y").what


def test_an_unknown_failure_keeps_its_last_words() -> None:
    error = failure("\n".join(f"line {number}" for number in range(99)), what="it failed", where="/cache")
    assert error.what == "it failed"
    assert error.evidence.splitlines()[-1] == "line 98"
    assert len(error.evidence.splitlines()) < 20


def test_a_missing_program_is_named() -> None:
    with pytest.raises(ToolchainError, match="no-such-program is not there") as caught:
        run(["no-such-program"], what="x", where="here", timeout=5)
    assert "apt-get install no-such-program" in caught.value.remedy


def test_a_program_that_hangs_is_ended() -> None:
    with pytest.raises(ToolchainError, match="longer than"):
        run([sys.executable, "-c", "import time; time.sleep(60)"], what="x", where="here", timeout=0.2)


def test_the_callers_virtualenv_is_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", "/elsewhere")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://index.example")
    passed = environment({"CC": "/bin/false"})
    assert "/elsewhere" not in passed.values()
    assert passed["UV_DEFAULT_INDEX"] == "https://index.example"
    assert passed["CC"] == "/bin/false"
