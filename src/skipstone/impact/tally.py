"""What users have felt so far, counted on as the recording grows.

``measure`` reads a whole recording; this reads each sample once, keeps a few numbers per probe, and says the
same (a test compares them). It is kept in a file beside the recording, so that who asks later reads only what
has come since. So a look costs what was recorded since the last one, however long the run has lasted.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from heapq import heappop, heappush
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from skipstone.errors import InputError
from skipstone.impact.outage import Span, went_back
from skipstone.impact.recording import Mark, Note, Recording, since_when_left_out
from skipstone.impact.sample import MICROSECONDS, Kind, Probe, Reply, Sample

FILE = "tally.json"
FORMAT = 1
BLIND_AFTER = 3 * MICROSECONDS
_LATE = 8 * MICROSECONDS
"""What an instance was asked so long ago is known to be good or lost, and was written: two seconds; and nova
was asked whether its owner made it silent, where it has answered at once: six (``owners.py``)."""


@dataclass
class Count:
    """What one probe has found so far; times in microseconds, the outage that goes on included nowhere.

    ``read`` is when the last sample that was counted was sent; ``good`` when its last good reply came, and
    ``bad_since`` when the first question since was sent that had a bad one. Replies may overtake one another:
    ``ends`` (a heap) has the good ones that a later question's may still precede, ``ended`` the one before.
    ``left`` is when its instance was left out: nothing that was sent then or later is counted.
    """

    kind: Kind
    subject: str
    name: str
    target: str
    read: int = 0
    asked: int = 0
    bad: int = 0
    good: int | None = None
    bad_since: int | None = None
    longest: int = 0
    total: int = 0
    gap: int = 0
    ended: int | None = None
    ends: list[int] = field(default_factory=list)
    boot: str = ""
    uptime: float | None = None
    reboots: int = 0
    left: int | None = None

    @classmethod
    def of(cls, probe: Probe) -> Self:
        """Return the count of a probe that has found nothing yet."""
        return cls(probe.kind, probe.subject, probe.name, probe.target)

    def add(self, sample: Sample, blind: Sequence[Span]) -> None:
        """Count one sample, in the order they were sent; ``blind`` are the times without probes."""
        self.read = sample.sent
        self.settle(blind, sample.sent)
        self.asked += sample.reply is not Reply.NOT_ASKED
        if sample.reply is Reply.BAD:
            self.bad += 1
            self.bad_since = sample.sent if self.bad_since is None else self.bad_since
        elif sample.reply is Reply.GOOD:
            self._add_good(sample)

    def settle(self, blind: Sequence[Span], until: int | None = None) -> None:
        """Take the good replies that came until a time, or all, as those that none precedes any more."""
        while self.ends and (until is None or self.ends[0] <= until):
            end = heappop(self.ends)
            crosses = any(start < end and (self.ended or 0) < after for start, after in reversed(blind))
            if self.ended is not None and not self.kind.of_guest and not crosses:
                self.gap = max(self.gap, end - self.ended)
            self.ended = end

    def _add_good(self, sample: Sample) -> None:
        heappush(self.ends, sample.ended)
        if self.bad_since is not None:
            length = sample.ended - self._start()
            self.total += length
            self.longest, self.gap = max(self.longest, length), max(self.gap, length)
            self.bad_since = None
        self.good = sample.ended
        if self.kind is Kind.BOOT and sample.text:
            other = sample.text != self.boot or went_back(self.uptime, sample.uptime)
            self.reboots += bool(self.boot) and other
            self.boot, self.uptime = sample.text, sample.uptime

    def _start(self) -> int:
        assert self.bad_since is not None  # noqa: S101 - who calls has looked
        return self.bad_since if self.good is None else min(self.good, self.bad_since)

    def open(self, until: int) -> float:
        """Return the seconds of the outage that goes on at a time, or 0."""
        if self.bad_since is None:
            return 0.0
        return (max(until, self.bad_since) - self._start()) / MICROSECONDS


@dataclass(frozen=True)
class Felt:
    """What one probe has found so far, in seconds, the outage that goes on (``out`` for so long) included."""

    kind: Kind
    subject: str
    name: str
    target: str
    asked: int
    bad: int
    out: float
    longest: float
    total: float
    gap: float
    reboots: int


@dataclass
class Tally:
    """The counts of a directory's recording, by probe; ``beat`` is the prober's last pulse that was read.

    ``left_out`` has a line for each instance that counts no more, for its owner has made it silent.
    """

    counts: dict[int, Count] = field(default_factory=dict)
    blind: list[Span] = field(default_factory=list)
    began: int = 0
    beat: int = 0
    over: bool = False
    left_out: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Return the tally as far as it was kept, or an empty one; ``advance`` reads what has come since."""
        try:
            data = json.loads((directory / FILE).read_text())
            if data.pop("format") != FORMAT:
                return cls()
            counts = {int(id_): _count(facts) for id_, facts in data.pop("counts").items()}
            blind = [(start, end) for start, end in data.pop("blind")]
            return cls(counts=counts, blind=blind, **data)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return cls()  # it is only kept to save time: the recording has it all

    def save(self, directory: Path) -> None:
        """Keep the tally beside the recording; a full disk is no reason to stop."""
        part = directory / f"{FILE}.part"
        try:
            part.write_text(json.dumps({"format": FORMAT, **asdict(self)}))
            part.replace(directory / FILE)
        except OSError:
            return

    def advance(self, directory: Path) -> None:
        """Count what was recorded since; raise InputError where nothing was, or it cannot be read."""
        try:
            with Recording.open(directory) as recording:
                self._read(recording)
        except sqlite3.Error as fault:
            raise InputError(
                "the recording cannot be read", where=str(directory), evidence=str(fault)
            ) from fault

    def _read(self, recording: Recording) -> None:
        notes = recording.notes()
        self._see(notes, [beat.at for beat in recording.beats(self.beat)])
        left = recording.left_out()
        self.left_out = [one.text for one in left]
        for probe in recording.probes():
            count = self._count(probe, since_when_left_out(left, probe))
            known = self._known(probe.kind) if count.left is None else count.left - 1
            for sample in recording.samples_of(probe.id, count.read, known):
                count.add(sample, self.blind)
            if self.over or count.left is not None:
                count.settle(self.blind)

    def _count(self, probe: Probe, left: int | None) -> Count:
        """Return a probe's count; one of before its instance was left out is begun anew."""
        found = self.counts.get(probe.id)
        if found is None or found.left != left:
            found = self.counts[probe.id] = Count.of(probe)
            found.left = left
        return found

    def _see(self, notes: tuple[Note, ...], beats: list[int]) -> None:
        """Take pulses and starts, and find the times without probes as ``measure`` does."""
        starts = [note.at for note in notes if note.mark is Mark.BEGAN]
        last = next((note.mark for note in reversed(notes) if note.mark is not Mark.LEFT_OUT), None)
        self.over = last in {Mark.CLEANING, Mark.LEFT_BEHIND, Mark.ENDED}
        if not starts:
            return
        self.began = starts[0]
        before = self.beat or self.began
        again = {start for start in starts[1:] if start > before}
        times = sorted({before, *again, *beats})
        self.blind += blind_spans(times, again)
        self.beat = times[-1]

    def _known(self, kind: Kind) -> int:
        """Return until when all of a kind's samples are known to be written."""
        late = not kind.of_api and not self.over
        return self.beat - _LATE if late else self.beat + MICROSECONDS

    def felt(self) -> Iterator[Felt]:
        """Yield what each probe that was asked has found."""
        for count in self.counts.values():
            if count.asked:
                yield self._felt(count)

    def _felt(self, count: Count) -> Felt:
        until = self.beat if self.over else min(self.beat, self._known(count.kind))
        last = count.open(until if count.left is None else count.left)
        return Felt(
            kind=count.kind,
            subject=count.subject,
            name=count.name,
            target=count.target,
            asked=count.asked,
            bad=count.bad,
            out=0.0 if count.left is not None else last,
            longest=max(count.longest / MICROSECONDS, last),
            total=count.total / MICROSECONDS + last,
            gap=max(count.gap / MICROSECONDS, last),
            reboots=count.reboots,
        )


def blind_spans(times: Sequence[int], again: set[int]) -> list[Span]:
    """Return the times without a pulse: longer ones, and of any length where probing was started again."""
    return [
        (before, after) for before, after in pairwise(times) if after - before > BLIND_AFTER or after in again
    ]


def _count(facts: dict[str, Any]) -> Count:
    return Count(**{**facts, "kind": Kind(facts["kind"])})
