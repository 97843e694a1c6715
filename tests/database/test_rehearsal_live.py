"""Databases of a running server, read for a rehearsal over a real sshd: no lock, no write, nothing left."""

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from skipstone.catalog import load_catalog
from skipstone.checks.examination import examine
from skipstone.cloud.cloudfile import load_cloud
from skipstone.errors import InputError, SkipstoneError
from skipstone.plan.planfile import save_plan
from skipstone.plan.planner import make_plan
from skipstone.rehearsal.directory import PREFIX
from skipstone.rehearsal.dumps import find_dumps
from skipstone.rehearsal.loading import load_all
from skipstone.rehearsal.production import Copies, Production, copies_of
from skipstone.rehearsal.rehearsal import Wish, rehearse
from skipstone.rehearsal.server import PrivateServer
from tests.database.test_rehearsal_stops import ARRIVE, Pretended
from tests.unit.cloud.sshd import PROGRAM, Sshd, running_sshd

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.geteuid() != 0 or not Path(PROGRAM).exists(), reason="needs root and sshd"),
]

CLOUD = Path(__file__).parents[1] / "plans" / "zed-small" / "cloud.yaml"
NAMES = ("keystone", "glance", "placement", "nova_api", "nova_cell0", "nova", "neutron", "cinder", "heat")
HEAT = """
CREATE DATABASE heat_prod CHARACTER SET utf8mb3;
CREATE TABLE heat_prod.stack (id int) DEFAULT CHARSET=utf8mb3;
CREATE TABLE heat_prod.raw_template (id int);
INSERT INTO heat_prod.stack VALUES (1),(2);
CREATE TABLE heat_prod.migrate_version (repository_id varchar(9), version int);
INSERT INTO heat_prod.migrate_version VALUES ('heat', 86);
"""
LARGE = """
CREATE DATABASE large; USE large;
CREATE TABLE large.rows (id int PRIMARY KEY, text longtext);
INSERT INTO large.rows SELECT seq, REPEAT(MD5(seq), 2000) FROM seq_1_to_500;
CREATE TABLE large.users (id int PRIMARY KEY);
"""
CHANGES = (
    "insert",
    "update",
    "delete",
    "replace",
    "lock_tables",
    "flush",
    "create_table",
    "alter_table",
    "drop_db",
)


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateServer]:
    """A server that is somebody's production."""
    with PrivateServer(tmp_path_factory.mktemp("production")) as server:
        server.query(HEAT)
        server.query(LARGE)
        yield server


@pytest.fixture(scope="module")
def host(production: PrivateServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """Its host: there the clients find the server without being told how."""
    with running_sshd(tmp_path_factory.mktemp("host")) as sshd:
        (sshd.home / ".my.cnf").write_text(f"[client]\nsocket = {production.socket}\n")
        yield sshd


@contextmanager
def copied(host: Sshd, parent: Path, *databases: str, limit: float | None = None) -> Iterator[Copies]:
    cloud = Production("test", "test-plan", "h1", databases)
    with copies_of(cloud, host.inventory(), parent=parent, limit=limit) as copies:
        yield copies


def test_what_is_read_is_what_is_there(host: Sshd, production: PrivateServer, tmp_path: Path) -> None:
    with copied(host, tmp_path, "heat_prod", "large") as copies, PrivateServer(tmp_path) as server:
        assert stat.S_IMODE(copies.directory.stat().st_mode) == 0o700
        assert {stat.S_IMODE(file.stat().st_mode) for file in copies.directory.iterdir()} == {0o600}
        load_all(server, find_dumps(copies.directory), at_once=2)
        for table in ("heat_prod.stack", "large.rows"):
            assert server.query(f"CHECKSUM TABLE {table}") == production.query(f"CHECKSUM TABLE {table}")
    assert list(tmp_path.iterdir()) == []


def test_the_running_server_is_neither_changed_nor_locked(
    host: Sshd, production: PrivateServer, tmp_path: Path
) -> None:
    """Users go on writing meanwhile, also into the table that is being read; what they write is not in it."""
    before, written, reading = commands(production), 0, threading.Event()
    reading.set()

    def write() -> None:
        nonlocal written
        while reading.is_set():
            row = 1000 + written
            production.query(
                "SET lock_wait_timeout=1, innodb_lock_wait_timeout=1;"
                f"INSERT INTO large.users VALUES ({row}); INSERT INTO large.rows VALUES ({row}, 'new')"
            )
            written += 1

    with PrivateServer(tmp_path) as server:
        users = threading.Thread(target=write)
        users.start()
        try:
            with copied(host, tmp_path, "large", limit=16) as copies:
                reading.clear()
                users.join()
                load_all(server, find_dumps(copies.directory), at_once=1)
        finally:
            reading.clear()
        (found,) = server.query("SELECT COUNT(*) FROM large.rows WHERE text = 'new'")
    assert written > 0
    assert int(found[0]) < written
    after = commands(production)
    assert after.pop("insert") - before.pop("insert") == 2 * written
    assert after == before
    production.query("DELETE FROM large.rows WHERE id >= 1000")


def test_a_limit_makes_it_wait(host: Sshd, tmp_path: Path) -> None:
    with copied(host, tmp_path, "large", limit=8) as slow:
        assert slow.readings["large"].waited > 0
    with copied(host, tmp_path, "large") as fast:
        assert fast.readings["large"].waited == 0


def test_a_database_that_is_not_there(host: Sshd, tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="nowhere could not be read") as caught,
        copied(host, tmp_path, "nowhere"),
    ):
        pass
    assert "Unknown database" in caught.value.evidence
    assert list(tmp_path.iterdir()) == []


