"""What a rehearsal measures beside time, on a real MariaDB: tables worked on, room, memory."""

from pathlib import Path

import pytest

from skipstone.rehearsal.rehearsal import Wish, rehearse
from skipstone.rehearsal.server import PrivateServer
from skipstone.rehearsal.touching import Touched, marks, touched
from tests.database.test_rehearsal_interrupted import DUMP
from tests.database.test_rehearsal_stops import ARRIVE, CATALOG, Pretended

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

WORK = {
    "INSERT INTO a SELECT seq, seq FROM seq_1_to_50": Touched("x.a", 0, 50, altered=False),
    "UPDATE a SET n = 0 WHERE id <= 10": Touched("x.a", 11, 10, altered=False),
    "ALTER TABLE a ADD COLUMN more int": Touched("x.a", 0, 0, altered=True),
    "CREATE INDEX i ON a (n)": Touched("x.a", 0, 0, altered=True),
    "CREATE TABLE b (id int)": Touched("x.b", 0, 0, altered=True),
    "SELECT COUNT(*) FROM a": Touched("x.a", 50, 0, altered=False),
}
MEMORY = 64 << 20
SCRIPT = f"""
python3 -c 'import time; held = bytearray({MEMORY}); time.sleep(3)'
$mariadb "{ARRIVE}; INSERT INTO heat_prod.stack SELECT 1 FROM mysql.user"
"""


def test_what_a_command_did_to_its_tables(tmp_path: Path) -> None:
    with PrivateServer(tmp_path) as server:
        server.query(
            "CREATE DATABASE x; CREATE TABLE x.a (id int PRIMARY KEY, n int);"
            "CREATE TABLE x.alembic_version (v int); CREATE DATABASE other; CREATE TABLE other.t (id int)"
        )
        for statement, expected in WORK.items():
            before = marks(server, ["x"])
            server.query(
                f"USE x; {statement}; INSERT INTO alembic_version VALUES (1); INSERT INTO other.t VALUES (1)"
            )
            assert touched(before, marks(server, ["x"])) == (expected,), statement


def test_peaks_and_tables_are_in_the_report(tmp_path: Path) -> None:
    dumps = tmp_path / "dumps"
    dumps.mkdir()
    (dumps / "heat_prod.sql").write_text(DUMP)
    wish = Wish(dumps, CATALOG.release("2025.1"), directory=tmp_path)
    report = rehearse(CATALOG, wish, lambda release: Pretended(release, SCRIPT))
    assert report.passed
    (command,) = report.services[0].stops[-1].commands
    assert command.purpose == "sync"
    assert "heat_prod.stack" in {table.table for table in command.tables}
    assert report.taken
    assert report.taken.dumps == len(DUMP)
    assert report.taken.commands > MEMORY
    assert report.taken.server > 16 << 20
    assert report.taken.disk > 16 << 20
    assert 0 < report.taken.processor < report.migration_seconds * report.taken.cores + 1
