"""The files that run the lab's clouds, which their releases really read, carried from Zed to 2025.1."""

import re

import pytest

from skipstone.catalog import load_catalog
from skipstone.convert.conversion import convert
from skipstone.convert.options import load_history
from skipstone.convert.recognition import refuse_stranger
from skipstone.convert.remark import Matter
from skipstone.lab.configuration import Configuration
from skipstone.lab.release import load_release, parse_without
from skipstone.lab.topology import load_topology

SERVICE = re.compile(r"^/?etc/(keystone|glance|placement|nova|neutron|cinder|heat)/.*\.(conf|ini)$")
OTHERS = {"uwsgi.ini", "paste.ini"}
STRANGE = {Matter.OPTION_UNKNOWN, Matter.SECTION_UNKNOWN, Matter.OPTION_DEAD, Matter.VALUE_REFUSED}


def lab_files() -> list[tuple[str, str, str]]:
    cloud = Configuration(load_release("zed"), parse_without(""), load_topology("small"), 1400)
    found = []
    for node in cloud.topology.nodes:
        for path, text in cloud.files(node).items():
            service = SERVICE.match(path)
            if service and not path.endswith(tuple(OTHERS)):
                found.append((f"{node.name}:{path}", service[1], text))
    return found


@pytest.mark.parametrize(("name", "service", "text"), lab_files(), ids=lambda value: str(value)[:40])
def test_nothing_that_a_running_cloud_reads_is_strange(name: str, service: str, text: str) -> None:
    catalog, history = load_catalog(), load_history(service)
    source, target = catalog.release("zed"), catalog.release("2025.1")
    refuse_stranger({name: text}, history, source)
    (done,) = convert({name: text}, history, history.between(source, target))
    assert [each for each in done.remarks if each.matter in STRANGE] == []
    (same,) = convert({name: text}, history, history.between(source, source))
    assert same.text == text
