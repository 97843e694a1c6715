"""A dump in one stream, cut into the files that its parts belong to; tests/database has the real thing."""

import io
import sys
import time

import pytest

from skipstone.steps.scripts import dumps

STREAM = b"""/*M!999999\\- enable the sandbox mode */
-- MariaDB dump 10.19
--
-- Host: localhost    Database: nova
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;

--
-- Current Database: `nova`
--

CREATE DATABASE /*!32312 IF NOT EXISTS*/ `nova`;
USE `nova`;

--
-- Table structure for table `a`
--

CREATE TABLE `a` (id int);
--
-- Dumping data for table `a`
--
INSERT INTO `a` VALUES
(1,'x\\n-- Table structure for table `no`\\n');
--
-- Table structure for table `b`
--
CREATE TABLE `b` (id int);
--
-- Dumping routines for database 'nova'
--
CREATE PROCEDURE p() select 1;
--
-- Current Database: `heat`
--
USE `heat`;
--
-- Table structure for table `a`
--
CREATE TABLE `a` (id int, of_heat int);

--
-- Current Database: `nova`
--
USE `nova`;
--
-- Final view structure for view `v`
--
-- Dump completed
"""


class Text(io.BytesIO):
    """What would be a file, and stays readable."""

    def close(self) -> None:
        """Keep it."""


def scattered(monkeypatch: pytest.MonkeyPatch, *by_table: str) -> dict[str, bytes]:
    options = [item for name in by_table for item in ("--by-table", name)]
    monkeypatch.setattr(sys, "argv", ["dumps.py", "dump", "/nowhere", "nova", "heat", "--together", *options])
    found: dict[str, Text] = {}

    def dump(self: dumps.Dumps) -> None:
        self.opened = lambda name: found.setdefault(name, Text())
        self.scatter(io.BytesIO(STREAM))

    monkeypatch.setattr(dumps.Dumps, "dump", dump)
    dumps.main()
    return {name: text.getvalue() for name, text in found.items()}


@pytest.mark.parametrize("block", [1, 7, 64, 1 << 20])
def test_nothing_is_lost_or_doubled_wherever_a_block_ends(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(dumps, "BLOCK", block)
    parts = list(dumps.parts(io.BytesIO(STREAM)))
    assert b"".join(comment + text for comment, text in parts) == STREAM
    named = [comment for comment, _ in parts if b"`" in comment]
    assert len(named) == 8


@pytest.mark.parametrize("block", [1, 64, 1 << 20])
def test_each_table_of_a_large_database_has_a_file_that_loads_by_itself(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(dumps, "BLOCK", block)
    files = scattered(monkeypatch, "nova")
    assert set(files) == {"nova", "nova/a", "nova/b", "heat"}
    for text in files.values():
        assert b"FOREIGN_KEY_CHECKS=0" in text
        assert text.endswith(b"\n-- Dump completed\n")
    for name in ("nova/a", "nova/b"):
        assert b"\nUSE `nova`;\n" in files[name]
    assert b"(1,'x\\n-- Table structure" in files["nova/a"]
    assert b"of_heat" in files["heat"]
    for words in (b"CREATE DATABASE", b"PROCEDURE p", b"Final view"):
        assert [name for name, text in files.items() if words in text] == ["nova"]


def test_small_databases_have_one_file_each(monkeypatch: pytest.MonkeyPatch) -> None:
    files = scattered(monkeypatch)
    assert set(files) == {"nova", "heat"}
    assert files["nova"].count(b"CREATE TABLE") == 2


def test_nothing_more_is_begun_after_a_failure() -> None:
    begun: list[int] = []

    def fail() -> None:
        raise ValueError("no")

    def take_time() -> None:
        begun.append(1)
        time.sleep(0.3)

    with pytest.raises(ValueError, match="no"):
        dumps.several(1, [(9, fail), *[(0, take_time)] * 9])
    assert len(begun) < 9
