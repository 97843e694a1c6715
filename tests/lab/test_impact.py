"""The probes on a real cloud: what they find agrees with logs that know nothing of Skipstone."""

import asyncio
import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import pytest

from skipstone.catalog import load_catalog
from skipstone.cloud.discover import discover
from skipstone.cloud.inventory import load_inventory
from skipstone.impact.measurement import Impact, InstanceImpact, measure
from skipstone.impact.process import start_probes, stop_probes
from skipstone.impact.spec import ProbeSpec, build_spec
from tests.lab.labcloud import LabCloud

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

DOWN = 10
CURL = """while true; do
  begin=$(date +%s.%N); code=$(curl -s -o /dev/null -m 2 -w '%{http_code}' "$1")
  echo "$begin $(date +%s.%N) $code"; sleep 0.2
done"""


def served_again(log: Path) -> None:
    """Wait until curl's last answer is a good one, after it had none."""
    deadline = time.monotonic() + 120
    while not re.search(r" 000\n(.*\n)*.* (200|300)\n$", log.read_text()):
        assert time.monotonic() < deadline, log.read_text()[-500:]
        time.sleep(1)


@contextmanager
def logged(path: Path, *command: str) -> Iterator[Path]:
    """Run a program meanwhile, with its output in a file."""
    with path.open("w") as log, subprocess.Popen(command, stdout=log) as process:
        try:
            yield path
        finally:
            process.terminate()


def gap(good: list[tuple[float, float]]) -> float:
    """Return the longest time from the end of one good reply to the end of the next."""
    return max(after[1] - before[1] for before, after in pairwise(good))


def curl_gap(log: Path) -> float:
    rows = [line.split() for line in log.read_text().splitlines()]
    return gap([(float(begin), float(end)) for begin, end, code in rows if code in {"200", "300"}])


def ping_log(log: Path, limit: float) -> tuple[float, int]:
    """Return the longest time without a reply, and how many did not come within ``limit`` seconds.

    A machine that stood still answers what was sent meanwhile when it goes on.
    """
    found = re.findall(
        r"^\[([0-9.]+)\] .* icmp_seq=(\d+) ttl.* time=([0-9.]+) ms", log.read_text(), re.MULTILINE
    )
    times = [float(when) for when, _, _ in found]
    numbers = [int(number) for _, number, _ in found]
    prompt = sum(float(took) < limit * 1000 for _, _, took in found)
    return gap([(when, when) for when in times]), max(numbers) - min(numbers) + 1 - prompt


@pytest.fixture(scope="module")
def spec(lab: LabCloud) -> ProbeSpec:
    inventory = load_inventory(lab.inventory)
    return build_spec(asyncio.run(discover(inventory, load_catalog())), inventory)


@contextmanager
def probing(spec: ProbeSpec, directory: Path) -> Iterator[None]:
    start_probes(spec, directory)
    try:
        yield
    finally:
        stop_probes(directory)


def at(impact: Impact, address: str) -> InstanceImpact:
    return next(one for one in impact.instances if one.address == address)


def server_at(lab: LabCloud, address: str) -> str:
    """Return the id of the instance with an address."""
    servers = json.loads(lab.openstack("server", "list", "--all-projects", "-f", "json"))
    return next(str(one["ID"]) for one in servers if address in str(one["Networks"]))


def domain_of(lab: LabCloud, server: str) -> tuple[str, str]:
    """Return the compute that an instance is on, and its name there."""
    detail = json.loads(lab.openstack("server", "show", server, "-f", "json"))
    return detail["OS-EXT-SRV-ATTR:host"], detail["OS-EXT-SRV-ATTR:instance_name"]


def answers_again(lab: LabCloud, deadline: float) -> None:
    """Wait until every instance serves its boot-id."""
    while time.monotonic() < deadline:
        with suppress(OSError):
            lab.boot_ids()
            return
    raise AssertionError("an instance does not come up")


def test_a_quiet_cloud_has_no_outage(spec: ProbeSpec, tmp_path: Path) -> None:
    with probing(spec, tmp_path):
        time.sleep(30)
    impact = measure(tmp_path)
    assert {stream.name for stream in impact.apis} >= {"keystone", "glance", "placement", "nova", "neutron"}
    assert {f"{stream.name} {stream.kind}" for stream in impact.apis if stream.not_asked} == set()
    assert [stream.outages for stream in impact.apis if stream.outages] == []
    assert impact.instances
    assert [one.ping.bad for one in impact.instances if one.ping and one.ping.bad] == []
    assert all(one.boots and not one.rebooted for one in impact.instances)
    assert impact.left_behind == ()
    assert not impact.blind


def test_the_probes_leave_nothing_in_the_cloud(lab: LabCloud, spec: ProbeSpec, tmp_path: Path) -> None:
    with probing(spec, tmp_path):
        time.sleep(3)
        assert "skipstone-probe" in lab.openstack("project", "list")
    assert "skipstone-probe" not in lab.openstack("project", "list")
    assert "skipstone-probe" not in lab.openstack("image", "list")
    assert "skipstone-probe" not in lab.openstack("keypair", "list")
    assert "SKIPSTONE" not in lab.openstack("--os-placement-api-version", "1.6", "trait", "list")


