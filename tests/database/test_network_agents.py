"""Neutron's record of its agents, in a real MariaDB: who reports is told from who has reported."""

import subprocess
from contextlib import nullcontext

import pytest

from skipstone.rehearsal.server import PrivateServer
from skipstone.steps.network import ConfirmNetworkAgents
from tests.database.hosting import run_beside
from tests.repeating import repeating

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

OVS, SRIOV = "neutron-openvswitch-agent", "neutron-sriov-nic-agent"
TABLE = f"""
create database neutron; use neutron;
create table agents (host varchar(255), `binary` varchar(255), heartbeat_timestamp datetime not null);
insert into agents values ('cmp1', '{OVS}', utc_timestamp()), ('cmp1', '{SRIOV}', utc_timestamp());
insert into agents values ('cmp2', '{OVS}', utc_timestamp() + interval 1 hour);
"""


def confirm(server: PrivateServer, seconds: int, *, reporting: str) -> subprocess.CompletedProcess[str]:
    """Run the step's script as its host does, while agents that match report as neutron writes it down."""
    step = ConfirmNetworkAgents(
        id="c",
        title="t",
        host="db",
        deadline=10 + seconds,
        estimate=1,
        agents=(OVS, SRIOV),
        compute="cmp1",
        server="cmp1",
        units=(OVS,),
    )
    said = (
        f"update neutron.agents set heartbeat_timestamp = utc_timestamp() where `binary` like '{reporting}'"
    )
    with repeating(lambda: server.query(said), 0.5) if reporting else nullcontext():
        return run_beside(server, step.apply())


def test_agents_that_report_are_confirmed(server: PrivateServer) -> None:
    server.query(TABLE)
    done = confirm(server, 30, reporting="neutron-%")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("reporting", "silent"), [("", f"{OVS} {SRIOV}"), ("neutron-sriov-%", OVS)])
def test_one_that_reports_no_more_is_not_although_it_has_reported_a_moment_ago(
    server: PrivateServer, reporting: str, silent: str
) -> None:
    server.query(TABLE)
    done = confirm(server, 4, reporting=reporting)
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith(f": {silent}")
