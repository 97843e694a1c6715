"""Write docs/reference/checks.md from the checks themselves: ``python tools/list_checks.py``.

With ``--stdout`` the page is printed instead; a test compares it with the file.
"""

import inspect
import re
import sys
from pathlib import Path

from skipstone.checks.check import Check
from skipstone.checks.registry import CHECKS

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "checks.md"

HEAD = """\
# Checks

Written by `python tools/list_checks.py` from the checks' own descriptions; edit those instead.

`skipstone check cloud.yaml --to REL` puts every check below to a discovered cloud. A check sees data only and
never changes anything. Its findings carry the check's id, which is permanent, and a severity:

| severity | meaning | exit code |
|---|---|---|
| `inhibitor` | stops the upgrade | 2 |
| `unknown` | the question could not be asked; not a pass | 2 |
| `warning` | to be read; where the plan takes care of it, the finding names the step | 1 |
| `info` | good to know | 0 |

Without `--to` the target is the cloud's own release: is the cloud healthy as it stands.

To add a check: one class in `src/skipstone/checks/`, named after the good condition, and its line in
`registry.py`; or, in a package of your own, an entry point of the group `skipstone.checks`.
"""


def page() -> str:
    """Return the whole page."""
    rows = "\n".join(f"| [`{check.id}`](#{check.id}) | {_parts(check)[0]} |" for check in CHECKS)
    sections = "\n".join(_section(check) for check in CHECKS)
    return f"{HEAD}\n| id | the good condition |\n|---|---|\n{rows}\n\n{sections}"


def _section(check: type[Check]) -> str:
    condition, reason, source = _parts(check)
    labels = re.sub(r" *(Since|May go): ", r"  \n*\1:* ", source).replace("Source: ", "*Source:* ", 1)
    return f"## {check.id}\n\n**{condition}** (`{check.__name__}`)\n\n{reason}\n\n{labels}\n"


def _parts(check: type[Check]) -> tuple[str, str, str]:
    """Return the good condition, the reason for it, and the line of sources, each in one line."""
    condition, _, rest = (inspect.getdoc(check) or "").partition("\n")
    reason, _, source = " ".join(rest.split()).partition("Source: ")
    return condition.replace("``", "`"), reason.replace("``", "`").strip(), f"Source: {source}"


if __name__ == "__main__":
    if "--stdout" in sys.argv:
        print(page(), end="")
    else:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page(), encoding="utf-8")
        print(PAGE)