def test_an_api_that_is_stopped_is_out_as_long_as_curl_says(
    lab: LabCloud, spec: ProbeSpec, tmp_path: Path
) -> None:
    url = next(api.url for api in spec.apis if api.service == "glance") + "/versions"
    with logged(tmp_path / "curl.log", "bash", "-c", CURL, "curl", url) as log, probing(spec, tmp_path):
        time.sleep(5)
        lab.on("ctl1", f"systemctl stop glance-api; sleep {DOWN}; systemctl start glance-api")
        served_again(log)  # on a slow machine its start alone takes longer than what it was down
        time.sleep(10)
    impact = measure(tmp_path)
    seen = curl_gap(log)
    assert seen > DOWN
    for stream in impact.apis:
        if stream.name == "glance":
            assert stream.longest == pytest.approx(seen, abs=2.0), stream.kind
        else:
            assert stream.longest < 2, f"{stream.name} {stream.kind}: {stream.outages}"


def test_an_instance_that_stands_still_loses_what_ping_says(
    lab: LabCloud, spec: ProbeSpec, tmp_path: Path
) -> None:
    address = lab.instance_addresses()[0]
    host, domain = domain_of(lab, server_at(lab, address))
    command = ("ping", "-n", "-D", "-i", "0.2", address)
    with logged(tmp_path / "ping.log", *command) as log, probing(spec, tmp_path):
        time.sleep(5)
        lab.on(host, f"virsh suspend {domain}; sleep 4; virsh resume {domain}")
        time.sleep(10)
    longest, missing = ping_log(log, spec.timeout)
    instance = at(measure(tmp_path), address)
    assert instance.ping
    assert longest > 3
    assert instance.ping.longest == pytest.approx(longest, abs=0.6)
    assert instance.ping.bad == pytest.approx(missing, abs=3)
    assert not instance.rebooted


def test_a_reboot_is_seen(lab: LabCloud, spec: ProbeSpec, tmp_path: Path) -> None:
    address = lab.instance_addresses()[0]
    host, domain = domain_of(lab, server_at(lab, address))
    with probing(spec, tmp_path):
        time.sleep(3)
        before = lab.boot_ids()[address]
        lab.on(host, f"virsh reset {domain}")
        deadline = time.monotonic() + 240
        while not (boots := at(measure(tmp_path), address).boots)[1:]:
            assert time.monotonic() < deadline
            time.sleep(5)
    assert boots[0].boot_id == before
    assert at(measure(tmp_path), address).rebooted


def test_an_instance_that_its_owner_reboots_is_left_out(
    lab: LabCloud, spec: ProbeSpec, tmp_path: Path
) -> None:
    address = lab.instance_addresses()[0]
    with probing(spec, tmp_path):
        time.sleep(3)
        lab.openstack("server", "reboot", "--hard", "--wait", server_at(lab, address))
        deadline = time.monotonic() + 240
        while not any("rebooted by its owner" in line for line in measure(tmp_path).left_out):
            assert time.monotonic() < deadline
            time.sleep(2)
        answers_again(lab, deadline)
    impact = at(measure(tmp_path), address)
    assert not impact.rebooted
    assert impact.ping
    assert impact.ping.longest < 2, "its silence is none of ours"


def test_a_look_is_the_same_as_the_one_before_and_a_loss_is_found(lab: LabCloud, tmp_path: Path) -> None:
    before = tmp_path / "before.json"
    lab.skipstone("verify", "-i", lab.inventory, "--save", before)
    lab.skipstone("verify", "-i", lab.inventory, "--against", before)
    lab.openstack("network", "create", "verify-loss")
    after = tmp_path / "after.json"
    lab.skipstone("verify", "-i", lab.inventory, "--against", before, "--save", after, codes={1})
    lab.openstack("network", "delete", "verify-loss")
    lost = lab.skipstone("verify", "-i", lab.inventory, "--against", after, "--json", codes={4})
    (difference,) = json.loads(lost.stdout)["differences"]
    assert (difference["weight"], difference["name"]) == ("loss", "verify-loss")


def test_the_cloud_can_be_tried_out_and_is_left_as_it_was(lab: LabCloud, tmp_path: Path) -> None:
    before = tmp_path / "before.json"
    lab.skipstone("verify", "-i", lab.inventory, "--save", before)
    tried = lab.skipstone(
        "verify", "-i", lab.inventory, "--against", before, "--deep", "--json", codes={0, 1, 4}
    )
    found = json.loads(tried.stdout)
    trials = found["trials"]
    assert [trial for trial in trials if not trial["ok"]] == []
    assert tried.returncode == 0, found["differences"]
    assert "→" in next(trial["detail"] for trial in trials if trial["name"] == "live migration")
    lab.skipstone("verify", "-i", lab.inventory, "--against", before)
