"""Checks of policy rules: read by oslo.policy's own parser, which this module alone imports."""

import logging
from collections.abc import Iterator
from enum import Enum, auto
from functools import cache
from typing import Any

from oslo_policy import policy

Check = Any
"""A check of oslo.policy (``oslo_policy._checks.BaseCheck``, which has no public name)."""

Value = str | tuple[str | tuple[str, ...], ...] | None
"""What a file gives for a rule: text, the lists of lists of old, or nothing, which lets everybody pass."""

_PARSER = logging.getLogger("oslo_policy._parser")


class Form(Enum):
    """What a check asks: others, another rule, an attribute of token and object (OWN), or another server."""

    AND = auto()
    OR = auto()
    NOT = auto()
    RULE = auto()
    OWN = auto()
    REMOTE = auto()


_FORMS = (
    (policy.AndCheck, Form.AND),
    (policy.OrCheck, Form.OR),
    (policy.NotCheck, Form.NOT),
    (policy.RuleCheck, Form.RULE),
)
_REMOTE = {"http", "https", "opa", "openfga"}


class _Faults(logging.Handler):
    """Counts what the parser complains of: it makes a check that nobody passes, and goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        del record
        self.count += 1


@cache
def parse(value: Value) -> Check:
    """Return the check that a value stands for; ValueError where oslo.policy cannot read it."""
    faults = _Faults()
    propagate = _PARSER.propagate
    _PARSER.addHandler(faults)
    _PARSER.propagate = False
    try:
        check = policy.RuleDefault("", value).check  # type: ignore[arg-type] # lists are read too
    finally:
        _PARSER.removeHandler(faults)
        _PARSER.propagate = propagate
    if faults.count:
        raise ValueError(value)
    return check


def either(one: Check, other: Check) -> Check:
    """Return the check that is passed where one of two is."""
    return policy.OrCheck([one, other])


def form(check: Check) -> Form:
    """Return what a check asks."""
    found = next((form for kind, form in _FORMS if isinstance(check, kind)), Form.OWN)
    return Form.REMOTE if getattr(check, "kind", None) in _REMOTE else found


def parts(check: Check) -> tuple[Check, ...]:
    """Return the checks that one is made of: none where it asks something itself."""
    match form(check):
        case Form.NOT:
            return (check.rule,)
        case Form.AND | Form.OR:
            return tuple(check.rules)
    return ()


def references(check: Check) -> Iterator[str]:
    """Yield the names of the rules that a check refers to."""
    if form(check) is Form.RULE:
        yield check.match
    for part in parts(check):
        yield from references(part)
