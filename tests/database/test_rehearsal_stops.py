"""A whole rehearsal on a real MariaDB, with commands that do what each test says instead of a release's own.

With the releases' own commands: ``tests/lab/test_rehearse.py``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from skipstone.catalog import Release, load_catalog
from skipstone.errors import InputError, UnknownRelease
from skipstone.rehearsal.rehearsal import Wish, rehearse
from skipstone.rehearsal.report import Ended, RehearsalReport, StopReport
from skipstone.toolchain.toolchain import Program

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

CATALOG = load_catalog()
ARRIVE = (
    "CREATE TABLE heat_prod.alembic_version SELECT 'c6214ca60943' AS version_num;"
    "DROP TABLE heat_prod.migrate_version"
)
STAMP = ARRIVE.partition(";")[0]
CHECK = """\
+--------------------------------------------+
| Upgrade Check Results                      |
+--------------------------------------------+
| Check: Policy File JSON to YAML Migration  |
| Result: Success                            |
| Details: None                              |
+--------------------------------------------+
| Check: Stacks                              |
| Result: Failure                            |
| Details: Some stacks are                   |
|   still in progress.                       |
+--------------------------------------------+
"""
SEEN = "env > seen; grep -h connection heat.conf >> seen; "


@dataclass(frozen=True)
class Pretended:
    """A toolchain whose every command runs one shell script, with $mariadb as a client of the server."""

    release: Release
    script: str

    def version(self, service: str) -> str | None:
        return self.release.services[service].version

    def command(self, service: str, argv: Sequence[str], *, directories: Sequence[Path] = ()) -> Program:
        if argv[0] == f"{service}-status":
            return Program(("sh", "-c", f"cat <<'END'\n{CHECK}END\nexit 2"), {"PATH": "/usr/bin:/bin"})
        assert argv[0] == f"{service}-manage"
        client = f"mariadb --no-defaults -u root -S {directories[1]}/s -e"
        return Program(
            ("sh", "-euc", self.script.replace("$mariadb", client)), {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        )

    def python(self, service: str, argv: Sequence[str], *, directories: Sequence[Path] = ()) -> Program:
        return self.command(service, (f"{service}-manage", *argv), directories=directories)


Try = Callable[..., RehearsalReport]


@pytest.fixture
def tried(tmp_path: Path) -> Try:
    """Rehearse heat from Zed, at this legacy version, with this script."""

    def rehearsed(
        script: str, *, version: int = 86, source: str | None = None, target: str = "2025.1", more: str = ""
    ) -> RehearsalReport:
        (tmp_path / "dumps").mkdir()
        (tmp_path / "dumps" / "heat_prod.sql").write_text(
            "CREATE TABLE `stack` (id int) DEFAULT CHARSET=utf8mb3;\nCREATE TABLE `raw_template` (id int);\n"
            "INSERT INTO `stack` VALUES (1),(2);\n"
            "CREATE TABLE `migrate_version` (repository_id varchar(9), version int);\n"
            f"INSERT INTO `migrate_version` VALUES ('heat', {version});\n{more}"
        )
        wish = Wish(
            dumps=tmp_path / "dumps",
            target=CATALOG.release(target),
            source=CATALOG.release(source) if source else None,
            directory=tmp_path,
            apis=False,
        )
        return rehearse(CATALOG, wish, lambda release: Pretended(release, script))

    return rehearsed


def last(report: RehearsalReport) -> StopReport:
    return report.services[0].stops[-1]


def test_a_service_arrives_where_its_heads_do(tried: Try) -> None:
    report = tried(f'$mariadb "{ARRIVE}; DELETE FROM heat_prod.stack WHERE id = 1"')
    assert report.passed
    assert (report.source, report.target) == ("2023.1", "2025.1"), "the newest release of these heads"
    (database,) = report.services[0].databases
    assert database.rows == 3
    assert {(change.table, change.before, change.after) for change in database.changes} == {
        ("alembic_version", None, 1),
        ("migrate_version", 1, None),
        ("stack", 2, 1),
    }


def test_what_the_targets_own_check_says_is_told_and_forbids_nothing(tried: Try) -> None:
    report = tried(f'$mariadb "{ARRIVE}"')
    (check,) = report.checks
    assert (check.command, check.code, check.outcome) == ("heat-status upgrade check", 2, "failure")
    assert check.found == (("Stacks", "failure", "Some stacks are still in progress."),)
    assert report.passed


def test_a_service_that_has_not_arrived_is_not_checked(tried: Try) -> None:
    assert tried("echo no; exit 3").checks == ()


def test_a_command_that_fails_is_in_the_report_with_its_last_words(tried: Try) -> None:
    report = tried("echo it is broken; exit 3")
    assert not report.passed
    assert last(report).ended is Ended.FAILED
    assert last(report).commands[-1].code == 3
    assert "it is broken" in last(report).commands[-1].output


def test_a_command_that_succeeds_and_does_nothing_has_not_arrived(tried: Try) -> None:
    report = tried("true")
    assert last(report).ended is Ended.OTHER_HEADS
    assert last(report).heads == {"heat_prod": ("migrate:86",)}


def test_a_command_gets_nothing_of_the_operators_and_no_address_but_the_copies(
    tried: Try, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_PASSWORD", "secret")
    report = tried(f'{SEEN} cat seen; ls /sys/class/net; cat /proc/net/dev; $mariadb "{ARRIVE}"')
    said = last(report).commands[-1].output
    assert report.isolated
    assert "secret" not in said
    assert "unix_socket=" in said
    assert "eth" not in said.partition("Inter-")[2]


def test_schemas_of_no_release_are_named(tried: Try) -> None:
    with pytest.raises(InputError, match="not all of one release") as caught:
        tried("true", version=81)
    assert "heat_prod: migrate:81: no release's final schema" in caught.value.evidence


def test_an_operator_who_is_wrong_is_contradicted(tried: Try) -> None:
    with pytest.raises(InputError, match=r"not of 2024\.1 Caracal, but of") as caught:
        tried("true", source="2024.1")
    assert "--from" in caught.value.remedy


def test_a_target_that_is_not_newer(tried: Try) -> None:
    with pytest.raises(UnknownRelease):
        tried("true", target="zed")


def test_what_an_earlier_upgrade_has_damaged_is_told_and_carried_on(tried: Try) -> None:
    """Alembic's head, and the legacy number of a database that was stamped blindly long ago."""
    stamped = "CREATE TABLE `alembic_version` SELECT 'c6214ca60943' AS version_num;\n"
    report = tried("true", version=79, source="2023.2", more=stamped)
    first, arrived = report.services[0].stops
    assert [(trouble.check, trouble.rows) for trouble in first.troubles] == [("heat-legacy-below-86", 1)]
    assert (first.ended, arrived.ended) == (Ended.DONE, Ended.DONE)


