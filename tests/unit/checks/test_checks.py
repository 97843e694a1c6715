"""Every check fires on a bad cloud and is silent on a good one."""

from dataclasses import replace

import pytest

from skipstone.catalog import load_catalog
from skipstone.checks.check import Upgrade
from skipstone.checks.compute import ComputesWithinSkew
from skipstone.checks.examination import examine, release_of
from skipstone.checks.finding import Finding, Severity
from skipstone.checks.registry import CHECKS
from skipstone.checks.releases import RouteIsDirect
from skipstone.checks.workloads import MigrationsNotInFlight
from skipstone.cloud.model import Cloud

from .case import Case
from .good_cloud import cloud_with, good_cloud
from .service_cases import CLUSTER, SERVICE_CASES
from .system_cases import SYSTEM_CASES

CASES = SYSTEM_CASES + SERVICE_CASES


def ask(case: Case, cloud: Cloud, target: str) -> list[Finding]:
    catalog = load_catalog()
    upgrade = Upgrade(cloud, catalog, release_of(cloud, catalog), catalog.release(target))
    return list(case.check().ask(upgrade))


def name(case: Case) -> str:
    return f"{case.check.id}: {case.name}"


@pytest.mark.parametrize("case", CASES, ids=name)
def test_fires_on_a_bad_cloud(case: Case) -> None:
    found = ask(case, case.bad(good_cloud()), case.target)
    assert found, "nothing was found"
    first = found[0]
    assert (first.id, first.severity, first.handled_by) == (case.check.id, case.severity, case.handled_by)
    assert first.where == case.where
    assert case.evidence in first.evidence
    assert all(finding.title and finding.evidence and finding.remedy for finding in found)


@pytest.mark.parametrize("case", CASES, ids=name)
def test_is_silent_on_a_good_cloud(case: Case) -> None:
    assert ask(case, case.good(good_cloud()), case.good_target) == []


def test_every_check_has_a_bad_and_a_good_case() -> None:
    assert {case.check for case in CASES} == set(CHECKS)


def test_a_broker_cluster_is_not_the_plans_to_renew() -> None:
    case = next(case for case in CASES if case.handled_by == "databases.broker")
    found = ask(case, cloud_with(brokers=CLUSTER)(good_cloud()), "2025.1")
    assert [(finding.severity, finding.where, finding.handled_by) for finding in found] == [
        (Severity.INHIBITOR, "ctl1", None),
        (Severity.INHIBITOR, "ctl2", None),
    ]


def test_too_old_computes_forbid_the_upgrade_where_nova_has_no_workaround() -> None:
    catalog = load_catalog()
    nova = catalog.service("nova").model_copy(update={"skew": None})
    others = tuple(service for service in catalog.services if service.name != "nova")
    without = catalog.model_copy(update={"services": (*others, nova)})
    upgrade = Upgrade(good_cloud(), without, catalog.release("zed"), catalog.release("2025.1"))
    assert [(found.severity, found.where) for found in ComputesWithinSkew().ask(upgrade)] == [
        (Severity.INHIBITOR, "cmp1"),
        (Severity.INHIBITOR, "cmp2"),
    ]


@pytest.mark.parametrize(
    ("source", "service", "remedy"),
    [
        ("victoria", "nova", "upgrade to Zed first"),
        ("ocata", "cinder", "upgrade to Rocky, then Train, then"),
    ],
)
def test_the_remedy_of_an_impossible_hop_is_its_stops(source: str, service: str, remedy: str) -> None:
    catalog = load_catalog()
    cloud = cloud_with(release=source, services=(service,))(good_cloud())
    upgrade = Upgrade(cloud, catalog, catalog.release(source), catalog.release("2025.1"))
    found = list(RouteIsDirect().ask(upgrade))
    assert found
    assert all(remedy in finding.remedy for finding in found), found


def test_of_many_instances_that_are_halfway_some_are_named_and_all_counted() -> None:
    """One in the middle of a task among tens of thousands must not make a plan impossible."""
    cloud = good_cloud()
    one = cloud.instances[0]
    many = tuple(
        replace(one, id=f"i{number}", name=f"vm{number}", status="VERIFY_RESIZE") for number in range(1200)
    )
    catalog = load_catalog()
    found = examine(cloud_with(instances=many)(cloud), catalog, catalog.release("2025.1"))
    (halfway,) = [finding for finding in found if finding.id == MigrationsNotInFlight.id]
    assert halfway.severity is Severity.WARNING
    assert "1,200 instances (vm0, vm1" in halfway.title
    assert "and 1192 more" in halfway.title
    assert not [finding for finding in found if finding.severity is Severity.INHIBITOR]
