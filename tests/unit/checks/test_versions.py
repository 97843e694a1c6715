import pytest

from skipstone.checks.versions import numbers, packed, series


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("10.11.14-MariaDB-0+deb12u2", (10, 11, 14)),
        ("1:11.8.6-0+deb13u1", (11, 8, 6)),
        ("3.10.8", (3, 10, 8)),
        ("RabbitMQ 4.0.5", (4, 0, 5)),
        ("9", (9,)),
        ("", ()),
        ("unknown", ()),
    ],
)
def test_numbers_of_a_version(version: str, expected: tuple[int, ...]) -> None:
    assert numbers(version) == expected


def test_ten_is_later_than_nine() -> None:
    assert numbers("3.10.8") > numbers("3.9.29")


def test_series_and_packed_versions() -> None:
    assert series("3.10.8-1.1+deb12u1") == "3.10"
    assert packed(7002018) == "7.2.18"
