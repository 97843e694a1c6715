"""What a person must decide, in files that have it and in files that have not."""

import re

import pytest

from skipstone.catalog import load_catalog
from skipstone.convert.conversion import Conversion, convert
from skipstone.convert.options import load_history
from skipstone.convert.remark import Matter
from skipstone.convert.rules import Unset, Value, load_rules
from skipstone.plan.telling import _FATAL


def carry(text: str, service: str, source: str, target: str, *, keep: bool = False) -> Conversion:
    catalog, history = load_catalog(), load_history(service)
    way = history.between(catalog.release(source), catalog.release(target))
    (done,) = convert({"x.conf": text}, history, way, keep=keep)
    return done


def decisions(done: Conversion) -> list[tuple[Matter, int | None]]:
    wanted = {Matter.VALUE_GONE, Matter.OPTION_NEEDED, Matter.DEFAULT_MATTERS}
    return [(each.matter, each.line) for each in done.remarks if each.matter in wanted]


@pytest.mark.parametrize(
    ("service", "text", "source", "target"),
    [
        ("neutron", "[ml2]\nmechanism_drivers = openvswitch,linuxbridge\n", "zed", "2025.1"),
        (
            "neutron",
            "[DEFAULT]\ninterface_driver = neutron.agent.linux.interface.BridgeInterfaceDriver\n",
            "zed",
            "2025.1",
        ),
        ("keystone", "[catalog]\ndriver = templated\n", "zed", "2025.1"),
        ("cinder", "[DEFAULT]\nrpc_backend = rabbit\n", "rocky", "2025.1"),
        (
            "cinder",
            "[a]\nvolume_driver = cinder.volume.drivers.windows.iscsi.WindowsISCSIDriver\n",
            "2025.1",
            "2026.1",
        ),
        ("nova", "[DEFAULT]\ncompute_driver = hyperv.HyperVDriver\n", "zed", "2024.1"),
    ],
)
def test_values_that_mean_nothing_any_more_need_a_decision(
    service: str, text: str, source: str, target: str
) -> None:
    done = carry(text, service, source, target)
    assert decisions(done) == [(Matter.VALUE_GONE, 2)]
    assert done.undecided


@pytest.mark.parametrize(
    ("service", "text"),
    [
        ("glance", "[keystone_authtoken]\nauth_url = http://ctl:5000/v2.0\n"),
        ("cinder", "[DEFAULT]\nrpc_backend = rabbit\n"),
    ],
)
def test_what_was_dead_already_is_told_once_and_stops_no_upgrade(service: str, text: str) -> None:
    done = carry(text, service, "zed", "2025.1")
    assert [(each.matter, each.line) for each in done.remarks if each.line] == [(Matter.VALUE_DEAD, 2)]
    assert done.undecided
    assert Matter.VALUE_DEAD not in _FATAL


def test_the_same_values_are_fine_before_that_and_so_are_others() -> None:
    assert decisions(carry("[ml2]\nmechanism_drivers = linuxbridge\n", "neutron", "zed", "2024.2")) == []
    assert decisions(carry("[ml2]\nmechanism_drivers = ovn\n", "neutron", "zed", "2025.1")) == []


def test_nova_has_to_send_service_tokens() -> None:
    needed = [(Matter.OPTION_NEEDED, None)]
    text = "[oslo_policy]\nenforce_scope = true\nenforce_new_defaults = true\n[keystone_authtoken]\n"
    assert decisions(carry(text, "nova", "zed", "2025.1")) == needed
    off = f"{text}[service_user]\nsend_service_user_token = false\n"
    assert decisions(carry(off, "nova", "zed", "2025.1")) == needed
    assert decisions(carry(off.replace("false", "True"), "nova", "zed", "2025.1")) == []
    assert decisions(carry(text, "nova", "2024.1", "2025.1")) == [], "it was needed before already"
    assert decisions(carry("[DEFAULT]\n", "nova", "zed", "2025.1")) == [], "a part of the configuration"


def test_new_defaults_of_access_are_told_without_their_section_and_kept_on_request() -> None:
    text = "[DEFAULT]\n[keystone_authtoken]\n"
    done = carry(text, "heat", "zed", "2024.1")
    assert decisions(done) == [(Matter.DEFAULT_MATTERS, None)] * 2
    kept = carry(text, "heat", "zed", "2024.1", keep=True)
    assert decisions(kept) == []
    assert "\n[oslo_policy]\n" in kept.text
    assert "\nenforce_scope = False\n" in kept.text
    assert decisions(carry(text, "heat", "zed", "2023.2")) == []


def test_what_is_kept_makes_a_section_that_stays_as_it_is() -> None:
    kept = carry("[keystone_authtoken]\n", "nova", "ussuri", "2025.1", keep=True)
    assert "\nenforce_scope = False\n" in kept.text
    assert carry(kept.text, "nova", "ussuri", "2025.1", keep=True).text == kept.text


def test_a_policy_is_carried_and_its_old_name_not_kept() -> None:
    kept = carry("[oslo_policy]\n", "nova", "ussuri", "2025.1", keep=True)
    (said,) = (each for each in kept.remarks if each.option == "policy_file")
    assert (said.matter, "carried into that file" in said.text) == (Matter.DEFAULT_CHANGED, True)
    assert "policy_file" not in kept.text


def test_every_rule_is_of_the_catalog_and_has_its_source() -> None:
    catalog, rules = load_catalog(), load_rules()
    every: list[Value | Unset] = [*rules.values, *rules.unset]
    for rule in every:
        assert catalog.release(rule.since)
        assert all(catalog.service(name) for name in rule.services)
        assert rule.source
    for value in rules.values:
        assert re.compile(value.pattern)
    for default in rules.defaults:
        known = load_history("nova")
        assert any(default.option in known.at(release).options for release in known.releases)
