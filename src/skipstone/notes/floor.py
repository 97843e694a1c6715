"""What a release note says of versions that what services stand on must have.

Only plain sentences are understood, at the beginning of a note: one that is not is shown to everybody.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from skipstone.notes.note import Note
from skipstone.notes.usage import numbers

_PRODUCT = r"(?P<product>mysql|mariadb|postgresql|rabbitmq|libvirt|qemu)"
_VERSION = r"v?(?P<version>\d+(?:\.\d+)*)"
_GONE = re.compile(
    rf"support for {_PRODUCT}(?: version)? {_VERSION} (?:has been|was|is) (?:dropped|removed)"
    rf"|{_PRODUCT.replace('product', 'other')}(?: version)? {_VERSION.replace('version', 'old')}"
    r" (?:is|are) no longer supported",
    re.IGNORECASE,
)
_MINIMUM = re.compile(
    rf"minimum (?:required |supported )?version (?:of|for) {_PRODUCT}[^.\d]*? is(?: now)? {_VERSION}",
    re.IGNORECASE,
)
_FORK = (5, 6)
"""MariaDB's versions are MySQL's up to here, and say nothing of it afterwards."""


class Floor(NamedTuple):
    """A version of a product; ``enough`` says whether it will do itself, or only later ones."""

    product: str
    version: tuple[int, ...]
    enough: bool

    def met_by(self, product: str, version: str) -> bool:
        """Whether what runs here is known to be new enough."""
        found = numbers(version)
        if product == "mariadb" and self.product == "mysql":
            return self.version < _FORK and found >= (10,)
        if product != self.product:
            return True
        return found >= self.version if self.enough else found[: len(self.version)] > self.version


def floors(note: Note) -> tuple[Floor, ...]:
    """Return what a note begins with; empty where it is about something else, or is not understood."""
    return tuple(_floors(note.headline.replace("`", "")))


def _floors(text: str) -> Iterator[Floor]:
    for found in _GONE.finditer(text):
        product, version = found["product"] or found["other"], found["version"] or found["old"]
        yield Floor(product.lower(), numbers(version), enough=False)
    for found in _MINIMUM.finditer(text):
        yield Floor(found["product"].lower(), numbers(found["version"]), enough=True)


def are_met(wanted: tuple[Floor, ...], running: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether all that runs here is new enough; ``running`` has the versions of each product.

    A product of which nothing is known counts as missing: not met.
    """
    return bool(wanted) and all(_is_met(floor, running) for floor in wanted)


def _is_met(floor: Floor, running: Mapping[str, tuple[str, ...]]) -> bool:
    kin = ("mysql", "mariadb") if floor.product in ("mysql", "mariadb") else (floor.product,)
    here = [(product, version) for product in kin for version in running.get(product, ())]
    return bool(here) and all(floor.met_by(product, version) for product, version in here)
