"""A real compute is emptied by real live migrations, killed in the middle of them, and filled again."""

import json
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.lab.labcloud import LabCloud

if TYPE_CHECKING:
    import subprocess

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]

RUNNING = "virsh --connect qemu:///system list --uuid --state-running"


def running(lab: LabCloud, host: str) -> set[str]:
    return set(lab.on(host, RUNNING).split())


def lines(record: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []


def expect_first_answer(process: "subprocess.Popen[str]", record: Path) -> None:
    """Wait until nova has taken the first request of a drain."""
    limit = time.monotonic() + 300
    while not any(line["event"] == "answer" for line in lines(record)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit, "nothing was asked of nova"
        time.sleep(0.2)


def killed_at_first_answer(lab: LabCloud, record: Path) -> None:
    """Drain, and kill -9 as soon as nova has taken the first request."""
    with lab.started("drain", "cmp1", "-i", lab.inventory, "--record", record) as process:
        expect_first_answer(process, record)
        process.kill()


def test_a_host_is_drained_across_a_kill_and_filled_again(lab: LabCloud, tmp_path: Path) -> None:
    record = tmp_path / "cmp1.jsonl"
    before, boots = {host: running(lab, host) for host in ("cmp1", "cmp2")}, lab.boot_ids()
    assert before["cmp1"], "there is something to move"

    killed_at_first_answer(lab, record)
    lab.skipstone("drain", "cmp1", "-i", lab.inventory, "--record", record)
    assert running(lab, "cmp1") == set()
    assert running(lab, "cmp2") == before["cmp1"] | before["cmp2"]
    events = lines(record)
    asked = Counter(str(line["instance"]) for line in events if line["event"] == "intent")
    again = Counter(str(line["instance"]) for line in events if line.get("end") == "back")
    assert asked - again == Counter(before["cmp1"]), "once, and once more only where nova has failed"
    lab.expect_not_rebooted(boots)
    lab.skipstone("drain", "cmp1", "-i", lab.inventory, "--record", record, "--check")

    done = lab.skipstone("return", "cmp1", "-i", lab.inventory, "--record", record, "--json")
    assert {one["phase"] for one in json.loads(done.stdout)["instances"]} == {"moved"}
    assert {host: running(lab, host) for host in ("cmp1", "cmp2")} == before
    lab.expect_not_rebooted(boots)
    service = lab.openstack("compute", "service", "list", "--host", "cmp1", "-f", "value", "-c", "Status")
    assert service == "enabled"


def test_a_drain_that_its_run_asks_to_pause_sees_its_migrations_through(
    lab: LabCloud, tmp_path: Path
) -> None:
    """As the file that a run makes in its job's directory asks it to."""
    record, before, boots = tmp_path / "cmp1.jsonl", running(lab, "cmp1"), lab.boot_ids()
    one_at_a_time = ("drain", "cmp1", "-i", lab.inventory, "--record", record, "--per-source", "1")
    with lab.started(*one_at_a_time, SKIPSTONE_JOB=str(tmp_path)) as process:
        expect_first_answer(process, record)
        (tmp_path / "pause").touch()
        _, said = process.communicate(timeout=600)
    left = running(lab, "cmp1")
    assert len(left) == len(before) - 1
    assert process.returncode == (75 if left else 0), said
    lab.skipstone(*one_at_a_time)
    assert running(lab, "cmp1") == set()
    lab.skipstone("return", "cmp1", "-i", lab.inventory, "--record", record)
    assert running(lab, "cmp1") == before
    lab.expect_not_rebooted(boots)


def test_a_host_that_nobody_has_drained_is_not_called_drained(lab: LabCloud, tmp_path: Path) -> None:
    record = tmp_path / "cmp1.jsonl"
    done = lab.skipstone("drain", "cmp1", "-i", lab.inventory, "--record", record, "--check", codes={4})
    assert "no drain of it has come to its end" in done.stderr
