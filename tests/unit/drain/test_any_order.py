"""Whatever goes wrong, in whatever order, and wherever the process is killed: drained is only what is."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skipstone.drain.drain import Result
from skipstone.drain.gear import Phase
from skipstone.drain.record import Event, Record
from skipstone.errors import SkipstoneError
from tests.unit.drain.conftest import QUICK, Bench, make_bench
from tests.unit.drain.courses import Course
from tests.unit.drain.fake_cloud import DrainCloud
from tests.unit.impact.fake_cloud import served


class Killed(BaseException):
    """What kill -9 is here."""


@contextmanager
def killed_at(count: int) -> Iterator[None]:
    """Kill the process when it has written so many lines."""
    append, left = Record.append, count

    def dying(record: Record, kind: Event, /, **facts: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        append(record, kind, **facts)

    with patch.object(Record, "append", dying):
        yield


def called(bench: Bench, kill: int, silent: set[str]) -> Result | None:
    """Drain once, with hosts that do not answer; None where it did not come to its end."""
    bench.hosts.silent = silent
    try:
        with killed_at(kill):
            return bench.drain()
    except (Killed, SkipstoneError):
        return None


def expect_truth(bench: Bench, result: Result) -> None:
    for ending in result.endings:
        if ending.phase is Phase.MOVED:
            assert bench.cloud.truth(ending.id) == {ending.target: "running"}
            assert set(bench.cloud.allocated[ending.id]) == {f"rp-{ending.target}"}
    assert "running" not in bench.cloud.hosts["cmp1"].guests.values()


sittings = st.tuples(st.integers(0, 14), st.sets(st.sampled_from(["cmp1", "cmp2", "cmp3"]), max_size=1))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    courses=st.lists(st.lists(st.sampled_from(Course), max_size=2), min_size=1, max_size=2),
    calls=st.lists(sittings, max_size=2),
)
def test_drained_is_what_libvirt_says_and_no_two_migrations_meet(
    courses: list[list[Course]], calls: list[tuple[int, set[str]]]
) -> None:
    with TemporaryDirectory() as directory, served(DrainCloud()) as cloud:
        assert isinstance(cloud, DrainCloud)
        bench = make_bench(cloud, Path(directory))
        bench.patience = QUICK
        for number, course in enumerate(courses):
            cloud.courses[cloud.add(f"vm{number}")] = list(course)
        for kill, silent in [*calls, (1000, set[str]())]:
            result = called(bench, kill, silent)
            assert not cloud.overlapping
            if result:
                expect_truth(bench, result)
