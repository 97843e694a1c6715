"""A package's long file, edited as an operator does it."""

import configparser

import pytest

from skipstone.convert.inifile import Kind, parse
from skipstone.lab.configuration import SETTINGS, Configuration
from skipstone.lab.edited import edited
from skipstone.lab.release import load_release, parse_without, release_names
from skipstone.lab.topology import load_topology

SHIPPED = """\
[DEFAULT]

# Number of workers (integer value)
#workers = <None>
my_ip = 192.0.2.2

[database]
connection = sqlite:////var/lib/nova/novadb
"""


def test_settings_stand_in_their_sections_and_the_package_s_own_are_comments() -> None:
    found = edited(SHIPPED, "[database]\nconnection = mysql://\n\n[api]\nauth = x\n", "[DEFAULT]\nold = 1\n")
    assert found.splitlines() == [
        "[DEFAULT]",
        "old = 1",
        "",
        "# Number of workers (integer value)",
        "#workers = <None>",
        "#my_ip = 192.0.2.2",
        "",
        "[database]",
        "connection = mysql://",
        "#connection = sqlite:////var/lib/nova/novadb",
        "",
        "[api]",
        "auth = x",
    ]


def test_settings_of_one_section_in_two_texts_come_together() -> None:
    found = edited("", "[a]\nx = 1\n# why\n", "[a]\ny = 2\n")
    assert found.splitlines() == ["", "[a]", "x = 1", "# why", "y = 2"]


@pytest.mark.parametrize("release", release_names())
def test_what_has_aged_stands_in_a_file_that_is_written_and_sets_nothing_twice(release: str) -> None:
    cloud = Configuration(load_release(release), parse_without(""), load_topology("small"), 1400)
    for node in cloud.topology.nodes:
        for path, text in cloud.files(node).items():
            if SETTINGS.fullmatch(path):
                whole = edited("", text, cloud.release.aged.get(path, ""))
                configparser.ConfigParser(interpolation=None, strict=True).read_string(whole)
                assert any(line.kind is Kind.OPTION for line in parse(whole, path))
    assert set(cloud.release.aged) <= set(cloud.files(cloud.topology.controller))
