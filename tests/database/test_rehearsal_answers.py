"""What is compared is read from a real MariaDB; where APIs find each other, nothing else is found."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from skipstone.catalog.serving import Question, Resource
from skipstone.rehearsal.databases import LoadedDatabase
from skipstone.rehearsal.facts import read
from skipstone.rehearsal.isolation import isolate
from skipstone.rehearsal.namespace import LoopbackNetwork
from skipstone.rehearsal.server import PrivateServer
from skipstone.rehearsal.serving import SCRIPTS, free_ports

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

CELLS = tuple(LoadedDatabase(name, "nova", "nova", ()) for name in ("cell1", "cell2"))
SEPARATORS = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
"""What ends a line for ``str.splitlines``, and for no database."""
SERVE = """
import socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
    print("ready", flush=True)
    listener.accept()[0].sendall(b"here")
"""
CONNECT = "import socket, sys; print(socket.create_connection(('127.0.0.1', {}), timeout=3).recv(9))"
HOLDER = """
import sys, time
from skipstone.rehearsal.isolation import isolate
from skipstone.rehearsal.namespace import LoopbackNetwork
with LoopbackNetwork(isolate()) as network:
    print(network.prefix[1], flush=True)
    time.sleep(99)
"""
APPLICATION = """
def application(environ, start_response):
    start_response("200 OK", [])
    return [b"hello"]
"""
PARENT = """
import subprocess, sys, time
with subprocess.Popen([sys.executable, *sys.argv[1:]]):
    time.sleep(99)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateServer]:
    with PrivateServer(tmp_path_factory.mktemp("s")) as server:
        for name in ("cell1", "cell2"):
            server.query(
                f"CREATE DATABASE {name} CHARACTER SET utf8mb4; USE {name};"
                "CREATE TABLE instances (uuid varchar(36), display_name text, deleted int, net longtext)"
            )
        server.query(
            "INSERT INTO cell1.instances VALUES ('b', 'zwei\\nZeilen', 0, '[{\"a\": \"10.0.0.1\"}]'),"
            "('x', 'gone', 7, NULL);"
            f"INSERT INTO cell2.instances VALUES ('a', 'NULL', 0, NULL), ('c', 'Größe{SEPARATORS}', 0, NULL)"
        )
        yield server


def instances(**more: str) -> Resource:
    fields = {"id": "i.uuid", "name": "i.display_name", "net": "JSON_EXTRACT(i.net, '$[*].a')"} | more
    asked = Question(paths=("/servers",), list="servers")
    rows = "instances AS i WHERE i.deleted = 0"
    return Resource(name="i", databases=("nova",), rows=rows, fields=fields, asked=asked, evidence="here")


def test_rows_of_all_cells_are_read_as_they_are(server: PrivateServer) -> None:
    held = read(server, CELLS, instances())
    assert held.total == 3
    assert held.rows == {
        ("a",): {"id": "a", "name": "NULL", "net": None},
        ("b",): {"id": "b", "name": "zwei\nZeilen", "net": ["10.0.0.1"]},
        ("c",): {"id": "c", "name": f"Größe{SEPARATORS}", "net": None},
    }


def test_answers_are_the_same_in_every_locale(server: PrivateServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    name = "SELECT display_name FROM cell2.instances WHERE uuid = 'c'"
    assert server.query(name) == [(f"Größe{SEPARATORS}",)]


def test_a_field_that_an_old_schema_has_not_is_left_out_and_named(server: PrivateServer) -> None:
    held = read(server, CELLS, instances(hidden="i.hidden", other="COALESCE(i.hidden, i.new)"))
    assert set(held.rows["a",]) == {"id", "name", "net"}
    assert "hidden" in held.left_out["hidden"]
    assert set(held.left_out) == {"hidden", "other"}


def test_a_table_or_key_that_an_old_schema_has_not_leaves_the_kind_unread(server: PrivateServer) -> None:
    assert "hidden" in read(server, CELLS, instances(id="i.hidden")).unread
    gone = instances().model_copy(update={"rows": "servers AS i"})
    assert "servers" in read(server, CELLS, gone).unread


def test_no_more_rows_are_read_than_asked_for_and_the_first_of_all_cells(server: PrivateServer) -> None:
    held = read(server, CELLS, instances(), limit=2)
    assert (set(held.rows), held.total) == ({("a",), ("b",)}, 3)


def test_processes_find_each_other_and_nothing_of_this_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, LoopbackNetwork(isolate()) as network:
        listener.settimeout(1)
        port = listener.getsockname()[1]
        inside = (*network.prefix, sys.executable, "-c")
        refused = subprocess.run([*inside, CONNECT.format(port)], capture_output=True, text=True, check=False)
        assert "refused" in refused.stderr
        with pytest.raises(TimeoutError):
            listener.accept()
        with subprocess.Popen([*inside, SERVE, str(port)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            found = subprocess.run([*inside, CONNECT.format(port)], capture_output=True, check=True)
        assert found.stdout == b"b'here'\n"
        interfaces = subprocess.run(
            [*network.prefix, "cat", "/proc/net/dev"], capture_output=True, text=True, check=True
        )
        assert [line.split(":")[0].strip() for line in interfaces.stdout.splitlines()[2:]] == ["lo"]


def test_a_network_ends_with_a_killed_rehearsal() -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        place = Path(process.stdout.readline().strip().partition("=")[2])
        assert os.stat(place)  # noqa: PTH116 - a link that leads to no path
        process.send_signal(signal.SIGKILL)
    until(lambda: not place.parent.is_dir())


def answers(port: int) -> bytes:
    with urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
        return bytes(answer.read())


def test_an_api_ends_with_a_killed_rehearsal(tmp_path: Path) -> None:
    (tmp_path / "answering.py").write_text(APPLICATION)
    (port,) = free_ports(1)
    given = {
        "service": "x",
        "directory": str(tmp_path),
        "file": "x.conf",
        "port": port,
        "module": "answering",
    }
    argv = [sys.executable, "-c", PARENT, str(SCRIPTS / "serve.py"), json.dumps(given)]
    with subprocess.Popen(argv, env={**os.environ, "PYTHONPATH": str(tmp_path)}) as process:
        until((tmp_path / "ready").exists)
        assert answers(port) == b"hello"
        process.send_signal(signal.SIGKILL)
    until(lambda: refused(port))


def refused(port: int) -> bool:
    try:
        answers(port)
    except OSError:  # refused, or cut off in the middle
        return True
    return False


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.1)
