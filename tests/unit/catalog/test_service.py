"""What a service's file answers: commands, exit codes, daemons, version documents."""

from typing import Any

import pytest

from skipstone.catalog.loader import load_catalog
from skipstone.catalog.service import ApiDocument, Kind, Outcome, Purpose

CATALOG = load_catalog()


@pytest.mark.parametrize(
    ("service", "purpose", "release", "lines"),
    [
        ("nova", Purpose.SYNC, "epoxy", ["nova-manage {config} api_db sync", "nova-manage {config} db sync"]),
        ("nova", Purpose.SYNC, "juno", ["nova-manage {config} db sync"]),
        ("nova", Purpose.STATUS_CHECK, "newton", []),
        ("nova", Purpose.STATUS_CHECK, "ocata", ["nova-status {config} upgrade check"]),
        ("cinder", Purpose.SYNC, "queens", ["cinder-manage {config} db sync"]),
        ("cinder", Purpose.SYNC, "rocky", ["cinder-manage {config} db sync --bump-versions"]),
        ("neutron", Purpose.SYNC, "kilo", ["neutron-db-manage {config} upgrade head"]),
        ("neutron", Purpose.ONLINE_DATA_MIGRATIONS, "epoxy", []),
        ("heat", Purpose.DATA_MIGRATE, "bobcat", ["heat-manage {config} migrate_properties_data"]),
        ("heat", Purpose.DATA_MIGRATE, "caracal", []),
    ],
)
def test_commands_of_a_release(service: str, purpose: Purpose, release: str, lines: list[str]) -> None:
    found = CATALOG.service(service).invocations(purpose, CATALOG.release(release))
    assert [line.run for line in found] == lines


def test_configuration_files_become_arguments() -> None:
    neutron = CATALOG.service("neutron")
    sync = neutron.invocation(Purpose.SYNC, CATALOG.release("epoxy"))
    assert sync is not None
    assert sync.argv(neutron.config_files) == (
        "neutron-db-manage",
        "--config-file",
        "/etc/neutron/neutron.conf",
        "--config-file",
        "/etc/neutron/plugins/ml2/ml2_conf.ini",
        "upgrade",
        "heads",
    )
    assert sync.argv(()) == ("neutron-db-manage", "upgrade", "heads")


@pytest.mark.parametrize(
    ("service", "purpose", "code", "outcome"),
    [
        ("nova", Purpose.ONLINE_DATA_MIGRATIONS, 0, Outcome.DONE),
        ("nova", Purpose.ONLINE_DATA_MIGRATIONS, 1, Outcome.RERUN),
        ("nova", Purpose.ONLINE_DATA_MIGRATIONS, 2, Outcome.STUCK),
        ("nova", Purpose.ONLINE_DATA_MIGRATIONS, 255, Outcome.ERROR),
        ("keystone", Purpose.SCHEMA_CHECK, 2, Outcome.EXPAND),
        ("keystone", Purpose.SCHEMA_CHECK, 4, Outcome.CONTRACT),
        ("glance", Purpose.SCHEMA_CHECK, 4, Outcome.MIGRATE),
        ("cinder", Purpose.STATUS_CHECK, 1, Outcome.WARNING),
        ("neutron", Purpose.OFFLINE_CHECK, 1, Outcome.STOP_SERVERS),
        ("heat", Purpose.SYNC, 1, Outcome.ERROR),
    ],
)
def test_exit_codes(service: str, purpose: Purpose, code: int, outcome: Outcome) -> None:
    line = CATALOG.service(service).invocation(purpose, CATALOG.release("epoxy"))
    assert line is not None
    assert line.outcome(code) is outcome


def test_units_of_zed_and_epoxy_differ_by_what_debian_ships() -> None:
    neutron = CATALOG.service("neutron")
    zed = {unit.name for unit in neutron.units(CATALOG.release("zed"))}
    epoxy = {unit.name for unit in neutron.units(CATALOG.release("epoxy"))}
    assert zed - epoxy == {"neutron-linuxbridge-agent"}
    assert epoxy - zed == {
        "neutron-periodic-workers",
        "neutron-ovn-maintenance-worker",
        "neutron-ovn-agent",
    }
    periodic = next(daemon for daemon in neutron.daemons if daemon.name == "neutron-periodic-workers")
    unit = periodic.unit(CATALOG.release("epoxy"))
    assert unit is not None
    assert "init script" in unit.note
    assert periodic.unit(CATALOG.release("zed")) is None


def order(service: str) -> dict[str, int]:
    return {daemon.name: place for place, daemon in enumerate(CATALOG.service(service).daemons)}


def test_daemons_start_in_the_order_of_the_guides() -> None:
    nova, neutron, cinder = order("nova"), order("neutron"), order("cinder")
    assert nova["nova-conductor"] < nova["nova-api"] < nova["nova-compute"]
    assert neutron["neutron-rpc-server"] < neutron["neutron-openvswitch-agent"] < neutron["neutron-l3-agent"]
    assert neutron["neutron-openvswitch-agent"] < neutron["neutron-dhcp-agent"]
    assert cinder["cinder-scheduler"] < cinder["cinder-volume"] < cinder["cinder-api"]


def test_every_service_has_an_api_with_a_port() -> None:
    ports = {service.name: service.port for service in CATALOG.services}
    assert ports == {
        "keystone": 5000,
        "placement": 8778,
        "glance": 9292,
        "cinder": 8776,
        "neutron": 9696,
        "nova": 8774,
        "heat": 8004,
    }
    assert [daemon.name for daemon in CATALOG.service("heat").daemons_of(Kind.API)] == [
        "heat-api",
        "heat-api-cfn",
    ]


@pytest.mark.parametrize(
    ("document", "newest"),
    [
        ({"versions": [{"id": "v2.0", "version": ""}, {"id": "v2.1", "version": "2.100"}]}, "2.100"),
        ({"versions": [{"id": "v3.0", "version": "3.71", "min_version": "3.0"}]}, "3.71"),
        ({"versions": [{"id": "v1.0", "max_version": "1.39", "min_version": "1.0"}]}, "1.39"),
        ({"version": {"id": "v3.14", "status": "stable"}}, "3.14"),
        ({"versions": {"values": [{"id": "v3.14"}]}}, "3.14"),
        ({"versions": [{"id": "v2.9"}, {"id": "v2.17"}, {"id": "v2.16"}]}, "2.17"),
        ({"versions": []}, None),
        ({}, None),
    ],
)
def test_newest_version_of_a_document(document: dict[str, Any], newest: str | None) -> None:
    assert ApiDocument.newest(document) == newest
