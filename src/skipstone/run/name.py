"""Names of runs, steps and clouds, as files and units may have them."""

import re
from secrets import token_hex


def escaped(name: str) -> str:
    """Return a name that is safe as a file and as a unit, and different for every different name."""
    return re.sub(r"^\.|[^A-Za-z0-9._-]", lambda match: f":{ord(match[0]):x}:", name)


def new_mark() -> str:
    """Return a run's mark: its jobs have it in their names, so that hosts take no other run's for them.

    Runs are numbered where they are kept, and who has no runs yet begins with 1 again.
    """
    return token_hex(4)
