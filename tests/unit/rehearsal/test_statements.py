"""What of a dump reaches the rehearsal's server, line by line."""

import pytest

from skipstone.rehearsal.statements import Statements


def passed(text: str, name: str = "nova") -> tuple[Statements, str]:
    """Return what was met in a dump, and the SQL that may pass."""
    statements = Statements(name)
    lines = statements.lines(line.encode() for line in text.splitlines(keepends=True))
    return statements, b"".join(line for _, line in lines).decode()


def test_a_dump_without_a_name_is_of_the_database_its_file_is_named_after() -> None:
    statements, sql = passed(
        "CREATE TABLE `instances` (\n  `id` int\n);\nINSERT INTO `instances` VALUES (1);\n"
    )
    assert [(one.name, one.tables) for one in statements.contents.values()] == [("nova", ["instances"])]
    assert sql.startswith("USE `nova`;\nCREATE TABLE")
    assert sql.endswith("VALUES (1);\n")


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE IF EXISTS `instances`;\n",
        "LOCK TABLES `instances` WRITE;\n",
        "/*!40000 ALTER TABLE `instances` DISABLE KEYS */;\n",
        "/*!50001 DROP VIEW IF EXISTS `v`*/;\n",
        "/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50001 VIEW `v` AS select 1 AS `a` */;\n",
        "DROP FUNCTION IF EXISTS `f`;\n",
        "CREATE TRIGGER t BEFORE INSERT ON instances FOR EACH ROW SET NEW.id = 1;\n",
        "/*!50003 CREATE*/ /*!50003 TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET @a = 1 */;;\n",
        "REPLACE INTO `instances` VALUES (1);\n",
    ],
)
def test_nothing_is_done_before_its_database_is_used(statement: str) -> None:
    head = "/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump\n\n/*!40101 SET NAMES utf8mb4 */;\n"
    _, sql = passed(head + statement)
    assert sql == f"{head}USE `nova`;\n{statement}"


def test_a_dump_that_names_its_database_makes_no_other() -> None:
    statements, sql = passed(
        "-- MySQL dump\n/*!40101 SET NAMES utf8 */;\n/*!40000 DROP DATABASE IF EXISTS `nova`*/;\n"
        "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `nova`;\n\nUSE `nova`;\nDROP TABLE IF EXISTS `a`;\n",
        name="all",
    )
    assert list(statements.contents) == ["nova"]
    assert sql.count("USE ") == 1


def test_a_dump_that_is_named_after_a_database_of_the_server_is_left_out() -> None:
    statements, sql = passed("DROP TABLE IF EXISTS `user`;\nCREATE TABLE `user` (a int);\n", name="mysql")
    assert sql == ""
    assert statements.left_out == {"database mysql": 1}


def test_databases_of_the_server_itself_are_left_out() -> None:
    statements, sql = passed(
        "USE `mysql`;\nCREATE TABLE `user` (a int);\nINSERT INTO `user` VALUES (1);\n"
        "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `glance` /*!40100 DEFAULT CHARACTER SET utf8mb3 */;\n"
        "USE `glance`;\nCREATE TABLE `images` (a int);\nINSERT INTO `images` VALUES (1);\n"
    )
    assert list(statements.contents) == ["glance"]
    assert "user" not in sql
    assert "INSERT INTO `images`" in sql
    assert statements.left_out == {"database mysql": 1}
    assert statements.charset == "utf8mb3"


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE USER 'x'@'%' IDENTIFIED BY 'y';",
        "GRANT ALL ON *.* TO 'x'@'%';",
        "grant all on *.* to x;",
        "/*M!100005 SET PASSWORD FOR root = 'x' */;",
        "DROP DATABASE IF EXISTS `keystone`;",
        "SET @@GLOBAL.GTID_PURGED='x';",
        "SET GLOBAL general_log = 1;",
        "LOAD DATA INFILE '/etc/passwd' INTO TABLE t;",
        "CREATE OR REPLACE EVENT e ON SCHEDULE EVERY 1 SECOND DO DELETE FROM t;",
        "INSTALL SONAME 'x';",
        "CHANGE MASTER TO MASTER_HOST='x';",
        "CREATE USER 'x'@'%'\n  IDENTIFIED BY 'y'\n  WITH MAX_USER_CONNECTIONS 3;",
    ],
)
def test_statements_that_act_elsewhere_are_left_out_and_counted(statement: str) -> None:
    statements, sql = passed(f"{statement}\nINSERT INTO `t` VALUES (1);\n")
    assert sql == "USE `nova`;\nINSERT INTO `t` VALUES (1);\n"
    assert sum(statements.left_out.values()) == 1


def test_rows_that_only_speak_of_such_statements_pass() -> None:
    text = "INSERT INTO `t` VALUES\n('GRANT ALL'),\n('CREATE USER x;');\n"
    _, sql = passed(text)
    assert sql == "USE `nova`;\n" + text


def test_whoever_made_a_trigger_is_not_asked_for() -> None:
    _, sql = passed(
        "/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`%`*/ /*!50003 TRIGGER t BEFORE INSERT ON a */;;\n"
    )
    assert "root" not in sql
    assert "TRIGGER t" in sql


@pytest.mark.parametrize(
    ("end", "whole"),
    [
        ("", False),
        ("/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;\n", True),
        ("-- Dump completed on 2026-11-22\n", True),
        ("/*M!100616 SET NOTE_VERBOSITY=@OLD_NOTE_VERBOSITY */;\n", True),
    ],
)
def test_a_dump_that_was_cut_off_is_not_whole(end: str, whole: bool) -> None:
    begin = "/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;\nCREATE TABLE `a` (x int);\n"
    statements, _ = passed(begin + end)
    assert statements.whole is whole
