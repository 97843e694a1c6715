"""Dumps whose large tables get their keys after their rows; tests/database loads them into a real server."""

import io

import pytest

from skipstone.steps.scripts.keys_last import keys_last, read_table

PORTS = b"""\
CREATE TABLE `ports` (
  `id` varchar(36) NOT NULL,
  `number` int(11) NOT NULL AUTO_INCREMENT COMMENT 'its KEY `x` (`y`), and more',
  `network` varchar(36) DEFAULT NULL,
  `state` tinyint(1) DEFAULT 0 CHECK (`state` in (0,1)),
  PRIMARY KEY (`number`),
  UNIQUE KEY `u` (`network`,`id`),
  KEY `state` (`state`),
  CONSTRAINT `of` FOREIGN KEY (`network`) REFERENCES `networks` (`id`) ON DELETE CASCADE,
  CONSTRAINT `known` CHECK (`state` in (0,1))
) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci;
"""
BARE = b"""\
CREATE TABLE `ports` (
  `id` varchar(36) NOT NULL,
  `number` int(11) NOT NULL AUTO_INCREMENT COMMENT 'its KEY `x` (`y`), and more',
  `network` varchar(36) DEFAULT NULL,
  `state` tinyint(1) DEFAULT 0 CHECK (`state` in (0,1)),
  PRIMARY KEY (`number`),
  CONSTRAINT `known` CHECK (`state` in (0,1))
) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci;
"""
KEYS = b"""\
ALTER TABLE `ports`
  ADD UNIQUE KEY `u` (`network`,`id`),
  ADD KEY `state` (`state`);
"""
FOREIGN = b"""\
ALTER TABLE `ports`
  ADD CONSTRAINT `of` FOREIGN KEY (`network`) REFERENCES `networks` (`id`) ON DELETE CASCADE;
"""
LOCK = b"LOCK TABLES `ports` WRITE;\n"
ROWS = b"INSERT INTO `ports` VALUES\n('a',1,'b',0),\n('b',2,'b',1);\n"
UNLOCK = b"UNLOCK TABLES;\n"
OTHER = b"CREATE TABLE `other` (\n  `id` int(11) DEFAULT NULL\n) ENGINE=InnoDB;\n"


def filtered(text: bytes, least: int) -> bytes:
    return b"".join(keys_last(iter(text.splitlines(keepends=True)), least))


def test_keys_and_what_needs_them_come_after_the_rows() -> None:
    text = b"-- dump\n" + PORTS + LOCK + ROWS + UNLOCK + OTHER + UNLOCK
    assert filtered(text, 50) == b"-- dump\n" + BARE + ROWS + KEYS + FOREIGN + OTHER


def test_foreign_keys_are_written_elsewhere_with_what_they_need() -> None:
    head = b"/*!40101 SET NAMES utf8mb4 */;\nUSE `neutron`;\nDROP TABLE IF EXISTS `ports`;\n"
    for least in (50, 10_000):
        foreign = io.BytesIO()
        lines = iter((head + PORTS + LOCK + ROWS + UNLOCK).splitlines(keepends=True))
        assert FOREIGN.splitlines()[1] not in b"".join(keys_last(lines, least, foreign))
        assert foreign.getvalue() == b"/*!40101 SET NAMES utf8mb4 */;\nUSE `neutron`;\n" + FOREIGN


@pytest.mark.parametrize("end", [UNLOCK, UNLOCK + OTHER + UNLOCK, b""])
def test_a_table_of_few_rows_stays_as_it_is_written(end: bytes) -> None:
    assert filtered(PORTS + LOCK + ROWS + end, 10_000) == PORTS + ROWS + end.replace(UNLOCK, b"")


def test_a_dump_without_locks_gets_its_keys_at_its_end() -> None:
    assert filtered(PORTS + ROWS + OTHER + ROWS, 50) == BARE + ROWS + OTHER + ROWS + KEYS + FOREIGN


def test_a_statement_that_is_cut_off_is_passed_on() -> None:
    for length in range(len(PORTS)):
        assert filtered(PORTS[:length], 1) == PORTS[:length]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"ENGINE=InnoDB", b"ENGINE=Aria"),
        (b"TABLE `ports`", b"TABLE `p``orts`"),
        (b"PRIMARY KEY (`number`)", b"PRIMARY KEY (`id`)"),  # then a key of the column that counts is needed
        (b"  PRIMARY KEY (`number`),\n", b""),
        (b"DEFAULT NULL,\n", b"GENERATED ALWAYS AS (`id`) STORED,\n"),  # no foreign key comes later there
        (b"  KEY `state` (", b"  FULLTEXT KEY `state` ("),  # which would come first then, or not
        (b"  KEY `state` (", b"  SPATIAL KEY `state` ("),
        (b"  KEY `state` (", b"  PERIOD FOR SYSTEM_TIME ("),
    ],
)
def test_a_table_that_might_not_come_out_the_same_stays_as_it_is_written(old: bytes, new: bytes) -> None:
    assert old in PORTS
    text = PORTS.replace(old, new) + ROWS
    assert filtered(text + UNLOCK, 1) == text


def test_a_table_without_such_keys_stays_as_it_is_written() -> None:
    assert read_table(BARE.splitlines(keepends=True)) is None
