"""A guest with a gigabyte of memory, moved over links of several speeds: what a drain takes for it.

Nothing here asserts a time; what was measured is noted for docs/explanation/computes.md.
"""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from skipstone.lab.resources import IMAGE
from tests.lab.labcloud import LabCloud
from tests.wide.test_drain import VICTIM, drain, running, slowed
from tests.wide.ways import note_link

pytestmark = [pytest.mark.lab, pytest.mark.timeout(2400)]

NAME, MEMORY = "large", 1024
"""MiB; the lab's guest fills all but 120 of them."""

SENT = "cat /sys/class/net/eth0/statistics/tx_bytes"


@pytest.fixture(scope="module")
def large(wide: LabCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the id of a large guest, the only one of its host; who was there comes back in the end."""
    record = tmp_path_factory.mktemp("link") / "emptied.jsonl"
    wide.skipstone("drain", VICTIM, "-i", wide.inventory, "--record", record)
    wide.skipstone("return", VICTIM, "-i", wide.inventory, "--record", record, "--enable-only")
    wide.openstack("flavor", "create", NAME, "--ram", str(MEMORY), "--vcpus", "1", "--disk", "1")
    made = json.loads(
        wide.openstack(
            *("server", "create", NAME, "--flavor", NAME, "--image", IMAGE, "--network", "provider"),
            *("--availability-zone", f"nova:{VICTIM}", "--wait", "-f", "json"),
        )
    )
    try:
        assert running(wide, VICTIM) == {made["id"]}
        wait_for_http(wide)
        yield made["id"]
    finally:
        wide.openstack("server", "delete", NAME, "--wait")
        wide.openstack("flavor", "delete", NAME)
        wide.skipstone("return", VICTIM, "-i", wide.inventory, "--record", record)


def wait_for_http(lab: LabCloud) -> None:
    """Wait until every instance answers: the large one has filled its memory before it does."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        with suppress(OSError):
            lab.boot_ids()
            return
    lab.boot_ids()


@pytest.mark.parametrize("megabits", [None, 1000, 400, 100])
def test_a_large_guest_crosses_whole(
    wide: LabCloud, large: str, megabits: int | None, tmp_path: Path
) -> None:
    """None is a link that nothing limits but the machine."""
    record, boots = tmp_path / "record.jsonl", wide.boot_ids()
    with slowed(wide, f"{megabits or 10_000}mbit"):
        sent = int(wide.on(VICTIM, SENT))
        drain(wide, record)
        sent = int(wide.on(VICTIM, SENT)) - sent
    assert running(wide, VICTIM) == set()
    assert sent > (MEMORY - 200) << 20, "its memory was full"
    wide.skipstone("return", VICTIM, "-i", wide.inventory, "--record", record)
    assert running(wide, VICTIM) == {large}
    wide.expect_not_rebooted(boots)
    note_link(megabits, sent, record)
