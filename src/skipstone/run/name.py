"""Names of runs, steps and clouds, as files and units may have them."""

import re


def escaped(name: str) -> str:
    """Return a name that is safe as a file and as a unit, and different for every different name."""
    return re.sub(r"^\.|[^A-Za-z0-9._-]", lambda match: f":{ord(match[0]):x}:", name)
