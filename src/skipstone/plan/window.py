"""Maintenance windows: when hosts may be taken down. Pure; who asks says what time it is."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Self
from zoneinfo import ZoneInfo

from skipstone.cloud.model import Fact
from skipstone.errors import InputError

_DAY = timedelta(days=1)
_AHEAD = 9
"""Days that are looked at: every window comes again within a week."""

_REFERENCE = datetime(2024, 1, 8, tzinfo=UTC)
"""A Monday in a week in which no clock is changed: what the lengths of windows are taken from."""

_REMEDY = "give days (or none: every day), times and time zone:  --window 'mon-fri 22:00-05:00 Europe/Berlin'"
_FORM = re.compile(
    r"(?:(?P<days>[a-z,-]+) +)?(?P<start>\d\d?:\d\d)-(?P<end>\d\d?:\d\d) +(?P<zone>[\w/+-]+)", re.IGNORECASE
)


class Day(StrEnum):
    """A day of the week."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


class Window(Fact):
    """A time of the day, on the days on which it begins, in the time zone ``zone``.

    It ends on the next day where ``end`` is not after ``start``.
    """

    days: tuple[Day, ...] = tuple(Day)
    start: time
    end: time
    zone: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return what a text such as ``mon-fri 22:00-05:00 Europe/Berlin`` says; raise InputError."""
        found = _FORM.fullmatch(text.strip())
        if not found:
            raise InputError(f"{text!r} is not a maintenance window", remedy=_REMEDY)
        try:
            start, end = (time.fromisoformat(found[name].zfill(5)) for name in ("start", "end"))
            ZoneInfo(found["zone"])
            return cls(days=_days(found["days"] or "mon-sun"), start=start, end=end, zone=found["zone"])
        except (ValueError, OSError) as error:  # ZoneInfo's own is a KeyError
            raise InputError(
                f"{text!r} is not a maintenance window", evidence=str(error), remedy=_REMEDY
            ) from None
        except KeyError as error:
            evidence = f"this machine knows no time zone {error}"
            raise InputError(
                f"{text!r} is not a maintenance window", evidence=evidence, remedy=_REMEDY
            ) from None

    def __str__(self) -> str:
        days = "" if self.days == tuple(Day) else f"{','.join(self.days)} "
        return f"{days}{self.start:%H:%M}-{self.end:%H:%M} {self.zone}"

    def spans(self, around: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield when it is open, in UTC, from the day before a moment on."""
        zone = ZoneInfo(self.zone)
        today = around.astimezone(zone).date()
        for number in range(-1, _AHEAD):
            day = today + number * _DAY
            if list(Day)[day.weekday()] in self.days:
                yield self._span(day, zone)

    def _span(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
        last = day if self.end > self.start else day + _DAY
        start, end = datetime.combine(day, self.start, zone), datetime.combine(last, self.end, zone)
        return start.astimezone(UTC), end.astimezone(UTC)


def opening(windows: Iterable[Window], now: datetime, seconds: float) -> datetime:
    """Return when something may begin that takes so many seconds: now, or when a window opens that it fits.

    Where it fits none, that is when to look again.
    """
    length = timedelta(seconds=seconds)
    for start, end in _merged(windows, now):
        if max(start, now) + length <= end:
            return max(start, now)
    return now + _DAY


def longest(windows: Iterable[Window]) -> float:
    """Return the seconds of the longest time without a pause that windows are open."""
    return max(((end - start).total_seconds() for start, end in _merged(windows, _REFERENCE)), default=0.0)


def _merged(windows: Iterable[Window], around: datetime) -> list[tuple[datetime, datetime]]:
    """Return when any is open; what follows without a gap is one time."""
    found: list[tuple[datetime, datetime]] = []
    for start, end in sorted(span for window in windows for span in window.spans(around)):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _days(text: str) -> tuple[Day, ...]:
    """Return the days of ``mon-fri,sun``; raise ValueError where one is none."""
    every, found = list(Day), set[Day]()
    for part in text.lower().split(","):
        first, _, last = part.partition("-")
        begin, end = every.index(Day(first)), every.index(Day(last or first))
        found |= set(every[begin : end + 1] if begin <= end else every[begin:] + every[: end + 1])
    return tuple(day for day in every if day in found)
