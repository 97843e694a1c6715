import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from skipstone.drain.model import Kind
from skipstone.drain.record import Event, open_record, read_only
from skipstone.drain.testimony import Attempt
from skipstone.errors import InputError, RunLocked, RunStopped

ATTEMPT = Attempt("id", 1, Kind.LIVE, "cmp1", "cmp2", 7, 0.0)


def test_an_attempt_is_open_until_its_end_is_told(tmp_path: Path) -> None:
    path = tmp_path / "drains" / "cmp1.jsonl"
    with open_record(path, "cmp1") as record:
        record.append(Event.BEGUN, host="cmp1")
        record.append(Event.SERVICE, enabled=True, reason="")
        record.intend("vm", ATTEMPT, {"VCPU": 1})
    with open_record(path, "cmp1") as record:
        trace = record.chapter.traces["id"]
        assert trace.open
        assert (trace.open.target, trace.open.after, trace.open.accepted) == ("cmp2", 7, False)
        assert trace.home == "cmp1"
        record.append(Event.ANSWER, instance="id", accepted=True)
        record.append(Event.ENDED, instance="id", end="moved")
    with open_record(path, "cmp1") as record:
        assert [trace.name for trace in record.chapter.away] == ["vm"]
        assert record.chapter.traces["id"].open is None
        assert record.chapter.service
        assert record.chapter.service.enabled


def test_how_the_service_was_is_what_was_found_first(tmp_path: Path) -> None:
    with open_record(tmp_path / "r", "cmp1") as record:
        record.append(Event.BEGUN, host="cmp1")
        record.append(Event.SERVICE, enabled=True, reason="")
        record.append(Event.BEGUN, host="cmp1")
        record.append(Event.SERVICE, enabled=False, reason="somebody")
        assert record.chapter.service
        assert record.chapter.service.enabled


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_line_that_was_cut_off_is_dropped(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "r"
    with open_record(path, "cmp1") as record:
        record.append(Event.BEGUN, host="cmp1")
        whole = path.stat().st_size
        record.intend("vm", ATTEMPT, {})
    os.truncate(path, whole + cut)
    with open_record(path, "cmp1") as record:
        assert record.chapter.traces == {}
        record.intend("vm", ATTEMPT, {})
    with open_record(path, "cmp1") as record:
        assert record.chapter.traces["id"].open


@contextmanager
def room_for(path: Path, more: int) -> Iterator[None]:
    """Let a file grow by so many bytes: the kernel takes them, and refuses what comes after."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [0, 1, 40])
def test_what_a_full_disk_does_not_take_is_not_written_down(tmp_path: Path, room: int) -> None:
    path = tmp_path / "r"
    with open_record(path, "cmp1") as record:
        record.append(Event.BEGUN, host="cmp1")
        with (
            room_for(path, room),
            pytest.raises(RunStopped, match="nothing more is asked of nova") as stopped,
        ):
            record.intend("vm", ATTEMPT, {})
        assert "make room" in stopped.value.remedy
        assert record.chapter.traces == {}
    with open_record(path, "cmp1") as record:
        assert record.chapter.traces == {}


def test_with_room_again_no_line_follows_a_cut_one(tmp_path: Path) -> None:
    path = tmp_path / "r"
    with open_record(path, "cmp1") as record:
        record.append(Event.BEGUN, host="cmp1")
        with room_for(path, 40), pytest.raises(RunStopped):
            record.intend("other", ATTEMPT, {})
        record.intend("vm", ATTEMPT, {})
    with open_record(path, "cmp1") as record:
        assert [trace.name for trace in record.chapter.traces.values()] == ["vm"]


def test_one_process_has_it(tmp_path: Path) -> None:
    with open_record(tmp_path / "r", "cmp1"):
        with pytest.raises(RunLocked), open_record(tmp_path / "r", "cmp1"):
            pass
        with read_only(tmp_path / "r", "cmp1") as record:
            assert not record.chapter.begun


@pytest.mark.parametrize(
    "text", ["hello\n", '{"event":"nonsense"}\n', '{"event":"ended","instance":"x"}\n', "[]\n"]
)
def test_what_is_no_record_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "r").write_text(text)
    with pytest.raises(InputError), open_record(tmp_path / "r", "cmp1"):
        pass


def test_another_host_s_record_is_refused(tmp_path: Path) -> None:
    with open_record(tmp_path / "r", "cmp1") as record:
        record.append(Event.BEGUN, host="cmp1")
    with pytest.raises(InputError, match="of cmp1, not of cmp2"), open_record(tmp_path / "r", "cmp2"):
        pass
