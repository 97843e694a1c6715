"""A backup of ours, by table, is a directory of dumps like another."""

import subprocess
import sys
from pathlib import Path

import pytest

from skipstone.rehearsal.server import PrivateServer
from skipstone.steps.scripts import dumps as program
from tests.database.dumping import load, tables

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

FILL = """
CREATE DATABASE nova CHARACTER SET latin1 COLLATE latin1_bin;
USE nova;
CREATE TABLE instances (id int PRIMARY KEY, name varchar(9));
CREATE TABLE ports (id int PRIMARY KEY, instance int, FOREIGN KEY (instance) REFERENCES instances (id));
INSERT INTO instances VALUES (1, 'one'), (2, 'two');
INSERT INTO ports VALUES (7, 2);
CREATE VIEW named AS SELECT name FROM instances;
CREATE DATABASE glance;
CREATE TABLE glance.images (id int PRIMARY KEY);
"""


def test_it_is_loaded_whole_and_with_the_collation_that_it_had(server: PrivateServer, dumps: Path) -> None:
    server.query(FILL)
    command = (sys.executable, program.__file__, "dump", str(dumps), "nova", "glance", "--by-table", "nova")
    subprocess.run((*command, "--socket", str(server.socket)), check=True)
    server.query("DROP DATABASE nova; DROP DATABASE glance")

    found = tables(load(server, dumps))

    assert {name: sorted(each) for name, each in found.items()} == {
        "nova": ["instances", "ports"],
        "glance": ["images"],
    }
    assert server.query("SELECT * FROM nova.named") == [("one",), ("two",)]
    assert server.query("SELECT * FROM nova.ports") == [("7", "2")]
    collation = "SELECT default_collation_name FROM information_schema.schemata WHERE schema_name = 'nova'"
    assert server.query(collation) == [("latin1_bin",)]
