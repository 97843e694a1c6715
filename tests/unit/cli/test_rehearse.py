"""``skipstone rehearse``: what it refuses before anything is asked or started."""

from pathlib import Path

import pytest

from skipstone.catalog import load_catalog
from skipstone.checks.examination import examine
from skipstone.cli.main import main
from skipstone.cloud.cloudfile import load_cloud
from skipstone.errors import ExitCode
from skipstone.plan.planfile import save_plan
from skipstone.plan.planner import make_plan

CLOUD = Path(__file__).parents[2] / "plans" / "zed-small" / "cloud.yaml"


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    catalog, cloud = load_catalog(), load_cloud(CLOUD)
    target = catalog.release("2025.1")
    path = tmp_path_factory.mktemp("plan") / "plan.yaml"
    save_plan(make_plan(cloud, catalog, target, findings=examine(cloud, catalog, target)), path)
    return path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["rehearse", *map(str, arguments)])
    assert caught.value.code == ExitCode.REFUSED
    return capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--dumps", "."),
        ("--to", "2025.1"),
        ("plan.yaml",),
        ("plan.yaml", "-i", "inventory.yaml", "--to", "2025.1"),
        ("plan.yaml", "-i", "inventory.yaml", "--from", "zed"),
        ("plan.yaml", "--dumps", ".", "--to", "2025.1"),
    ],
)
def test_a_plan_with_its_inventory_or_dumps_with_a_target(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert "not clear what is to be rehearsed" in refused(capsys, *arguments)


def test_the_inventory_of_another_cloud(
    capsys: pytest.CaptureFixture[str], plan: Path, tmp_path: Path
) -> None:
    other = tmp_path / "inventory.yaml"
    other.write_text("name: other\nhosts: {ctl1: {address: 127.0.0.1, groups: [database]}}\n")
    said = refused(capsys, plan, "-i", other, "--no-isolation")
    assert "for the cloud lab" in said
    assert "that of other" in said


def test_a_plan_that_was_edited(capsys: pytest.CaptureFixture[str], plan: Path, tmp_path: Path) -> None:
    edited = tmp_path / "plan.yaml"
    edited.write_text(plan.read_text().replace("cloud: lab\n", "cloud: other\n"))
    inventory = tmp_path / "inventory.yaml"
    inventory.write_text("name: other\nhosts: {ctl1: {address: 127.0.0.1, groups: [database]}}\n")
    assert "changed after it was made" in refused(capsys, edited, "-i", inventory)


@pytest.mark.parametrize("limit", ["0", "-1", "much"])
def test_a_limit_is_more_than_nothing(capsys: pytest.CaptureFixture[str], limit: str) -> None:
    assert "--limit" in refused(capsys, "plan.yaml", "-i", "inventory.yaml", "--limit", limit)
