"""What a look at a run's recording costs, for short and long recordings of a hundred instances.

``PYTHONPATH=. python bench/tally.py``: processor time of the first look, of one that goes on from what was
kept, and of the look that ``apply`` takes every second.
"""

import tempfile
import time
from pathlib import Path
from statistics import median

from skipstone.impact.recording import Beat, Mark, Note, Recording
from skipstone.impact.sample import MICROSECONDS, Kind, Reply, Sample
from skipstone.impact.tally import Tally
from skipstone.views.felt import felt_lines

INSTANCES = 100
START = 1_790_000_000 * MICROSECONDS
RATES = {Kind.READ: 1, Kind.WRITE: 1, Kind.PING: 5, Kind.BOOT: 2}
"""Questions a second."""


def record(recording: Recording, first: int, last: int) -> None:
    """Write all samples of some seconds."""
    probes = [
        recording.probe(kind, name, name, "x")
        for kind in RATES
        for name in ("abcdefg" if kind.of_api else [f"vm{number}" for number in range(INSTANCES)])
    ]
    for second in range(first, last):
        at = START + second * MICROSECONDS
        samples = [
            Sample(one.id, at + turn * MICROSECONDS // RATES[one.kind], 900, Reply.GOOD, "", float(second))
            for one in probes
            for turn in range(RATES[one.kind])
        ]
        recording.write(samples, [Beat(at, 0, 0)])


def look(tally: Tally, directory: Path) -> float:
    """Look once, and return the processor time."""
    began = time.process_time()
    tally.advance(directory)
    felt_lines(tuple(tally.felt()))
    return time.process_time() - began


def measure(minutes: int) -> str:
    """Return the figures for a recording of so many minutes."""
    with tempfile.TemporaryDirectory() as base:
        directory, tally, end = Path(base), Tally(), minutes * 60
        with Recording.create(directory) as recording:
            recording.note(Note(START, Mark.BEGAN, ""))
            record(recording, 0, end)
            first = look(tally, directory)
            tally.save(directory)
            again = look(Tally.load(directory), directory)
            every = []
            for second in range(end, end + 20):
                record(recording, second, second + 1)
                every.append(look(tally, directory))
        kept = (directory / "tally.json").stat().st_size
    return (
        f"{minutes:>4} min: first {first:6.2f} s, from what was kept {again * 1000:5.1f} ms,"
        f" every second {median(every) * 1000:5.1f} ms; kept {kept // 1024} KiB"
    )


if __name__ == "__main__":
    for length in (5, 20, 60):
        print(measure(length), flush=True)
