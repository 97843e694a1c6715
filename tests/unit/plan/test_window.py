"""Maintenance windows, by the clocks of their time zones."""

from datetime import UTC, datetime

import pytest

from skipstone.errors import InputError
from skipstone.plan.window import Day, Window, longest, opening

NIGHT = Window.parse("22:00-05:00 Europe/Berlin")
WEEKEND = Window.parse("sat-sun 00:00-00:00 UTC")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("22:00-05:00 UTC", "22:00-05:00 UTC"),
        ("mon-fri 9:30-17:00 America/New_York", "mon,tue,wed,thu,fri 09:30-17:00 America/New_York"),
        ("fri-mon,wed 22:00-05:00 Etc/GMT+3", "mon,wed,fri,sat,sun 22:00-05:00 Etc/GMT+3"),
    ],
)
def test_what_is_said_is_shown(text: str, shown: str) -> None:
    window = Window.parse(text)
    assert str(window) == shown
    assert Window.model_validate(window.model_dump(mode="json")) == window


@pytest.mark.parametrize(
    "text", ["22:00-05:00", "22-5 UTC", "25:00-26:00 UTC", "22:00-05:00 Mars/Olympus", "fry 22:00-05:00 UTC"]
)
def test_what_is_no_window(text: str) -> None:
    with pytest.raises(InputError, match="is not a maintenance window"):
        Window.parse(text)


@pytest.mark.parametrize(
    ("window", "now", "seconds", "begins"),
    [
        (NIGHT, "2026-01-15 20:00", 600, "2026-01-15 21:00"),  # winter: an hour before UTC
        (NIGHT, "2026-07-15 19:00", 600, "2026-07-15 20:00"),  # summer: two
        (NIGHT, "2026-01-15 23:30", 600, "2026-01-15 23:30"),
        (NIGHT, "2026-01-15 02:00", 600, "2026-01-15 02:00"),  # what began yesterday
        (NIGHT, "2026-01-15 03:55", 600, "2026-01-15 21:00"),  # it would not be done at four
        (NIGHT, "2026-03-28 20:00", 6 * 3600, "2026-03-28 21:00"),  # the night has six hours
        (NIGHT, "2026-03-28 20:00", 6 * 3600 + 1, "2026-03-29 20:00"),  # and not seven
        (WEEKEND, "2026-01-14 12:00", 40 * 3600, "2026-01-17 00:00"),  # both days are one time
    ],
)
def test_when_something_may_begin(window: Window, now: str, seconds: int, begins: str) -> None:
    assert opening([window], utc(now), seconds) == utc(begins)


def test_several_windows() -> None:
    assert opening([WEEKEND, NIGHT], utc("2026-01-15 20:00"), 600) == utc("2026-01-15 21:00")
    assert longest([NIGHT]) == 7 * 3600
    assert longest([NIGHT, WEEKEND]) > 48 * 3600
    assert Window.parse("sun-mon 01:00-02:00 UTC").days == (Day.MON, Day.SUN)
