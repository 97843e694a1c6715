"""What is counted on as the recording grows says the same as reading all of it."""

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skipstone.errors import InputError
from skipstone.impact.measurement import Impact, measure
from skipstone.impact.outage import Span, Stream
from skipstone.impact.recording import Beat, Mark, Note, Recording
from skipstone.impact.sample import Kind, Probe, Reply, Sample
from skipstone.impact.tally import FILE, Count, Felt, Tally

SECOND = 1_000_000
START = 1_790_000_000 * SECOND


def figures(felt: Felt) -> tuple[float, ...]:
    return felt.asked, felt.bad, felt.longest, felt.total, felt.gap


def figures_of(stream: Stream) -> tuple[float, ...]:
    return stream.asked, stream.bad, stream.longest, stream.total, stream.longest_gap


def streams(impact: Impact) -> dict[tuple[Kind, str], Stream]:
    found = [*impact.apis, *impact.pairs, *impact.disks]
    found += [one for vm in impact.instances for one in (vm.ping, vm.tcp, vm.boot) if one]
    return {(one.kind, one.subject): one for one in found}


questions = st.lists(
    st.tuples(
        st.integers(min_value=1, max_value=2 * SECOND),  # since the question before
        st.integers(min_value=0, max_value=2 * SECOND),  # until the reply
        st.sampled_from([Reply.GOOD, Reply.GOOD, Reply.BAD, Reply.NOT_ASKED]),
    ),
    min_size=1,
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(
    asked=questions,
    kind=st.sampled_from([Kind.READ, Kind.PING, Kind.BOOT, Kind.PAIR]),
    looks=st.sets(st.integers(min_value=0, max_value=100), max_size=6),
    silent=st.integers(min_value=0, max_value=40),
    kept=st.booleans(),
)
def test_it_says_what_the_whole_recording_says(  # noqa: PLR0917 - hypothesis gives them by name
    tmp_path_factory: pytest.TempPathFactory,
    asked: list[tuple[int, int, Reply]],
    kind: Kind,
    looks: set[int],
    silent: int,
    kept: bool,
) -> None:
    """The recording grows second by second, as the prober writes it; ``silent`` is a time without pulses."""
    directory = tmp_path_factory.mktemp("recording")
    samples: list[Sample] = []
    at = START
    for since, took, reply in asked:
        at += since if kind.overlaps else max(since, samples[-1].took if samples else 0)
        samples.append(Sample(1, at, took, reply, "x", None))
    last = max(sample.ended for sample in samples) // SECOND + 6
    tally = Tally()
    with Recording.create(directory) as recording:
        recording.note(Note(START, Mark.BEGAN, ""))
        recording.probe(kind, "s", "s", "t")
        written = 0
        for second in range(START // SECOND, last + 1):
            if second != last and silent <= second - START // SECOND < silent + 6:
                continue
            now = [one for one in samples if written < one.ended <= second * SECOND]
            recording.write(now, [Beat(second * SECOND, 0, 0)])
            written = second * SECOND
            if second - START // SECOND in looks:
                tally.advance(directory)
                if kept:
                    tally.save(directory)
                    tally = Tally.load(directory)
        recording.note(Note(last * SECOND, Mark.ENDED, ""))
    tally.advance(directory)
    found = streams(measure(directory))
    if any(one.reply is not Reply.NOT_ASKED for one in samples):
        (felt,) = tally.felt()
        assert figures(felt) == pytest.approx(figures_of(found[kind, "s"]))


def test_an_outage_that_goes_on_is_counted_until_now(tmp_path: Path) -> None:
    tally = Tally()
    with Recording.create(tmp_path) as recording:
        recording.note(Note(START, Mark.BEGAN, ""))
        probe = recording.probe(Kind.WRITE, "nova", "nova", "u").id
        recording.write([Sample(probe, START + SECOND, 0, Reply.GOOD)], [Beat(START + SECOND, 0, 0)])
        for second in range(2, 40):
            at = START + second * SECOND
            recording.write([Sample(probe, at, 0, Reply.BAD, "HTTP 503")], [Beat(at, 0, 0)])
        tally.advance(tmp_path)
        (felt,) = tally.felt()
        assert (felt.out, felt.total, felt.longest) == (38, 38, 38)
        at = START + 40 * SECOND
        recording.write([Sample(probe, at, 0, Reply.GOOD)], [Beat(at, 0, 0)])
        tally.advance(tmp_path)
    (felt,) = tally.felt()
    assert (felt.out, felt.total, felt.longest) == (0, 39, 39)


def test_a_look_reads_only_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    add = Count.add

    def counted(self: Count, one: Sample, blind: Sequence[Span]) -> None:
        read.append(one.sent)
        add(self, one, blind)

    monkeypatch.setattr(Count, "add", counted)
    tally = Tally()
    with Recording.create(tmp_path) as recording:
        recording.note(Note(START, Mark.BEGAN, ""))
        probe = recording.probe(Kind.READ, "nova", "nova", "u").id
        for second in range(300):
            at = START + second * SECOND
            recording.write([Sample(probe, at, 0, Reply.GOOD)], [Beat(at, 0, 0)])
            tally.advance(tmp_path)
            if second % 100 == 0:
                tally.save(tmp_path)
                tally = Tally.load(tmp_path)
    assert len(read) == len(set(read)) == 300
    assert all(before < after for before, after in pairwise(read))


def test_what_is_kept_is_no_truth(tmp_path: Path) -> None:
    for text in (
        "",
        "{}",
        '{"format": 9}',
        '{"format": 1, "counts": 3}',
        "[]",
        '{"format": 1, "counts": {"1": {}}}',
    ):
        (tmp_path / FILE).write_text(text)
        assert Tally.load(tmp_path) == Tally()


def test_nothing_recorded_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing was recorded"):
        Tally().advance(tmp_path)


def test_it_is_kept_whole() -> None:
    count = Count.of(Probe(1, Kind.PING, "i", "vm", "10.0.0.1"))
    count.add(Sample(1, START, 10, Reply.GOOD), ())
    count.add(Sample(1, START + SECOND, 10, Reply.BAD), ())
    assert json.loads(json.dumps(count.__dict__))["bad_since"] == START + SECOND
