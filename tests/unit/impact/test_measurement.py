from pathlib import Path

import pytest

from skipstone.impact.measurement import measure
from skipstone.impact.recording import Beat, Mark, Note, Recording
from skipstone.impact.sample import MICROSECONDS, Kind, Reply, Sample

BEGIN = 1_800_000_000 * MICROSECONDS


def probed(recording: Recording, first: float, last: float) -> None:
    """Write one life of a prober, in seconds from the beginning: pulses every second, pings five times."""
    ping = recording.probe(Kind.PING, "id", "vm", "10.88.0.5")
    recording.note(Note(at(first), Mark.BEGAN, ""))
    pulses = [Beat(at(first + second), 0, 0) for second in range(int(last - first) + 1)]
    times = [at(first + number / 5) for number in range(int((last - first) * 5) + 1)]
    recording.write([Sample(ping.id, sent, 1000, Reply.GOOD) for sent in times], pulses)


def at(seconds: float) -> int:
    return BEGIN + int(seconds * MICROSECONDS)


def test_the_time_between_two_probers_is_blind_however_short(tmp_path: Path) -> None:
    with Recording.create(tmp_path) as recording:
        probed(recording, 0, 10)
        probed(recording, 12, 20)
    impact = measure(tmp_path)
    assert [span.seconds for span in impact.blind] == [2]
    (instance,) = impact.instances
    assert instance.ping
    assert instance.ping.longest_gap == pytest.approx(0.2, abs=0.01)


def test_a_pulse_that_comes_late_is_no_blindness(tmp_path: Path) -> None:
    with Recording.create(tmp_path) as recording:
        probed(recording, 0, 4)
        recording.write([], [Beat(at(6.5), 0, 0)])
    assert measure(tmp_path).blind == ()
