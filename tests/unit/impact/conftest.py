"""A fake cloud, served for one test."""

from collections.abc import Iterator

import pytest

from tests.unit.impact.fake_cloud import FakeCloud, served


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    with served(FakeCloud()) as cloud:
        yield cloud