def test_a_connection_that_is_lost(host: Sshd, tmp_path: Path) -> None:
    cut = threading.Timer(1.5, host.signal_sessions, (signal.SIGKILL,))
    cut.start()
    with pytest.raises(SkipstoneError, match="connection was lost"), copied(host, tmp_path, "large", limit=2):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of eight MiB."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "skipstone-test", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_is_too_small_is_seen_before_anything_is_read(host: Sshd, small: Path) -> None:
    with pytest.raises(InputError, match="no room") as caught, copied(host, small, "large"):
        pass
    assert "8 MiB are free" in caught.value.evidence
    assert list(small.iterdir()) == []


def test_a_disk_that_fills_up_is_not_taken_for_a_lost_connection(
    host: Sshd, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skipstone.rehearsal.production.SERVER_SIZE", -(1 << 40))
    with pytest.raises(InputError, match="cannot be written") as caught, copied(host, small, "large"):
        pass
    assert "No space left" in caught.value.evidence
    assert list(small.iterdir()) == []


def test_the_report_names_the_cloud_and_when_each_database_was_read(host: Sshd, tmp_path: Path) -> None:
    catalog = load_catalog()
    with copied(host, tmp_path, "heat_prod") as copies:
        wish = Wish(copies.directory, catalog.release("2025.1"), directory=tmp_path)
        script = f'$mariadb "{ARRIVE}"'
        report = copies.sign(rehearse(catalog, wish, lambda release: Pretended(release, script)))
    assert report.passed
    assert report.origin
    assert (report.origin.cloud, report.origin.plan) == ("test", "test-plan")
    (dump,) = report.dumps
    assert dump.where == "h1: heat_prod"
    assert dump.reading
    assert dump.reading.at < report.began
    assert str(tmp_path) not in report.model_dump_json()


@pytest.fixture(scope="module")
def cloud(production: PrivateServer, host: Sshd, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with the plan and the inventory of a cloud whose databases are here."""
    directory = tmp_path_factory.mktemp("cloud")
    catalog, found = load_catalog(), load_cloud(CLOUD)
    target = catalog.release("2025.1")
    save_plan(
        make_plan(found, catalog, target, findings=examine(found, catalog, target)), directory / "plan.yaml"
    )
    entry = f"{{address: 127.0.0.1, port: {host.port}, user: root, key_file: {host.key}, groups: [database]}}"
    (directory / "inventory.yaml").write_text(
        f"name: {found.name}\nssh_config: {host.config}\nhosts:\n  ctl1: {entry}\n"
    )
    for name in NAMES:
        rows = 500 if name == "nova" else 5
        production.query(
            f"CREATE DATABASE {name}; CREATE TABLE {name}.t SELECT * FROM large.rows LIMIT {rows}"
        )
    return directory


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_reading_that_is_interrupted_leaves_nothing(
    cloud: Path, production: PrivateServer, tmp_path: Path, how: signal.Signals
) -> None:
    """Neither here nor at the host; what a killed one leaves, the next one removes."""
    verb = ["rehearse", cloud / "plan.yaml", "-i", cloud / "inventory.yaml", "--directory", tmp_path]
    command = [str(Path(sys.executable).parent / "skipstone"), *map(str, verb), "--limit", "1"]
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # a test runner started in the background hands SIGINT on as ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    ) as process:
        until(lambda: any(file.stat().st_size for file in tmp_path.glob("*/*.sql")) and dumping(production))
        process.send_signal(how)
        process.wait(timeout=60)
    assert bool(list(tmp_path.glob(f"{PREFIX}*"))) == (how is signal.SIGKILL)
    until(lambda: not dumping(production))
    with PrivateServer(tmp_path) as server:
        assert list(tmp_path.iterdir()) == [server.directory]


def commands(server: PrivateServer) -> dict[str, int]:
    """Return how often a server was told to change or to lock something."""
    names = ",".join(f"'Com_{name}'" for name in CHANGES)
    rows = server.query(f"SHOW GLOBAL STATUS WHERE Variable_name IN ({names})")
    return {name.removeprefix("Com_").lower(): int(count) for name, count in rows}


def dumping(server: PrivateServer) -> bool:
    return any("SQL_NO_CACHE" in " ".join(row) for row in server.query("SHOW FULL PROCESSLIST"))


def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
