"""Waiting for something that starts, and asking over HTTP whether it has."""

import time
import urllib.request
from collections.abc import Callable

from skipstone.errors import LabError


def wait_for(what: str, question: Callable[[], object], deadline: float, pause: float = 1.0) -> None:
    """Ask until the answer is true; raises LabError with the last failure after ``deadline`` seconds."""
    end = time.monotonic() + deadline
    evidence = ""
    while True:
        try:
            if question():
                return
        except Exception as error:  # noqa: BLE001 - a service that starts fails in every way there is
            evidence = f"{type(error).__name__}: {error}"
        if time.monotonic() > end:
            raise LabError(f"{what}: not within {deadline:.0f} s", evidence=evidence[-1500:])
        time.sleep(pause)


def fetch(url: str, timeout: float = 4) -> bytes:
    """Return the body behind a URL, without any proxy; raises OSError."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=timeout) as response:
        body: bytes = response.read()
    return body
