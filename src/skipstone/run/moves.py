"""What the output of a drain, or of a return, says of the instances that are on their way.

``views/drain.py`` writes those lines, one for each change of an instance:
``vm1 (UUID)  moves  live → cmp2  45%  running``.
"""

import re

_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_LINE = re.compile(rf"(?P<name>.*) \((?P<id>{_UUID})\)  (?P<phase>[a-z]+)(?P<more>  .*)?")
_UNDER_WAY = frozenset({"moves", "verifies"})


def under_way(before: str, output: str) -> str:
    """Return a line for each instance on its way, after this output; ``before`` is what it was until then."""
    if ")  " not in output:  # as nearly all that steps print
        return before
    going: dict[str, str] = {}
    for line in [*before.splitlines(), *output.splitlines()]:
        if found := _LINE.fullmatch(line.strip()):
            if found["phase"] in _UNDER_WAY:
                going[found["id"]] = line.strip()  # in the place that it had
            else:
                going.pop(found["id"], None)
    return "\n".join(going.values())


def short(line: str) -> str:
    """Return such a line without the instance's id, for a person."""
    found = _LINE.fullmatch(line)
    return f"{found['name']}  {found['phase']}{found['more'] or ''}" if found else line
