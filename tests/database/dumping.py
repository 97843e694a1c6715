"""Small dumps, as mariadb-dump frames them, and how they are loaded."""

from pathlib import Path

from skipstone.rehearsal.dumps import find_dumps
from skipstone.rehearsal.loading import Loaded, load_all
from skipstone.rehearsal.server import PrivateServer

HEAD = "/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;\n"
TAIL = "/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;\n"
PRODUCTION = "mysql+pymysql://nova:secret@10.0.0.5"


def dump(directory: Path, name: str, sql: str) -> None:
    (directory / f"{name}.sql").write_text(HEAD + sql + TAIL)


def load(server: PrivateServer, directory: Path) -> tuple[Loaded, ...]:
    return load_all(server, find_dumps(directory), at_once=2)


def tables(loaded: tuple[Loaded, ...]) -> dict[str, list[str]]:
    return {content.name: content.tables for one in loaded for content in one.contents}


def nova(directory: Path) -> None:
    cells = f"('00000000-0000-0000-0000-000000000000', '{PRODUCTION}/cell_zero?charset=utf8', 'none:///'),"
    cells += f"('1111', '{PRODUCTION}/nova_prod?charset=utf8', 'rabbit://nova:secret@10.0.0.6/')"
    main = "CREATE TABLE `instances` (id int);\nCREATE TABLE `block_device_mapping` (id int);\n"
    version = "CREATE TABLE `alembic_version` (version_num varchar(32));\n"
    version += "INSERT INTO `alembic_version` VALUES ('{}');\n"
    dump(
        directory,
        "nova_api",
        "CREATE TABLE `cell_mappings` (uuid varchar(36), database_connection text, transport_url text);\n"
        f"INSERT INTO `cell_mappings` VALUES {cells};\n"
        "CREATE TABLE `instance_mappings` (id int);\nCREATE TABLE `resource_providers` (id int);\n"
        "CREATE TABLE `allocations` (id int);\n" + version.format("b30f573d3377"),
    )
    for name in ("nova_prod", "cell_zero"):
        dump(directory, name, main + version.format("ccb0fa1a2252"))
