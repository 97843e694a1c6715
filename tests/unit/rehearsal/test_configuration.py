from configparser import RawConfigParser
from pathlib import Path

from skipstone.catalog import load_catalog
from skipstone.rehearsal.configuration import write_configurations
from skipstone.rehearsal.databases import LoadedDatabase
from skipstone.rehearsal.server import PrivateServer


def written(tmp_path: Path, service: str, names: dict[str, str]) -> list[dict[str, str]]:
    """Return the databases that each of a service's files leads to: section -> name."""
    server = PrivateServer()
    server.directory = tmp_path
    databases = tuple(LoadedDatabase(name, service, known_as, ()) for name, known_as in names.items())
    found = []
    for path in write_configurations(server, load_catalog().service(service), databases, tmp_path / service):
        parser = RawConfigParser()
        parser.read(path)
        urls = {
            name: parser[name]["connection"] for name in parser.sections() if "connection" in parser[name]
        }
        found.append({name: url.partition("?")[0].rpartition("/")[2] for name, url in urls.items()})
    return found


def test_one_file_is_enough_for_most(tmp_path: Path) -> None:
    assert written(tmp_path, "glance", {"images": "glance"}) == [{"database": "images"}]


def test_each_cell_of_nova_has_a_file(tmp_path: Path) -> None:
    names = {"api": "nova_api", "cell_zero": "nova_cell0", "east": "nova", "west": "nova"}
    assert written(tmp_path, "nova", names) == [
        {"api_database": "api", "database": "east"},
        {"api_database": "api", "database": "west"},
    ]
