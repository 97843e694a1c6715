"""Real APIs of a real release on real copies: they answer what the old databases held, and reach nothing.

The databases are Zed's, filled by its own commands and with rows that lead to a listener of this machine.
"""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread
from uuid import uuid4

import pytest

from skipstone.catalog import load_catalog
from skipstone.rehearsal import purging
from skipstone.rehearsal.identity import write_keys
from skipstone.rehearsal.rehearsal import Wish, rehearse
from skipstone.rehearsal.report import ApiReport, RehearsalReport
from skipstone.settings import load_settings
from skipstone.toolchain.building import build
from tests.toolchain.mariadb import MariaDb
from tests.toolchain.synced import Synced

pytestmark = [pytest.mark.real, pytest.mark.network, pytest.mark.timeout(1800)]

CATALOG = load_catalog()
OLD, NEW = CATALOG.release("zed"), CATALOG.release("2025.1")
SERVICES = ("keystone", "glance")


class Listener:
    """Listens on every address of this machine and remembers who has come."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("0.0.0.0", 0))  # noqa: S104 - every address is the point
        self.port = self._socket.getsockname()[1]
        self.heard: list[object] = []
        Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                connection, peer = self._socket.accept()
            except OSError:
                return
            self.heard.append(peer)
            connection.close()

    def close(self) -> None:
        # close() alone does not wake up accept()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    with closing(Listener()) as listener:
        yield listener


@pytest.fixture(scope="module")
def dumps(tmp_path_factory: pytest.TempPathFactory, listener: Listener) -> Iterator[Path]:
    """Return dumps of Zed's databases, which are full of the listener's address."""
    home = tmp_path_factory.mktemp("m")
    server = MariaDb(home)
    server.start()
    try:
        synced = Synced(build(OLD, load_settings()), server, home)
        for name in SERVICES:
            synced.sync(CATALOG.service(name))
        address = f"127.0.0.1:{listener.port}"
        bootstrap(synced, f"http://{address}/v3")
        fill(server, address)
        yield dumped(server, home / "dumps")
    finally:
        server.stop()


def bootstrap(synced: Synced, url: str) -> None:
    write_keys(synced.directory)
    config = synced.directory / "keystone.conf"
    keys = "".join(
        f"[{section}]\nkey_repository = {synced.directory}/fernet-keys\n"
        for section in ("fernet_tokens", "fernet_receipts", "credential")
    )
    config.write_text(config.read_text() + keys)
    program = synced.toolchain.command(
        "keystone",
        (
            "keystone-manage", "--config-file", str(config), "bootstrap", "--bootstrap-password=secret",
            "--bootstrap-region-id=RegionOne", f"--bootstrap-public-url={url}",
            f"--bootstrap-internal-url={url}", f"--bootstrap-admin-url={url}",
        ),
    )  # fmt: skip
    subprocess.run(program.argv, env=dict(program.environment), check=True, capture_output=True)


def fill(server: MariaDb, address: str) -> None:
    """Add an image that lies at an address, and one that was deleted, long ago, with where it lay."""
    image, gone, now = uuid4(), uuid4(), "'2022-10-05'"
    server.rows(
        "INSERT INTO images (id, name, size, status, visibility, owner, disk_format, container_format,"
        " min_disk, min_ram, protected, os_hidden, created_at, deleted)"
        f" VALUES ('{image}', 'Bild äöü', 42, 'active',"
        f" 'private', 'somebody', 'raw', 'bare', 0, 0, 0, 0, {now}, 0), ('{gone}', 'gone', 1, 'deleted',"
        f" 'private', 'somebody', 'raw', 'bare', 0, 0, 0, 0, {now}, 1);"
        f"INSERT INTO image_locations (image_id, value, meta_data, status, created_at, deleted, deleted_at)"
        f" VALUES ('{image}', 'http://{address}/image', '{{}}', 'active', {now}, 0, NULL),"
        f" ('{gone}', 'http://{address}/gone', '{{}}', 'deleted', {now}, 1, {now})",
        "glance",
    )


def dumped(server: MariaDb, directory: Path) -> Path:
    directory.mkdir()
    for name in SERVICES:
        argv = ["mariadb-dump", "--no-defaults", f"--socket={server.socket}", "-uroot", "--databases", name]
        with (directory / f"{name}.sql").open("wb") as output:
            subprocess.run(argv, stdout=output, check=True)
    return directory


def api(report: RehearsalReport, service: str) -> ApiReport:
    return next(one for one in report.apis if one.service == service)


def compared(report: RehearsalReport, service: str) -> dict[str, int]:
    return {one.resource: one.compared for one in api(report, service).resources if not one.unread}


def test_the_new_apis_answer_what_the_old_databases_held_and_reach_nothing(
    dumps: Path, listener: Listener, tmp_path: Path
) -> None:
    with socket.create_connection(("127.0.0.1", listener.port)):
        pass
    deadline = time.monotonic() + 10
    while not listener.heard and time.monotonic() < deadline:
        time.sleep(0.05)
    assert listener.heard, "it hears nobody at all"
    listener.heard.clear()
    wish = Wish(dumps=dumps, target=NEW, directory=tmp_path)
    report = rehearse(CATALOG, wish, lambda release: build(release, load_settings()))
    assert listener.heard == []
    told = [(one.service, one.trouble, one.resources) for one in report.apis if not one.passed]
    assert report.passed, told
    assert compared(report, "keystone")["users"] == 1
    assert compared(report, "keystone")["endpoints"] == 3
    assert compared(report, "glance") == {"images": 1}, "the deleted one is not expected"
    assert list(tmp_path.iterdir()) == [], "something is left"
    assert subprocess.run(["pgrep", "-f", str(tmp_path)], check=False, stdout=subprocess.PIPE).returncode == 1


@pytest.mark.long
def test_what_purging_deleted_rows_first_would_save_is_measured(dumps: Path, tmp_path: Path) -> None:
    plain, purged = (
        rehearse(
            CATALOG,
            Wish(dumps=dumps, target=NEW, directory=tmp_path, apis=False, purge=purge),
            lambda release: build(release, load_settings()),
        )
        for purge in (False, True)
    )
    keystone, glance = purging.compared(plain, purged)
    assert (keystone.service, keystone.failed, keystone.rows) == ("keystone", "", 0)
    assert (glance.service, glance.failed) == ("glance", "")
    assert glance.rows == 1, "a location; images stay, on purpose"
    assert 0 < glance.with_it < purged.migration_seconds
