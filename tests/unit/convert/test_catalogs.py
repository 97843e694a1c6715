"""The shipped option catalogs: complete, compact, and of no machine."""

import json
import re

import pytest

from skipstone.catalog import load_catalog
from skipstone.convert.option import Name
from skipstone.convert.options import OPTIONS, known_services, load_history
from skipstone.errors import InputError


def test_every_service_from_ussuri_on_is_there() -> None:
    catalog = load_catalog()
    wanted = {str(release) for release in catalog.releases if release >= catalog.release("ussuri")}
    assert set(known_services()) == {service.name for service in catalog.services}
    for service in known_services():
        assert wanted <= set(load_history(service).releases)


def test_they_are_compact() -> None:
    assert sum(path.stat().st_size for path in OPTIONS.iterdir()) < 2_000_000


@pytest.mark.parametrize("service", known_services())
def test_nothing_of_a_machine_is_in_them(service: str) -> None:
    text = (OPTIONS / f"{service}.jsonl").read_text()
    traces = (
        r"machine-of|/home/|/root/|site-packages|/\.cache|192\.0\.2\.101|2001:db8::1009|\b1009\b|serializable"
    )
    assert not re.findall(traces, text)


@pytest.mark.parametrize("service", known_services())
def test_they_are_sorted_and_hold_each_option_once(service: str) -> None:
    _, *lines = (OPTIONS / f"{service}.jsonl").read_text().splitlines()
    names = [Name(*json.loads(line)[:2]) for line in lines]
    assert names == sorted(set(names))


@pytest.mark.parametrize(
    ("service", "option"),
    [("nova", "host"), ("nova", "my_ip"), ("nova", "pybasedir"), ("cinder", "my_ip"), ("heat", "host")],
)
def test_defaults_of_the_machine_are_marked(service: str, option: str) -> None:
    found = load_history(service).at("zed").options[Name("DEFAULT", option)]
    assert found.varies
    assert found.default is None


@pytest.mark.parametrize(
    ("service", "exchange", "levels"),
    [
        ("glance", "glance", []),
        ("heat", "heat", []),
        ("keystone", "keystone", ["dogpile=INFO", "routes=INFO"]),
        ("neutron", "neutron", ["OFPHandler=INFO"]),
        ("nova", "nova", ["glanceclient=WARN", "oslo.privsep.daemon=INFO"]),
        ("placement", "openstack", ["routes=INFO"]),
    ],
)
def test_defaults_are_those_of_a_service_that_has_started(
    service: str, exchange: str, levels: list[str]
) -> None:
    history = load_history(service)
    for release in history.releases:
        options = history.at(release).options
        assert options[Name("DEFAULT", "control_exchange")].default == exchange
        default = options[Name("DEFAULT", "default_log_levels")].default
        assert isinstance(default, list)
        assert {*levels} <= {*default}


@pytest.mark.parametrize(
    ("service", "since"),
    [
        ("glance", "wallaby"),
        ("heat", "xena"),
        ("keystone", "wallaby"),
        ("neutron", "wallaby"),
        ("nova", "victoria"),
    ],
)
def test_policy_yaml_is_looked_for_since_the_release_that_its_notes_name(service: str, since: str) -> None:
    history = load_history(service)
    name = Name("oslo_policy", "policy_file")
    having = [each for each in history.releases if history.at(each).options[name].default == "policy.yaml"]
    assert having == list(history.releases[history.releases.index(since) :])


def test_a_release_that_was_not_asked_is_refused() -> None:
    catalog, history = load_catalog(), load_history("nova")
    with pytest.raises(InputError, match="Rocky are not known"):
        history.between(catalog.release("rocky"), catalog.release("zed"))
    with pytest.raises(InputError, match="older"):
        history.between(catalog.release("zed"), catalog.release("yoga"))
    with pytest.raises(InputError, match="swift"):
        load_history("swift")
