from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skipstone.impact.outage import Outage, find_boots, find_outages, moment, summarise
from skipstone.impact.sample import MICROSECONDS, Kind, Probe, Reply, Sample

PROBE = Probe(1, Kind.PING, "id", "vm", "10.0.0.1")
G, B, N = Reply.GOOD, Reply.BAD, Reply.NOT_ASKED
SECOND = MICROSECONDS


def at(
    second: float, reply: Reply = G, took: float = 0.01, text: str = "", uptime: float | None = None
) -> Sample:
    return Sample(1, int(second * SECOND), int(took * SECOND), reply, text, uptime)


def test_an_outage_lasts_from_the_last_good_reply_to_the_next() -> None:
    samples = [at(0), at(1, B, 2, "no reply"), at(3, B, 0, "refused"), at(4, G, 0.5)]
    (outage,) = find_outages(samples, 9 * SECOND)
    assert outage == Outage(
        start=moment(10_000),
        end=moment(4_500_000),
        seconds=4.49,
        unseen=0,
        bad=2,
        reasons={"no reply": 1, "refused": 1},
        ended=True,
    )


def test_an_outage_may_last_until_the_end_of_probing_or_from_its_start() -> None:
    (outage,) = find_outages([at(5, B), at(6, B)], 10 * SECOND)
    assert (outage.start, outage.seconds, outage.ended) == (moment(5 * SECOND), 5.0, False)


def test_what_was_not_asked_neither_makes_nor_ends_an_outage() -> None:
    assert not list(find_outages([at(0), at(1, N), at(2)], 9))
    (outage,) = find_outages([at(0), at(1, B), at(2, N), at(3, B), at(4)], 9)
    assert (outage.bad, outage.seconds) == (2, 4.0)


def test_a_slow_good_reply_is_a_gap_and_no_outage() -> None:
    stream = summarise(PROBE, [at(0), at(1, G, 3), at(4.5)], 9)
    assert stream.outages == ()
    assert (stream.longest, stream.longest_gap, stream.slowest) == (0.0, 3.99, 3.0)


def test_a_time_without_probes_is_no_gap() -> None:
    stream = summarise(PROBE, [at(0), at(0.2), at(40), at(40.5)], 41 * SECOND, [(SECOND, 39 * SECOND)])
    assert stream.longest_gap == 0.5
    # what was out before and after it is taken to have been out all along
    stream = summarise(PROBE, [at(0), at(0.2, B), at(40, B), at(41)], 41 * SECOND, [(SECOND, 39 * SECOND)])
    assert stream.longest_gap == stream.longest == 41
    assert stream.outages[0].unseen == 38


def test_a_ping_that_overtakes_another_never_gives_a_negative_outage() -> None:
    # sent at 0 and answered at 1.9; the next was lost; the third is back before the first
    (outage,) = find_outages([at(0, G, 1.9), at(0.2, B, 2), at(0.4)], 9)
    assert outage.seconds == pytest.approx(0.21)


def test_a_reboot_is_another_boot_id_or_an_uptime_that_goes_back() -> None:
    same = [at(0, text="aaa", uptime=10), at(1, B), at(2, text="aaa", uptime=12), at(3), at(4, N, text="why")]
    assert len(find_boots(same)) == 1
    assert [boot.boot_id for boot in find_boots([*same, at(5, text="bbb", uptime=16)])] == ["aaa", "bbb"]
    assert [boot.uptime for boot in find_boots([*same, at(5, text="aaa", uptime=3)])] == [10, 3]
    assert find_boots(same)[0].last == moment(2 * SECOND)


@dataclass(frozen=True)
class Model:
    """What an outage is, word for word and slowly."""

    start: int
    end: int
    bad: int


def by_the_book(samples: list[Sample], until: int) -> list[Model]:
    asked = [sample for sample in samples if sample.reply is not N]
    found: dict[tuple[int, int], list[Sample]] = {}
    for index, sample in enumerate(asked):
        if sample.reply is B:
            before = max((i for i in range(index) if asked[i].reply is G), default=-1)
            after = min((i for i in range(index, len(asked)) if asked[i].reply is G), default=len(asked))
            found.setdefault((before, after), []).append(sample)
    models = []
    for (before, after), bad in sorted(found.items()):
        first = min(sample.sent for sample in bad)
        start = first if before < 0 else min(first, asked[before].ended)
        end = max(until, first) if after == len(asked) else asked[after].ended
        models.append(Model(start, end, len(bad)))
    return models


def recordings() -> st.SearchStrategy[list[Sample]]:
    """Samples in the order they were sent; replies may overtake one another."""
    one = st.tuples(st.integers(1, 3 * SECOND), st.integers(0, 2 * SECOND), st.sampled_from(list(Reply)))

    def build(parts: list[tuple[int, int, Reply]]) -> list[Sample]:
        sent, samples = 0, []
        for pause, took, reply in parts:
            sent += pause
            samples.append(Sample(1, sent, took, reply, "why" if reply is B else ""))
        return samples

    return st.lists(one, max_size=40).map(build)


@given(recordings(), st.integers(0, 200 * SECOND))
def test_outages_are_as_by_the_book(samples: list[Sample], until: int) -> None:
    found = [(outage.start, outage.end, outage.bad) for outage in find_outages(samples, until)]
    assert found == [
        (moment(model.start), moment(model.end), model.bad) for model in by_the_book(samples, until)
    ]


@given(recordings(), st.integers(0, 200 * SECOND))
def test_a_stream_adds_up(samples: list[Sample], until: int) -> None:
    stream = summarise(PROBE, samples, until)
    assert stream.asked + stream.not_asked == len(samples)
    assert stream.bad == sum(outage.bad for outage in stream.outages)
    assert stream.longest <= stream.longest_gap
    assert stream.longest <= stream.total + 1e-9
    for before, after in zip(stream.outages, stream.outages[1:], strict=False):
        # a good reply lies between, so that no bad reply is counted twice
        assert before.ended
        assert before.start <= after.start
