"""The numbers in a version, whatever its packager wrote around them."""

import re

_EPOCH = re.compile(r"^\d+:")
_NUMBERS = re.compile(r"\d+(?:\.\d+)*")


def numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: ``1:10.11.18-0+deb12u1`` is ``(10, 11, 18)``.

    A Debian epoch is dropped. Without any number the tuple is empty, which compares as older than all.
    """
    found = _NUMBERS.search(_EPOCH.sub("", version))
    return tuple(int(part) for part in found.group().split(".")) if found else ()


def series(version: str) -> str:
    """Return the first two numbers of a version as text: ``3.10.8-1.1`` is ``3.10``."""
    return ".".join(str(number) for number in numbers(version)[:2])


def packed(version: int) -> str:
    """Return a hypervisor's version as nova stores it, in words: ``7002011`` is ``7.2.11``."""
    return f"{version // 1_000_000}.{version // 1_000 % 1_000}.{version % 1_000}"
