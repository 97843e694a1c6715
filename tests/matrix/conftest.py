"""The fault matrix in the lab. It takes hours: for `make faults`, which writes its table."""

import json
import os
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.lab.conftest import fresh_lab, machine

__all__ = ["fresh_lab", "machine", "note"]

RESULTS = Path(os.environ.get("SKIPSTONE_FAULTS_OUT", "out/faults.jsonl"))


PASSED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember which tests have passed, for those who write rows afterwards."""
    report = yield
    if report.when == "call":
        item.stash[PASSED] = report.passed
    return report


@pytest.fixture
def note() -> Callable[..., None]:
    """Write one row of the table."""

    def write(what: str, then: str, end: str, seconds: float) -> None:
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        with RESULTS.open("a") as file:
            row = {"what": what, "then": then, "end": end, "seconds": round(seconds)}
            file.write(json.dumps({**row, "date": f"{datetime.now(UTC):%Y-%m-%d}"}) + "\n")

    return write
