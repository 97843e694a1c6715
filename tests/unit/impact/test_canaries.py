"""What canaries say becomes samples at the times when it happened."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skipstone.impact.canaries import Canaries, Entry, Heard, read_word
from skipstone.impact.outage import Stream, summarise
from skipstone.impact.sample import MICROSECONDS, Kind, Probe, Reply, Sample
from skipstone.impact.spec import InstanceTarget

BOOT = "efb12b2f-3626-44d2-8725-4417ac8010f9"
ZERO = 1_790_000_000 * MICROSECONDS
"""When the guest was booted."""
TARGETS = (
    InstanceTarget(id="a", name="web1", address="10.0.0.4"),
    InstanceTarget(id="a", name="web1", address="172.20.0.4"),
    InstanceTarget(id="b", name="web2", address="10.0.0.5"),
    InstanceTarget(id="c", name="web3", address="10.0.0.6"),
)


def at(second: float) -> int:
    return ZERO + int(second * MICROSECONDS)


def hear(canaries: Canaries, line: str, up: float, *, boot: str = BOOT, late: float = 0.0) -> list[Heard]:
    content = f"boot={boot} tick=1 up={up:.2f} {line}\n".encode()
    return canaries.hear(TARGETS[1], content, boot, up, at(up + late))


def stream(heard: Iterable[Heard], kind: Kind = Kind.PAIR) -> Stream:
    """Return what a report makes of what was heard."""
    by_time = {one.sent: one for one in reversed([one for one in heard if one.kind is kind])}
    samples = [Sample(1, sent, 0, one.reply, one.text) for sent, one in sorted(by_time.items())]
    return summarise(Probe(1, kind, "a", "web1", "t"), samples, samples[-1].sent)


@pytest.mark.parametrize(
    ("line", "peers", "writes"),
    [
        ("", None, ()),
        ("peers=", (), ()),
        (
            "peers=10.0.0.5:ok@12.34,10.0.0.6:lost@9.10~3.00-7.20 write=12.1",
            (Entry("10.0.0.5", False, 12.34, None), Entry("10.0.0.6", True, 9.1, (3.0, 7.2))),
            (Entry("", False, 12.1, None),),
        ),
        (
            "write=/srv:lost@9,/data:ok@12~1-2",
            None,
            (Entry("/srv", True, 9, None), Entry("/data", False, 12, (1, 2))),
        ),
        ("peers=[fd00::5]:ok@1", (Entry("fd00::5", False, 1, None),), ()),
        # what was never reached, is of no form, lies in the future, or goes backward
        ("peers=10.0.0.5:lost@,10.0.0.6:maybe@3,web:ok@4,10.0.0.7:ok@99 write=many", (), ()),
        ("peers=10.0.0.5:ok@9~7-3", (Entry("10.0.0.5", False, 9, None),), ()),
    ],
)
def test_a_line_is_read(line: str, peers: tuple[Entry, ...] | None, writes: tuple[Entry, ...]) -> None:
    word = read_word(f"boot={BOOT} tick=7 up=13.50 {line}\n".encode(), 13.5)
    assert (word.peers, word.writes) == (peers, writes)


def test_a_line_of_an_earlier_guest_says_nothing_more() -> None:
    assert hear(Canaries(TARGETS), "", 5) == []


@given(st.binary(max_size=300))
def test_whatever_a_web_server_says_is_read_without_harm(content: bytes) -> None:
    canaries = Canaries(TARGETS)
    assert len(canaries.hear(TARGETS[0], content + b" peers=" + content, BOOT, 5.0, at(5))) <= 64


def test_an_outage_between_two_instances_has_the_guests_own_times() -> None:
    canaries = Canaries(TARGETS)
    heard = hear(canaries, "peers=10.0.0.5:ok@9.80", 10)
    heard += hear(canaries, "peers=10.0.0.5:lost@10.80", 12.5)
    heard += hear(canaries, "peers=10.0.0.5:lost@10.80", 13.5)
    heard += hear(canaries, "peers=10.0.0.5:ok@17.30~10.80-15.30", 17.5)
    found = stream(heard)
    (outage,) = found.outages
    assert (outage.seconds, outage.ended, outage.reasons) == (4.5, True, {"lost": 3})
    assert {one.name for one in heard} == {"web1 → web2"}


def test_an_outage_is_known_although_nobody_could_ask_meanwhile() -> None:
    canaries = Canaries(TARGETS)
    heard = hear(canaries, "peers=10.0.0.5:ok@9.80", 10)
    heard += hear(canaries, "peers=10.0.0.5:ok@39.90~12.00-20.00", 40)
    found = stream(heard)
    assert [outage.seconds for outage in found.outages] == [8]
    # and a time in which it was only not heard is neither outage nor gap
    canaries = Canaries(TARGETS)
    heard = hear(canaries, "peers=10.0.0.5:ok@9.80", 10)
    heard += hear(canaries, "peers=10.0.0.5:ok@39.90", 40)
    assert (stream(heard).outages, stream(heard).longest_gap) == ((), 0)


def test_what_was_before_the_probes_is_not_counted() -> None:
    heard = hear(Canaries(TARGETS), "peers=10.0.0.5:ok@9.80~3.00-7.00 write=9.9~1.0-8.0", 10)
    assert [(one.kind, one.reply) for one in heard] == [(Kind.PAIR, Reply.GOOD), (Kind.DISK, Reply.GOOD)]


def test_a_write_that_hangs_is_lost() -> None:
    canaries = Canaries(TARGETS)
    heard = hear(canaries, "write=9.80", 10)
    for up in (12, 13, 14, 20):  # today's form has no state: the time alone tells
        heard += hear(canaries, "write=9.80", up)
    heard += hear(canaries, "write=21.00", 21.2)
    (outage,) = stream(heard, Kind.DISK).outages
    assert outage.seconds == pytest.approx(11.2)
    assert outage.bad == 3
    assert {one.name for one in heard} == {"web1"}


def test_a_page_that_is_read_twice_counts_once() -> None:
    canaries = Canaries(TARGETS)
    assert hear(canaries, "peers=10.0.0.5:lost@9.00", 10)
    assert hear(canaries, "peers=10.0.0.5:lost@9.00", 10, late=0.5) == []


def test_another_boot_begins_anew() -> None:
    canaries = Canaries(TARGETS)
    hear(canaries, "peers=10.0.0.5:ok@900.00", 901)
    (heard,) = canaries.hear(
        TARGETS[1], b"boot=other up=3.00 peers=10.0.0.5:ok@2.50~1.0-2.0", "other", 3.0, at(950)
    )
    assert (heard.sent, heard.reply) == (at(949.5), Reply.GOOD)


@settings(deadline=None)
@given(
    down=st.lists(st.tuples(st.integers(5, 40), st.integers(3, 15)), max_size=3),
    unheard=st.sets(st.integers(20, 150), max_size=40),
    stale=st.lists(st.floats(0, 1), min_size=8, max_size=8),
)
def test_outages_inside_are_found_within_a_second(
    down: list[tuple[int, int]], unheard: set[int], stale: list[float]
) -> None:
    """A guest that tries once a second; pages up to a second old; polls of which some come to nothing."""
    bad: set[int] = set()
    second, true = 10, []
    for since, length in down:
        second += since
        bad |= set(range(second, second + length))
        true.append(length + 1)  # from the last good second to the next
        second += length
    canaries, heard = Canaries(TARGETS), []
    good, past, told = 0, "", False
    for now in range(10, 200):
        if now in bad:
            told = True
        else:
            past, told = (f"~{good}.00-{now}.00", False) if told else (past, False)
            good = now
        # two outages may hide in a time without polls: only the last is told, so they are not drawn so close
        if now not in unheard or any(now - 20 < one < now for one in bad) or told:
            state = "lost" if told else "ok"
            line = f"peers=10.0.0.5:{state}@{good}.00{past}"
            heard += hear(canaries, line, now + 0.01, late=stale[now % 8])
    assert [outage.seconds for outage in stream(heard).outages] == pytest.approx(true, abs=1.1)


def test_each_canary_is_told_of_the_next_ones_and_not_too_often() -> None:
    many = tuple(
        InstanceTarget(id=f"i{number}", name=f"vm{number}", address=f"10.0.0.{number}")
        for number in range(10, 40)
    )
    canaries = Canaries(many)
    for target in many:
        if target.id != "i12":  # no canary
            canaries.hear(target, b"boot=x up=5.00 peers=", "x" * 8, 5.0, at(5))
    told = dict(canaries.due(at(6)))
    assert told["10.0.0.10"] == ("10.0.0.11", "10.0.0.13", "10.0.0.14", "10.0.0.15")
    assert told["10.0.0.39"] == ("10.0.0.10", "10.0.0.11", "10.0.0.13", "10.0.0.14")
    assert "10.0.0.12" not in told
    assert canaries.due(at(36)) == []
    assert len(canaries.due(at(70))) == 29


def test_one_canary_alone_is_told_of_nobody() -> None:
    canaries = Canaries(TARGETS)
    hear(canaries, "peers=", 5)
    assert canaries.due(at(6)) == []
