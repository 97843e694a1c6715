"""Tables whose rows several clients load: nothing is lost, or doubled, or done before its time."""

from pathlib import Path

import pytest

from skipstone.errors import InputError
from skipstone.rehearsal import clients
from skipstone.rehearsal.server import PrivateServer
from tests.database.dumping import HEAD, TAIL, dump, load

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

STATEMENTS, ROWS = 60, 40
TABLE = "CREATE TABLE `t` (id int PRIMARY KEY, name varchar(9), x mediumtext, UNIQUE KEY `n` (name));\n"
TRIGGER = (
    "/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`b`*/"
    " /*!50003 TRIGGER `b` BEFORE INSERT ON `t` FOR EACH ROW SET NEW.x = 'triggered' */;\n"
)


def statements(between: str, *, first: int = 0) -> str:
    """Return the rows of a table larger than what one client loads alone."""
    filling = "y" * (2 * clients.LARGE // (STATEMENTS * ROWS))
    lines = []
    for number in range(first, first + STATEMENTS * ROWS, ROWS):
        rows = (f"({n},'n{n}','\\'),({n};\\n{filling}')" for n in range(number, number + ROWS))
        lines.append(f"INSERT INTO `t` VALUES{between}{(',' + between).join(rows)};\n")
    return "".join(lines)


@pytest.mark.parametrize("between", [" ", "\n"], ids=["one line", "a line for each row"])
@pytest.mark.parametrize("begin", ["", "SET autocommit=0;\nLOCK TABLES `t` WRITE;\n"], ids=["", "locked"])
def test_the_rows_of_a_large_table_arrive_once(
    server: PrivateServer, dumps: Path, between: str, begin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "AT_ONCE", 3)
    after = "UNLOCK TABLES;\nCOMMIT;\n" if begin else ""
    later = "CREATE TABLE `u` (id int);\nINSERT INTO `u` VALUES (1);\n"
    dump(dumps, "nova", TABLE + begin + statements(between) + after + TRIGGER + later + after)
    load(server, dumps)
    found = "SELECT COUNT(*), COUNT(DISTINCT name), SUM(x LIKE CONCAT('%(', id, ';\n%')) FROM nova.t"
    number = str(STATEMENTS * ROWS)
    assert server.query(found) == [(number, number, number)]
    assert server.query("SELECT COUNT(*) FROM nova.u") == [("1",)]
    assert server.query("SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = 'nova'")


def test_what_one_of_several_clients_refuses_is_raised(server: PrivateServer, dumps: Path) -> None:
    text = statements(" ") + statements(" ", first=STATEMENTS * ROWS - 1)
    (dumps / "nova.sql").write_text(HEAD + TABLE + text + TAIL)
    with pytest.raises(InputError, match="cannot be loaded") as caught:
        load(server, dumps)
    assert "Duplicate entry" in caught.value.evidence
