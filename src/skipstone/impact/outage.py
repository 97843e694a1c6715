"""What samples say about outages, gaps and reboots: pure, and the only place that decides it.

An **outage** is a time without a good reply that at least one bad reply proves: it lasts from the last good
reply before to the next good one after, so it is never understated by the pause between two questions. A
**gap** is the time between two good replies that follow one another, whether or not one between was bad.
Questions that could not be asked count as neither good nor bad.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from skipstone.cloud.model import Fact
from skipstone.impact.sample import MICROSECONDS, Kind, Probe, Reply, Sample

Span = tuple[int, int]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UPTIME_JITTER = 1.0


class Outage(Fact):
    """A time without a good reply; ``ended`` is false where probing ended before it did.

    ``bad`` counts the bad replies in it, ``reasons`` says of what kind they were; ``unseen`` are the seconds
    of it in which no probe ran.
    """

    start: datetime
    end: datetime
    seconds: float
    unseen: float
    bad: int
    reasons: dict[str, int]
    ended: bool


class Boot(Fact):
    """One life of an instance: when it was first and last seen, and the uptime it said first."""

    boot_id: str
    uptime: float | None
    first: datetime
    last: datetime


class Stream(Fact):
    """What one probe found: how often it asked, what was bad, and the outages; times in seconds.

    ``longest`` and ``total`` are of the outages; ``longest_gap`` and ``slowest`` of the good replies;
    ``excuses`` says why questions were not asked. ``subject`` is the service or the instance's id,
    ``name`` what people call it, ``target`` the URL or address.
    """

    kind: Kind
    subject: str
    name: str
    target: str
    asked: int
    bad: int
    not_asked: int
    outages: tuple[Outage, ...]
    longest: float
    total: float
    longest_gap: float
    slowest: float
    excuses: dict[str, int]


def moment(microseconds: int) -> datetime:
    """Return a sample's time as a datetime, exactly."""
    return _EPOCH + timedelta(microseconds=microseconds)


def find_outages(samples: Iterable[Sample], until: int, blind: Sequence[Span] = ()) -> Iterator[Outage]:
    """Yield the outages in samples that are in the order they were sent.

    ``until`` is when probing ended, and ``blind`` when no probe ran (start, end), in microseconds since the
    epoch. An outage without a good reply after it lasts until the end; one without a good reply before it
    starts when the first question was sent.
    """
    last_good: int | None = None
    first_bad: int | None = None
    reasons: Counter[str] = Counter()
    for sample in samples:
        if sample.reply is Reply.BAD:
            reasons[sample.text] += 1
            first_bad = sample.sent if first_bad is None else first_bad
        elif sample.reply is Reply.GOOD:
            if first_bad is not None:
                yield _outage(_start(last_good, first_bad), sample.ended, reasons, blind, ended=True)
                first_bad, reasons = None, Counter()
            last_good = sample.ended
    if first_bad is not None:
        start = _start(last_good, first_bad)
        yield _outage(start, max(until, first_bad), reasons, blind, ended=False)


def _start(last_good: int | None, first_bad: int) -> int:
    # several pings are under way at once: a slow good one may end after the next was sent
    return first_bad if last_good is None else min(last_good, first_bad)


def _outage(start: int, end: int, reasons: Counter[str], blind: Sequence[Span], *, ended: bool) -> Outage:
    unseen = sum(max(min(end, until) - max(start, since), 0) for since, until in blind)
    return Outage(
        start=moment(start),
        end=moment(end),
        seconds=(end - start) / MICROSECONDS,
        unseen=unseen / MICROSECONDS,
        bad=reasons.total(),
        reasons=dict(reasons.most_common()),
        ended=ended,
    )


def find_boots(samples: Iterable[Sample]) -> tuple[Boot, ...]:
    """Return the lives of an instance: a new one where its boot-id changes or its uptime goes backward.

    Good replies without a boot-id say nothing about it.
    """
    boots: list[Boot] = []
    uptime: float | None = None
    for sample in samples:
        if sample.reply is not Reply.GOOD or not sample.text:
            continue
        at = moment(sample.sent)
        if boots and boots[-1].boot_id == sample.text and not went_back(uptime, sample.uptime):
            boots[-1] = boots[-1].model_copy(update={"last": at})
        else:
            boots.append(Boot(boot_id=sample.text, uptime=sample.uptime, first=at, last=at))
        uptime = sample.uptime
    return tuple(boots)


def went_back(before: float | None, now: float | None) -> bool:
    """Return whether an uptime says that the instance was booted anew."""
    return before is not None and now is not None and now < before - _UPTIME_JITTER


def summarise(probe: Probe, samples: Iterable[Sample], until: int, blind: Sequence[Span] = ()) -> Stream:
    """Return what one probe found.

    ``until`` is when probing ended, and ``blind`` when no probe ran (start, end), in microseconds since the
    epoch: there no reply was asked for, so it makes no gap. An outage seen before or after it is taken to
    have lasted through it. What a guest says of itself has no gaps but outages: it is not heard all the time.
    """
    samples = list(samples)
    outages = tuple(find_outages(samples, until, blind))
    replies = Counter(sample.reply for sample in samples)
    good = sorted(sample.ended for sample in samples if sample.reply is Reply.GOOD)
    gaps = [
        (after - before) / MICROSECONDS
        for before, after in pairwise(good)
        if not probe.kind.of_guest and not any(start < after and before < end for start, end in blind)
    ]
    lengths = [outage.seconds for outage in outages]
    return Stream(
        kind=probe.kind,
        subject=probe.subject,
        name=probe.name,
        target=probe.target,
        asked=replies[Reply.GOOD] + replies[Reply.BAD],
        bad=replies[Reply.BAD],
        not_asked=replies[Reply.NOT_ASKED],
        outages=outages,
        longest=max(lengths, default=0.0),
        total=sum(lengths),
        longest_gap=max([*gaps, *lengths], default=0.0),
        slowest=max(
            (sample.took / MICROSECONDS for sample in samples if sample.reply is Reply.GOOD), default=0.0
        ),
        excuses=dict(Counter(sample.text for sample in samples if sample.reply is Reply.NOT_ASKED)),
    )
