"""The wait for network agents, run with a program in the client's place that says what the database has."""

import os
import subprocess
from pathlib import Path

import pytest

from skipstone.steps.network import ConfirmNetworkAgents

OVS, SRIOV = "neutron-openvswitch-agent", "neutron-sriov-nic-agent"
ASKED = """\
case "$2" in
    *max*) cat "$(dirname "$0")/last" ;;
    *"> '2026-11-30 10:00:00'") cat "$(dirname "$0")/reported" ;;
esac"""


def step(deadline: int) -> ConfirmNetworkAgents:
    return ConfirmNetworkAgents(
        id="c.agents",
        title="t",
        host="db1",
        deadline=deadline,
        estimate=1,
        agents=(OVS, SRIOV),
        compute="cmp1.example.org",
        server="cmp1",
        units=("neutron-openvswitch-agent", "neutron-sriov-agent"),
    )


def waited(
    home: Path, *reported: str, last: str = "2026-11-30 10:00:00"
) -> "subprocess.CompletedProcess[str]":
    (home / "last").write_text(f"{last}\n")
    (home / "reported").write_text("".join(f"{name}\n" for name in reported))
    for name, text in {"mariadb": ASKED, "sleep": "exit 0"}.items():
        (home / name).write_text(f"#!/bin/sh\n{text}\n")
        (home / name).chmod(0o755)
    script = step(deadline=10).apply().script
    environment = {**os.environ, "PATH": f"{home}:{os.environ['PATH']}"}
    return subprocess.run(
        ["dash", "-s"], input=script, env=environment, text=True, capture_output=True, check=False
    )


def test_agents_that_have_reported_since_are_waited_for_no_longer(tmp_path: Path) -> None:
    done = waited(tmp_path, SRIOV, OVS)
    assert (done.returncode, done.stderr) == (0, "")
    assert OVS in done.stdout


@pytest.mark.parametrize(
    ("reported", "silent"), [((), f"{OVS} {SRIOV}"), ((OVS,), SRIOV), ((f"{OVS}-x", SRIOV), OVS)]
)
def test_one_that_is_active_and_does_not_report_is_named(
    tmp_path: Path, reported: tuple[str, ...], silent: str
) -> None:
    done = waited(tmp_path, *reported)
    assert done.returncode == 1
    assert done.stderr == (
        f"not reported to neutron from cmp1.example.org since 2026-11-30 10:00:00: {silent}\n"
    )


def test_a_host_of_which_neutron_knows_nothing_does_not_pass(tmp_path: Path) -> None:
    assert waited(tmp_path, last="NULL").returncode == 1


def test_what_the_agents_said_last_is_asked_on_their_own_host() -> None:
    assert step(60).apply().host == "db1"
    assert step(60).diagnose().host == "cmp1"
