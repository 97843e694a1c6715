"""Clouds recorded from real ones: what the checks find is what stands beside them.

``tests/plans/NAME/findings-RELEASE.txt`` has one line per finding. A recording is made with
``tools/record_cloud.py``; its findings are printed by the failing test.
"""

from pathlib import Path

import pytest

from skipstone.catalog import load_catalog
from skipstone.checks.examination import examine
from skipstone.cloud.cloudfile import load_cloud

PLANS = Path(__file__).parents[2] / "plans"
EXPECTED = sorted(PLANS.glob("*/findings-*.txt"))


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_findings_of_a_recorded_cloud(expected: Path) -> None:
    catalog = load_catalog()
    target = catalog.release(expected.stem.removeprefix("findings-"))
    findings = examine(load_cloud(expected.parent / "cloud.yaml"), catalog, target)
    lines = [f"{found.severity} {found.id} {found.where} {found.handled_by or '-'}" for found in findings]
    assert lines == expected.read_text(encoding="utf-8").splitlines()


def test_there_are_recorded_clouds() -> None:
    assert EXPECTED
