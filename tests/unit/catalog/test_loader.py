"""An invalid catalog is refused with file, line and field."""

import shutil
from pathlib import Path

import pytest

import skipstone.catalog
from skipstone.catalog.loader import load_catalog, read_catalog
from skipstone.errors import CatalogError, ExitCode

OWN = Path(skipstone.catalog.__file__).parent
ZED = "releases/2022.2-zed.yaml"
HEAT = "services/heat.yaml"


class Copy:
    """A copy of Skipstone's own catalog that a test may spoil."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for part in ("releases", "services"):
            shutil.copytree(OWN / part, path / part)

    def change(self, name: str, old: str, new: str) -> int:
        """Replace the first occurrence of a text; return the number of the line where it stood."""
        text = (self.path / name).read_text()
        assert old in text
        (self.path / name).write_text(text.replace(old, new, 1))
        return text[: text.index(old)].count("\n") + 1

    def refused(self) -> CatalogError:
        """Read the copy and return the error."""
        with pytest.raises(CatalogError) as caught:
            read_catalog(self.path)
        return caught.value


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def test_own_catalog_is_valid_and_read_once() -> None:
    assert load_catalog() is load_catalog()
    assert len(load_catalog().releases) == 25
    names = [service.name for service in load_catalog().services]
    assert names == ["keystone", "placement", "glance", "cinder", "neutron", "nova", "heat"]


@pytest.mark.parametrize(
    ("name", "old", "new", "error"),
    [
        (ZED, "status: unmaintained", "status: fine", "status: Input should be 'maintained'"),
        (ZED, 'version: "2022.2"', "version: 2022.2", "version: Input should be a valid string"),
        (ZED, "official: false", "suite: x", "suite: Extra inputs are not permitted"),
        (
            ZED,
            "floor: ussuri",
            "floor: usuri",
            "services.keystone.schema.floor: the floor 'usuri' is no release",
        ),
        (
            ZED,
            "floor: ussuri",
            "floor: epoxy",
            "services.keystone.schema.floor: the floor 'epoxy' is no release",
        ),
        (ZED, "level: 64", "level: many", "services.nova.compute.level: Input should be a valid integer"),
        (ZED, "  heat:", "  heart:", "services.heart: no file services/heart.yaml"),
        (
            HEAT,
            "since: bobcat",
            "since: boo",
            "blockers.0.enforced.since: Value error, no release has the codename",
        ),
        (HEAT, "kind: worker", "kind: robot", "daemons.0.kind: Input should be 'api', 'worker' or 'agent'"),
        (HEAT, "database: heat", "database: heap", "blockers.0.database: no database is called heap"),
        (HEAT, "schema: heat", "schema: heap", "databases.0.schema: hibiscus has no heads for heap"),
        (HEAT, "statuses: [300]", "statuses: [many]", "api.statuses.0: Input should be a valid integer"),
    ],
)
def test_error_names_file_line_and_field(copy: Copy, name: str, old: str, new: str, error: str) -> None:
    line = copy.change(name, old, new)
    refused = copy.refused()
    assert str(refused).startswith(f"{name}:{line}: {error}")
    assert refused.exit_code is ExitCode.REFUSED


def test_missing_field_points_at_its_parent(copy: Copy) -> None:
    line = copy.change(HEAT, "    condition: the schema is at migrate:86\n", "")
    parent = (copy.path / HEAT).read_text().splitlines()
    first = next(number for number in range(line - 1, 0, -1) if "- id:" in parent[number - 1])
    assert str(copy.refused()) == f"{HEAT}:{first}: blockers.0.condition: Field required"


def test_fact_without_evidence_is_refused(copy: Copy) -> None:
    copy.change(ZED, "      api_version: keystone@", "      somewhere: keystone@")
    line = copy.change(ZED, "  keystone:", "  keystone:")
    refused = copy.refused()
    assert refused.where == f"{ZED}:{line}: services.keystone"
    assert "no evidence for api_version" in refused.what


def test_all_problems_of_a_file_are_told(copy: Copy) -> None:
    copy.change(ZED, "status: unmaintained", "status: fine")
    line = copy.change(ZED, "level: 64", "level: many")
    assert f"{ZED}:{line}: services.nova.compute.level" in copy.refused().evidence


@pytest.mark.parametrize(
    ("old", "new", "message", "below"),
    [
        ("codename: zed\n", "codename: zed\ncodename: yoga\n", "codename twice", 1),
        ("services:\n", "services: ]\n", "expected", 0),
    ],
)
def test_broken_yaml_names_the_line(copy: Copy, old: str, new: str, message: str, below: int) -> None:
    line = copy.change(ZED, old, new)
    refused = copy.refused()
    assert message in refused.what
    assert refused.where == f"{ZED}:{line + below}"


def test_file_must_carry_the_name_of_its_release(copy: Copy) -> None:
    (copy.path / ZED).rename(copy.path / "releases/2022.2-zeta.yaml")
    assert "the file of zed is called 2022.2-zeta.yaml" in copy.refused().what


def test_empty_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="no release"):
        read_catalog(tmp_path)
