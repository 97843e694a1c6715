"""The reference of checks is that of the checks there are."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_reference_is_up_to_date() -> None:
    made = subprocess.run(
        [sys.executable, "tools/list_checks.py", "--stdout"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    written = (ROOT / "docs" / "reference" / "checks.md").read_text(encoding="utf-8")
    assert made.stdout == written, "run: python tools/list_checks.py"
