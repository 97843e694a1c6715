"""All checks together: what a good cloud is told, in which order, with which exit code."""

import inspect

import pytest

from skipstone.catalog import load_catalog
from skipstone.checks.examination import examine, verdict
from skipstone.checks.finding import Finding, Severity
from skipstone.checks.registry import all_checks
from skipstone.errors import ExitCode

from .good_cloud import cloud_with, each_with, good_cloud, host_with


def test_a_good_cloud_that_stays_where_it_is_has_no_findings() -> None:
    catalog = load_catalog()
    assert examine(good_cloud(), catalog, catalog.release("zed")) == ()


def test_a_good_zed_cloud_to_2025_1_has_only_what_the_plan_handles() -> None:
    catalog = load_catalog()
    findings = examine(good_cloud(), catalog, catalog.release("2025.1"))
    assert [(finding.id, finding.where) for finding in findings] == [
        ("broker-upgrade", "ctl1"),
        ("computes-too-old", "cmp1"),
        ("computes-too-old", "cmp2"),
        ("jump-unsupported", "small"),
        ("mariadb-collations", "ctl1"),
        ("conffiles-kept", "cmp1"),
        ("conffiles-kept", "cmp2"),
        ("conffiles-kept", "ctl1"),
    ]
    unhandled = {finding.id for finding in findings if not finding.handled_by}
    assert unhandled == {"jump-unsupported"}
    assert verdict(findings) is ExitCode.WARNINGS


def test_the_worst_comes_first_and_the_order_does_not_depend_on_the_checks() -> None:
    catalog = load_catalog()
    cloud = host_with("cmp1", reachable=False)(each_with("brokers", version="")(good_cloud()))
    target = catalog.release("2025.1")
    findings = examine(cloud, catalog, target)
    ranks = [finding.severity.rank for finding in findings]
    assert ranks == sorted(ranks, reverse=True)
    assert {Severity.INHIBITOR, Severity.UNKNOWN, Severity.WARNING} <= {f.severity for f in findings}
    assert findings == examine(cloud, catalog, target, checks=reversed(all_checks()))


def test_every_check_survives_a_cloud_of_which_nothing_is_known() -> None:
    catalog = load_catalog()
    empty = cloud_with(
        release=None,
        services=(),
        database_servers=(),
        databases=(),
        brokers=(),
        agents=(),
        hypervisors=(),
        instances=(),
        endpoints=(),
        roles=(),
        hosts=tuple(
            host.model_copy(update={"reachable": False, "os": None, "clock_offset": None})
            for host in good_cloud().hosts
        ),
    )(good_cloud())
    findings = examine(empty, catalog, catalog.release("2025.1"))
    assert verdict(findings) is ExitCode.REFUSED
    assert {"host-unreachable", "release-unknown", "service-role-missing"} <= {f.id for f in findings}


@pytest.mark.parametrize(
    ("severity", "code"),
    [
        (Severity.INFO, ExitCode.DONE),
        (Severity.WARNING, ExitCode.WARNINGS),
        (Severity.UNKNOWN, ExitCode.REFUSED),
        (Severity.INHIBITOR, ExitCode.REFUSED),
    ],
)
def test_the_verdict_is_that_of_the_worst_finding(severity: Severity, code: ExitCode) -> None:
    finding = Finding(id="x", severity=severity, title="t", evidence="e", remedy="r")
    info = Finding(id="y", severity=Severity.INFO, title="t", evidence="e", remedy="r")
    assert verdict((finding, info)) is code
    assert verdict(()) is ExitCode.DONE


def test_every_check_names_its_source_and_its_end() -> None:
    for check in all_checks():
        text = inspect.getdoc(type(check)) or ""
        assert "Source: " in text, check.id
        assert "May go: " in text, check.id
        assert text.splitlines()[0].endswith("."), check.id
