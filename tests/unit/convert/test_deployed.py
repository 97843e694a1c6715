"""Files as deployment tools write them, carried from Zed on: nothing is lost, and what is odd is told."""

from pathlib import Path

import pytest

from skipstone.catalog import load_catalog
from skipstone.convert.carrying import carry
from skipstone.convert.inifile import Kind, parse
from skipstone.convert.options import load_history
from skipstone.convert.remark import Matter
from skipstone.views.conversion_page import render

FILES = sorted(Path(__file__).with_name("deployed").glob("*.conf"))
STRANGE = {
    "cinder-puppet": {
        *("rpc_response_timeout", "enable_v2_api", "enable_v3_api"),
        *("iscsi_ip_address", "iscsi_helper", "iscsi_protocol"),
    },
    "glance-charm": {"verbose", "signing_dir", "scrubber_datadir"},
    "neutron-openstack-ansible": {"allow_overlapping_ips", "quota_items"},
    "nova-kolla": {"rabbit_quorum_queues"},
    "nova-debian": set[str](),
    "keystone-devstack": set[str](),
}
"""What no release on the way knows, or does not take; tools write such lines, and they have to be told."""


@pytest.mark.parametrize("target", ["2024.1", "2025.1", "2026.1"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_is_carried_without_a_loss_and_stays(path: Path, target: str) -> None:
    catalog, history = load_catalog(), load_history(path.stem.partition("-")[0])
    way = history.between(catalog.release("zed"), catalog.release(target))
    text = path.read_text(encoding="utf-8")
    (done,) = carry({path.name: text}, history, way)
    (again,) = carry({path.name: done.text}, history, way)
    (same,) = carry({path.name: text}, history, way[:1])
    assert again.text == done.text
    assert same.text == text
    for line in parse(text, path.name):
        if line.kind is Kind.OPTION:
            assert line.text.partition("=")[2].strip() in done.text, line.key
        else:
            assert line.text in done.text
    assert "not-a-secret" not in render([done], "x")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_nobody_knows_is_told(path: Path) -> None:
    catalog, history = load_catalog(), load_history(path.stem.partition("-")[0])
    way = history.between(catalog.release("zed"), catalog.release("2025.1"))
    (done,) = carry({path.name: path.read_text(encoding="utf-8")}, history, way)
    strange = {Matter.OPTION_UNKNOWN, Matter.OPTION_DEAD, Matter.VALUE_REFUSED, Matter.SECTION_UNKNOWN}
    assert {each.option for each in done.remarks if each.matter in strange} == STRANGE[path.stem]
