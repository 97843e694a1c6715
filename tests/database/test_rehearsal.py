"""Dumps on a real MariaDB of their own: loaded, recognised, kept from reaching anything else."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from skipstone.catalog import load_catalog
from skipstone.errors import InputError
from skipstone.rehearsal.databases import identify, redirect_cells, release_of
from skipstone.rehearsal.directory import PREFIX
from skipstone.rehearsal.isolation import isolate
from skipstone.rehearsal.server import PrivateServer
from tests.database.dumping import HEAD, PRODUCTION, dump, load, nova, tables

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

SLEEPER = """
import sys, time
from pathlib import Path
from skipstone.rehearsal.server import PrivateServer
with PrivateServer(Path(sys.argv[1])) as server:
    print(server.directory, flush=True)
    time.sleep(99)
"""


def test_databases_are_recognised_by_their_tables_and_their_release_by_their_heads(
    server: PrivateServer, dumps: Path
) -> None:
    nova(dumps)
    dump(dumps, "dashboard", "CREATE TABLE `django_session` (id int);\n")
    found, nobodys = identify(server, load_catalog(), tables(load(server, dumps)))
    assert {one.name: one.known_as for one in found} == {
        "nova_api": "nova_api",
        "nova_prod": "nova",
        "cell_zero": "nova_cell0",
    }
    assert nobodys == ("dashboard",)
    assert [release.codename for release in release_of(load_catalog(), found)] == ["zed"]


def test_cells_lead_nowhere_but_here(server: PrivateServer, dumps: Path) -> None:
    nova(dumps)
    found, _ = identify(server, load_catalog(), tables(load(server, dumps)))
    redirect_cells(server, found)
    rows = server.query("SELECT database_connection, transport_url FROM nova_api.cell_mappings")
    assert all("10.0.0" not in " ".join(row) for row in rows)
    assert {row[0].partition("?")[0].rpartition("/")[2] for row in rows} == {"cell_zero", "nova_prod"}


def test_a_cell_whose_dump_is_missing(server: PrivateServer, dumps: Path) -> None:
    nova(dumps)
    (dumps / "nova_prod.sql").unlink()
    found, _ = identify(server, load_catalog(), tables(load(server, dumps)))
    with pytest.raises(InputError, match="not among the dumps: nova_prod"):
        redirect_cells(server, found)


def cell_at(directory: Path, address: str) -> None:
    """Let nova have one more cell, whose database is at an address."""
    path = directory / "nova_api.sql"
    row = f"INSERT INTO `cell_mappings` VALUES ('2222', 'mysql+pymysql://nova:secret@{address}?a=b', 'none:///');"
    path.write_text(path.read_text().replace("CREATE TABLE `instance_", f"{row}\nCREATE TABLE `instance_"))


def test_a_cell_whose_database_has_the_name_of_anothers_elsewhere(server: PrivateServer, dumps: Path) -> None:
    nova(dumps)
    cell_at(dumps, "cell2db/nova_prod")
    found, _ = identify(server, load_catalog(), tables(load(server, dumps)))
    with pytest.raises(InputError, match="of the same name on different servers: nova_prod") as caught:
        redirect_cells(server, found)
    assert caught.value.evidence == "10.0.0.5/nova_prod; of cell 2222: cell2db/nova_prod"
    assert "nova_prod_2.sql" in caught.value.remedy


def test_what_is_said_to_do_about_it_lets_both_cells_be_rehearsed(server: PrivateServer, dumps: Path) -> None:
    nova(dumps)
    cell_at(dumps, "cell2db/nova_prod_2")
    (dumps / "nova_prod_2.sql").write_bytes((dumps / "nova_prod.sql").read_bytes())
    found, _ = identify(server, load_catalog(), tables(load(server, dumps)))
    redirect_cells(server, found)
    rows = server.query("SELECT database_connection FROM nova_api.cell_mappings ORDER BY uuid")
    assert [server.url(name) for name in ("cell_zero", "nova_prod", "nova_prod_2")] == [
        row[0] for row in rows
    ]


def test_a_template_means_the_database_that_no_other_cell_names(server: PrivateServer, dumps: Path) -> None:
    nova(dumps)
    path = dumps / "nova_api.sql"
    template = "{scheme}://{username}:{password}@{hostname}:{port}/{path}?{query}"
    path.write_text(path.read_text().replace(f"{PRODUCTION}/nova_prod?charset=utf8", template))
    cell_at(dumps, "cell2db/another")
    (dumps / "another.sql").write_bytes((dumps / "nova_prod.sql").read_bytes())
    found, _ = identify(server, load_catalog(), tables(load(server, dumps)))
    redirect_cells(server, found)
    rows = server.query("SELECT database_connection FROM nova_api.cell_mappings ORDER BY uuid")
    assert [server.url(name) for name in ("cell_zero", "nova_prod", "another")] == [row[0] for row in rows]


def test_one_server_may_be_named_with_its_port_and_without(server: PrivateServer, dumps: Path) -> None:
    nova(dumps)
    cell_at(dumps, "10.0.0.5:3306/nova_prod")
    found, _ = identify(server, load_catalog(), tables(load(server, dumps)))
    redirect_cells(server, found)


def test_two_databases_of_one_service(server: PrivateServer, dumps: Path) -> None:
    for name in ("glance", "glance_old"):
        dump(dumps, name, "CREATE TABLE `images` (id int);\nCREATE TABLE `image_locations` (id int);\n")
    with pytest.raises(InputError, match="two databases are those of glance"):
        identify(server, load_catalog(), tables(load(server, dumps)))


def test_a_dump_of_a_whole_server_brings_its_databases_and_not_its_accounts(
    server: PrivateServer, dumps: Path
) -> None:
    dump(
        dumps,
        "all",
        "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `mysql`;\nUSE `mysql`;\n"
        "DROP TABLE IF EXISTS `global_priv`;\nCREATE TABLE `global_priv` (a int);\n"
        "CREATE USER `evil`@`%`;\n"
        "CREATE DATABASE `glance` /*!40100 DEFAULT CHARACTER SET latin1 */;\nUSE `glance`;\n"
        "CREATE TABLE `images` (id int);\nINSERT INTO `images` VALUES (1),(2);\n",
    )
    (loaded,) = load(server, dumps)
    assert [content.name for content in loaded.contents] == ["glance"]
    assert loaded.left_out == {"database mysql": 1}
    assert server.query("SELECT COUNT(*) FROM glance.images") == [("2",)]
    assert server.query("SELECT COUNT(*) FROM mysql.global_priv WHERE user = 'evil'") == [("0",)]
    charset = (
        "SELECT default_character_set_name FROM information_schema.schemata WHERE schema_name = 'glance'"
    )
    assert server.query(charset) == [("latin1",)]


def test_a_dump_that_names_no_database_is_of_the_one_that_its_file_is_named_after(
    server: PrivateServer, dumps: Path
) -> None:
    server.query(
        "CREATE DATABASE nova; USE nova; CREATE TABLE instances (id int); INSERT INTO instances VALUES (1);"
        "CREATE TRIGGER t BEFORE INSERT ON instances FOR EACH ROW SET NEW.id = 2;"
        "CREATE VIEW v AS SELECT id FROM instances; CREATE FUNCTION f() RETURNS int RETURN 3"
    )
    with (dumps / "nova_prod.sql").open("wb") as file:
        program, *options = server.client("--routines", "nova")
        subprocess.run([f"{program}-dump", *options], stdout=file, check=True)
    (loaded,) = load(server, dumps)
    assert [(content.name, content.tables) for content in loaded.contents] == [("nova_prod", ["instances"])]
    server.query("DROP DATABASE nova; INSERT INTO nova_prod.instances VALUES (1)")
    assert server.query("SELECT id, nova_prod.f() FROM nova_prod.v ORDER BY id") == [("1", "3"), ("2", "3")]


def test_a_directory_of_mydumper_with_triggers_and_routines_is_one_dump(
    server: PrivateServer, dumps: Path
) -> None:
    texts = {
        "metadata": "Started dump at: 2026-11-29 21:15:13\n",
        "nova-schema-create.sql": "CREATE DATABASE `nova` /*!40100 DEFAULT CHARACTER SET utf8mb4 */;\n",
        "nova.instances-schema.sql": "CREATE TABLE `instances` (\n  `id` int(11)\n) ENGINE=InnoDB;\n",
        "nova.instances.sql": "/*!40101 SET NAMES binary*/;\nINSERT INTO `instances` VALUES\n(1);\n",
        "nova.instances-schema-triggers.sql": "SET character_set_client = utf8mb3;\n"
        "CREATE DEFINER=`root`@`%` TRIGGER t BEFORE INSERT ON instances FOR EACH ROW SET NEW.id = 2;\n",
        "nova-schema-post.sql": "SET character_set_client = utf8mb3;\nDROP FUNCTION IF EXISTS `f`;\n"
        "CREATE DEFINER=`root`@`%` FUNCTION `f`() RETURNS int(11)\n    DETERMINISTIC\nRETURN 3;\n",
    }
    for name, text in texts.items():
        (dumps / name).write_text(text)
    (loaded,) = load(server, dumps)
    assert [content.name for content in loaded.contents] == ["nova"]
    server.query("INSERT INTO nova.instances VALUES (1)")
    assert server.query("SELECT id, nova.f() FROM nova.instances ORDER BY id") == [("1", "3"), ("2", "3")]


@pytest.mark.parametrize(
    "hidden",
    [
        "SELECT 1; CREATE USER evil;",
        "INSERT INTO mysql.global_priv VALUES ('%', 'evil', '{}');",
        "SELECT 1; DROP DATABASE nova_prod;",
        "SELECT 1 INTO OUTFILE '/var/tmp/skipstone-was-here';",
    ],
)
def test_sql_that_hides_cannot_leave_its_database_either(
    server: PrivateServer, dumps: Path, hidden: str
) -> None:
    """What the filter of lines does not see, the account refuses that the dump is loaded by."""
    server.query("CREATE DATABASE nova_prod")
    dump(dumps, "x", f"CREATE TABLE `t` (id int);\n{hidden}\n")
    with pytest.raises(InputError, match="cannot be loaded") as caught:
        load(server, dumps)
    assert "denied" in caught.value.evidence
    assert ("nova_prod",) in server.query("SHOW DATABASES")


def test_the_shell_cannot_be_reached_out_of_a_dump(
    server: PrivateServer, dumps: Path, tmp_path: Path
) -> None:
    marked = tmp_path / "marked"
    dump(dumps, "x", f"CREATE TABLE `t` (id int);\n\\! touch {marked}\nsystem touch {marked}\n")
    with pytest.raises(InputError):
        load(server, dumps)
    assert not marked.exists()


def test_a_cut_off_dump_and_one_that_is_no_sql(server: PrivateServer, dumps: Path) -> None:
    (dumps / "a.sql").write_text(HEAD + "CREATE TABLE `t` (id int);\n")
    with pytest.raises(InputError, match="ends before its end") as caught:
        load(server, dumps)
    assert "a.t" in caught.value.evidence


def test_a_dump_that_the_server_refuses(server: PrivateServer, dumps: Path) -> None:
    dump(dumps, "x", "CREATE TABLE `t` (id int) COLLATE=utf8mb4_of_the_future;\n")
    with pytest.raises(InputError, match="cannot be loaded") as caught:
        load(server, dumps)
    assert "utf8mb4_of_the_future" in caught.value.evidence


def test_a_killed_rehearsal_leaves_no_server_and_the_next_one_no_files(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SLEEPER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        left = Path(process.stdout.readline().strip())
        assert left.name.startswith(PREFIX)
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while _served(left) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _served(left), "the server outlived the rehearsal"
    with PrivateServer(tmp_path):
        assert not left.exists()


def _served(directory: Path) -> bool:
    return (
        subprocess.run(["pgrep", "-f", f"datadir={directory}"], capture_output=True, check=False).returncode
        == 0
    )


def test_a_directory_with_a_long_name_is_none_for_a_socket(tmp_path: Path) -> None:
    place = tmp_path / ("rehearsals-of-a-cloud-with-a-long-name-" * 3)
    place.mkdir()
    with PrivateServer(place) as server:
        assert server.query("SELECT 1") == [("1",)]
        assert server.directory.parent == place
        door = server.socket.parent
    assert not door.exists()
    assert list(place.iterdir()) == []


def test_nothing_can_be_reached_from_where_the_commands_run(server: PrivateServer) -> None:
    """Not even a listener of this machine; but the rehearsal's own server can."""
    connect = "import socket; socket.create_connection(('127.0.0.1', {}), timeout=3)"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        subprocess.run([sys.executable, "-c", connect.format(port)], check=True)
        cut = subprocess.run(
            [*isolate(), sys.executable, "-c", connect.format(port)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert cut.returncode
    assert "unreachable" in cut.stderr or "Network" in cut.stderr
    asked = subprocess.run(
        [*isolate(), *server.client("-NBe", "SELECT 42")], capture_output=True, text=True, check=True
    )
    assert asked.stdout.strip() == "42"