def test_damage_that_a_release_has_done_is_seen_afterwards(tried: Try) -> None:
    """As if the question before had not been asked, or the data had become so meanwhile."""
    report = tried(f'$mariadb "UPDATE heat_prod.migrate_version SET version = 79; {STAMP}"')
    (trouble,) = last(report).troubles
    assert last(report).ended is Ended.DAMAGED
    assert (trouble.check, trouble.after) == ("heat-legacy-below-86", True)
    assert not report.passed


def test_data_that_the_next_release_breaks_on_keep_it_from_being_tried(tmp_path: Path) -> None:
    (tmp_path / "dumps").mkdir()
    (tmp_path / "dumps" / "cinder.sql").write_text(
        "CREATE TABLE `volumes` (id int, use_quota bool, deleted bool);\n"
        "CREATE TABLE `volume_types` (id int);\n"
        "CREATE TABLE `snapshots` (id int, use_quota bool, deleted bool);\n"
        "INSERT INTO `volumes` VALUES (1, NULL, 0),(2, NULL, 0),(3, 1, 0);\n"
        "CREATE TABLE `alembic_version` (version_num varchar(32));\n"
        "INSERT INTO `alembic_version` VALUES ('c92a3e68beed');\n"
    )
    wish = Wish(dumps=tmp_path / "dumps", target=CATALOG.release("2025.1"), directory=tmp_path, apis=False)
    report = rehearse(CATALOG, wish, lambda release: Pretended(release, "true"))
    stop = last(report)
    assert stop.ended is Ended.GUARDED
    assert stop.commands == ()
    (trouble,) = stop.troubles
    assert (trouble.check, trouble.rows) == ("cinder-null-use-quota", 2)
    assert "online_data_migrations" in trouble.remedy
