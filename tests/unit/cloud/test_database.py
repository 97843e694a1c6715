"""What the services' databases are called, by the configuration of a cloud's hosts."""

import pytest

from skipstone.catalog import load_catalog
from skipstone.cloud.database import databases_of
from skipstone.cloud.model import ConfigFile, Host

NOVA = """
[api_database]
connection = mysql+pymysql://nova:***@db/novaapi
[database]
connection = mysql+pymysql://nova:***@db/nova_prod?charset=utf8
"""
NEUTRON = "[database]\nconnection = mysql+pymysql://neutron:***@db:3306/neutron_prod\n"


def host(name: str, **files: str) -> Host:
    found = tuple(
        ConfigFile(path=f"/etc/{path.replace('__', '/')}", sha256="", size=1, text=text)
        for path, text in files.items()
    )
    return Host(name=name, address="", groups=(), reachable=True, config_files=found)


CONTROL = host("ctl", **{"nova__nova.conf": NOVA, "neutron__neutron.conf": NEUTRON})
COMPUTE = host(
    "cmp", **{"nova__nova.conf": "[DEFAULT]\nmy_ip = 10.0.0.1\n", "neutron__neutron.conf": "[DEFAULT]\n"}
)


@pytest.mark.parametrize("hosts", [(CONTROL, COMPUTE), (COMPUTE, CONTROL)], ids=["first", "last"])
def test_a_compute_that_says_nothing_takes_nothing_back(hosts: tuple[Host, ...]) -> None:
    found = databases_of(load_catalog(), hosts)
    names = {known_as: name for name, known_as in found.items()}
    assert names["nova_api"] == "novaapi"
    assert names["nova"] == "nova_prod"
    assert names["neutron"] == "neutron_prod"
    assert names["keystone"] == "keystone", "nobody says it: the catalog's name is tried"


def test_a_drop_in_says_it_too() -> None:
    one = host("ctl", **{"neutron__neutron.conf": "[DEFAULT]\n", "neutron__neutron.conf.d__db.conf": NEUTRON})
    assert databases_of(load_catalog(), [one])["neutron_prod"] == "neutron"


def test_every_name_that_is_said_is_looked_for() -> None:
    old = host("old", **{"neutron__neutron.conf": NEUTRON.replace("neutron_prod", "neutron_old")})
    found = databases_of(load_catalog(), [old, CONTROL])
    assert {name for name, known_as in found.items() if known_as == "neutron"} == {
        "neutron_prod",
        "neutron_old",
    }
