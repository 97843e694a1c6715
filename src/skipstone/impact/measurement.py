"""The Impact: what users felt during a run, folded from the recording of its probes."""

from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from skipstone.cloud.model import Fact
from skipstone.errors import InputError
from skipstone.impact.outage import Boot, Span, Stream, find_boots, moment, summarise
from skipstone.impact.recording import Beat, Mark, Note, Recording, since_when_left_out
from skipstone.impact.sample import MICROSECONDS, Kind, Probe, Sample
from skipstone.impact.tally import blind_spans


class Blindness(Fact):
    """A time in which the probes themselves did not run: killed, or kept from the processor."""

    start: datetime
    end: datetime
    seconds: float


class InstanceImpact(Fact):
    """What users of one instance felt at one address; ``boot`` is None where it serves no boot-id.

    ``tcp`` is of connections to the port that the operator has named.
    """

    id: str
    name: str
    address: str
    ping: Stream | None
    boot: Stream | None
    tcp: Stream | None = None
    boots: tuple[Boot, ...]
    rebooted: bool


class Impact(Fact):
    """What users felt, and how far the measurement can be trusted.

    ``blind`` are times without probes; ``left_out`` the addresses that had never answered before the start,
    and the instances that were silent at their owners' wish, from when on;
    ``pairs`` is what canaries in instances say of one another, ``disks`` of their own writes;
    ``left_behind`` what the probes made and could not remove; ``cpu_seconds`` and ``memory`` (bytes) what
    they cost.
    """

    began: datetime
    ended: datetime
    apis: tuple[Stream, ...]
    instances: tuple[InstanceImpact, ...]
    pairs: tuple[Stream, ...] = ()
    disks: tuple[Stream, ...] = ()
    blind: tuple[Blindness, ...]
    left_out: tuple[str, ...]
    left_behind: tuple[str, ...]
    cpu_seconds: float
    memory: int

    @property
    def longest_outages(self) -> dict[str, float]:
        """Seconds of the longest outage of each API, of its reads or its writes."""
        longest: dict[str, float] = {}
        for stream in self.apis:
            longest[stream.name] = max(stream.longest, longest.get(stream.name, 0))
        return longest


def measure(directory: Path) -> Impact:
    """Return what the probes of a directory found; may be called while they run.

    Raise InputError where nothing was recorded.
    """
    with Recording.open(directory) as recording:
        notes = recording.notes()
        beats = tuple(recording.beats())
        starts = [note.at for note in notes if note.mark is Mark.BEGAN]
        if not starts:
            raise InputError("the probes never began", remedy="see prober.log beside the recording")
        # a prober that is killed within its first second has left a note and no pulse
        began, until = starts[0], max([*starts, *(beat.at for beat in beats[-1:])])
        blind = _blind(starts, until, beats)
        left = recording.left_out()
        probes = {probe.id: probe for probe in recording.probes()}
        streams: dict[int, Stream] = {}
        boots: dict[int, tuple[Boot, ...]] = {}
        for id_, samples in recording.samples():
            since = since_when_left_out(left, probes[id_])
            streams[id_], boots[id_] = _fold(probes[id_], samples, until, blind, since)
    return Impact(
        began=moment(began),
        ended=moment(until),
        apis=tuple(stream for stream in streams.values() if stream.kind.of_api),
        pairs=tuple(stream for stream in streams.values() if stream.kind is Kind.PAIR),
        disks=tuple(stream for stream in streams.values() if stream.kind is Kind.DISK),
        instances=_instances(probes.values(), streams, boots),
        blind=tuple(
            Blindness(start=moment(start), end=moment(end), seconds=(end - start) / MICROSECONDS)
            for start, end in blind
        ),
        left_out=(*_texts(notes, Mark.LEFT_OUT), *(one.text for one in left)),
        left_behind=_texts(_since(notes, Mark.CLEANING), Mark.LEFT_BEHIND),
        cpu_seconds=_cpu(beats),
        memory=max((beat.memory for beat in beats), default=0),
    )


def _fold(
    probe: Probe, samples: Iterable[Sample], until: int, blind: tuple[Span, ...], left: int | None
) -> tuple[Stream, tuple[Boot, ...]]:
    """Return what one probe found, until it was ``left`` out, if it was."""
    until = until if left is None else min(until, left)
    kept = tuple(sample for sample in samples if left is None or sample.sent < left)
    return summarise(probe, kept, until, blind), find_boots(kept) if probe.kind is Kind.BOOT else ()


def _instances(
    probes: Iterable[Probe], streams: dict[int, Stream], boots: dict[int, tuple[Boot, ...]]
) -> tuple[InstanceImpact, ...]:
    asked = [probe for probe in probes if probe.kind.of_instance and probe.id in streams]
    by_address: dict[tuple[str, str], dict[Kind, Probe]] = {}
    for probe in asked:
        by_address.setdefault((probe.subject, probe.target), {})[probe.kind] = probe
    return tuple(
        _instance(kinds, streams, boots.get(kinds[Kind.BOOT].id, ()) if Kind.BOOT in kinds else ())
        for kinds in by_address.values()
    )


def _instance(
    kinds: dict[Kind, Probe], streams: dict[int, Stream], boots: tuple[Boot, ...]
) -> InstanceImpact:
    probe = next(iter(kinds.values()))
    found = {kind: streams[probe.id] for kind, probe in kinds.items()}
    return InstanceImpact(
        id=probe.subject,
        name=probe.name,
        address=probe.target,
        ping=found.get(Kind.PING),
        tcp=found.get(Kind.TCP),
        boot=found.get(Kind.BOOT),
        boots=boots,
        rebooted=len(boots) > 1,
    )


def _blind(starts: list[int], until: int, beats: tuple[Beat, ...]) -> tuple[Span, ...]:
    return tuple(blind_spans(sorted({*starts, *(beat.at for beat in beats), until}), set(starts[1:])))


def _cpu(beats: tuple[Beat, ...]) -> float:
    # a prober that was started again counts from zero
    readings = [0, *(beat.cpu for beat in beats)]
    return sum(now - before if now >= before else now for before, now in pairwise(readings)) / MICROSECONDS


def _since(notes: tuple[Note, ...], mark: Mark) -> tuple[Note, ...]:
    """Return the notes from the last one of this mark on."""
    last = max((index for index, note in enumerate(notes) if note.mark is mark), default=0)
    return notes[last:]


def _texts(notes: tuple[Note, ...], mark: Mark) -> tuple[str, ...]:
    return tuple(dict.fromkeys(note.text for note in notes if note.mark is mark))
