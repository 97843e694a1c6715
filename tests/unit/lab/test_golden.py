import os
import signal
import threading
import time

import pytest

from skipstone.errors import LabError
from skipstone.lab.golden import together


def test_tasks_run_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=5)

    def meets() -> None:
        both.wait()

    together([meets, meets])


def test_the_first_error_is_raised_once_all_have_ended() -> None:
    ended: list[str] = []

    def fails() -> None:
        raise LabError("broken")

    def goes_on() -> None:
        time.sleep(0.1)
        ended.append("other")

    with pytest.raises(LabError, match="broken"):
        together([fails, goes_on])
    assert ended == ["other"]


def test_an_interruption_does_not_wait_for_the_tasks() -> None:
    release = threading.Event()

    def waits() -> None:
        release.wait(10)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        together([waits])
    signal.signal(signal.SIGINT, before)
    assert time.monotonic() - begin < 5
    release.set()
